import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageOf } from './errors.ts';
import { eventIn, isChange, lines, revisionIn, withoutManagedFields } from './watch-lines.ts';

async function* inPieces(bytes: Buffer, cuts: number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const cut of [...cuts.map((value) => value % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)) {
    if (cut > from) yield bytes.subarray(from, cut);
    from = Math.max(from, cut);
  }
}

async function collect(source: AsyncIterable<Buffer>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines(source)) found.push(line.toString('utf8'));
  return found;
}

test('lines come whole however the network cut them, also within a character', async () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !line.includes('\n'));
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.array(fc.nat()), async (whole, cuts) => {
      const bytes = Buffer.from(whole.map((line) => `${line}\n`).join(''));
      expect(await collect(inPieces(bytes, cuts))).toEqual(whole);
    }),
  );
});

test('a torn last line and empty lines are dropped', async () => {
  expect(await collect(inPieces(Buffer.from('{"a":1}\n\n\n{"b":2}\n{"torn":'), [3, 9]))).toEqual([
    '{"a":1}',
    '{"b":2}',
  ]);
});

test('a line without an end is not collected for ever', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 1000; i++) yield piece;
  }
  await expect(collect(endless())).rejects.toThrow('a line of the watch is longer than 16777216 bytes');
});

test('many long lines that come in pieces are not one that is too long', async () => {
  async function* torn(): AsyncGenerator<Buffer> {
    const half = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 20; i++) {
      yield half;
      yield Buffer.from('x\n');
    }
  }
  let found = 0;
  for await (const line of lines(torn())) found += line.length;
  expect(found).toBe(20 * (1024 * 1024 + 1));
});

const pod = (metadata: object) =>
  Buffer.from(
    JSON.stringify({ type: 'MODIFIED', object: { kind: 'Pod', apiVersion: 'v1', metadata, spec: { x: 1 } } }),
  );

test('the revision found in the text is that of the object, whatever labels and annotations say', () => {
  fc.assert(
    fc.property(fc.nat(), fc.string(), fc.dictionary(fc.string(), fc.string()), (revision, name, labels) => {
      // The order in which the API server writes metadata of its own kinds.
      const annotations = { note: '"resourceVersion":"7"', resourceVersion: '8' };
      const line = pod({ name: name.replaceAll('"', ''), resourceVersion: String(revision), labels, annotations });
      expect(revisionIn(line)).toBe(String(revision));
    }),
  );
});

test('no revision, or one that is no number, is none', () => {
  expect(revisionIn(pod({ name: 'a' }))).toBeUndefined();
  expect(revisionIn(pod({ name: 'a', resourceVersion: 'abc' }))).toBeUndefined();
  expect(revisionIn(Buffer.from('{"resourceVersion":"12'))).toBeUndefined();
});

test.each([
  ['{"type":"ADDED","object":{}}', true],
  ['{"type":"MODIFIED","object":{}}', true],
  ['{"type":"DELETED","object":{}}', true],
  ['{"type":"BOOKMARK","object":{}}', false],
  ['{"type":"ERROR","object":{}}', false],
])('%s is a change: %s', (line, change) => {
  expect(isChange(Buffer.from(line))).toBe(change);
});

test('an event without managedFields is the same event, whatever names and values people chose', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.constantFrom(']},', ']},"', ',"managedFields":[', '"}]},"spec":{', 'v:["a"]}', '\\"]},\\"', 'é]},"'),
  );
  const managers = fc.array(
    fc.record({ manager: nasty, operation: fc.constant('Update'), fieldsV1: fc.dictionary(nasty, fc.constant({})) }),
  );
  fc.assert(
    fc.property(
      nasty,
      fc.dictionary(nasty, nasty),
      fc.array(nasty),
      managers,
      nasty,
      (name, labels, finalizers, managed, note) => {
        const metadata = { name, labels, annotations: { managedFields: note, [note]: name }, finalizers };
        const spec = { note, list: [{ managedFields: [{ a: [1] }] }, name] };
        const event = (of: object) => ({ type: 'MODIFIED', object: { kind: 'Pod', metadata: of, spec } });
        const line = Buffer.from(JSON.stringify(event({ ...metadata, managedFields: managed })));
        expect(JSON.parse(withoutManagedFields(line))).toEqual(event(metadata));
      },
    ),
    { numRuns: 300 },
  );
});

test('an event that has none, or has nothing after its metadata, stays as it is', () => {
  const bare = { type: 'ADDED', object: { metadata: { name: 'a' }, spec: {} } };
  expect(withoutManagedFields(Buffer.from(JSON.stringify(bare)))).toBe(JSON.stringify(bare));
  const last = { type: 'ADDED', object: { metadata: { name: 'a', managedFields: [{ manager: 'x' }] } } };
  expect(JSON.parse(withoutManagedFields(Buffer.from(JSON.stringify(last))))).toEqual(last);
});

test('a field manager named like the end of metadata spoils no event', () => {
  const managedFields = [{ manager: 'x]},', operation: 'Update', fieldsV1: { 'f:x]},': {} } }];
  const line = pod({ name: 'a', managedFields });
  expect(JSON.parse(withoutManagedFields(line))).toEqual(JSON.parse(pod({ name: 'a' }).toString()));
});

test.each([
  'hunter2',
  '{"type":"ADDED","object":{"data":{"password":hunter2}}}',
  '{"type":"ADDED","object":{"data":{"password":"hunter2',
  '{"type":"ADDED"}',
  '"hunter2"',
  'null',
])('what is no event is quoted nowhere: %s', (text) => {
  let error: unknown;
  try {
    eventIn(Buffer.from(text), true);
  } catch (thrown) {
    error = thrown;
  }
  expect(messageOf(error)).toBe(
    'a line of the watch is no event in JSON: what answers is no API server, or the line was cut',
  );
  expect((error as Error).cause).toBeUndefined();
});
