import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readBody, toConnectionError } from './answer.ts';

function pieces(...texts: (string | Buffer | Error)[]): Readable {
  async function* each(): AsyncGenerator<Buffer> {
    for (const text of texts) {
      if (text instanceof Error) throw text;
      yield Buffer.from(text);
    }
  }
  return Readable.from(each(), { objectMode: false });
}

const open = new AbortController().signal;

test('a body is put together, also where a character was cut in two', async () => {
  const bytes = Buffer.from('für');
  expect(await readBody(pieces(bytes.subarray(0, 2), bytes.subarray(2)), 's', open)).toBe('für');
});

test('a body that is too long is not read to its end, and not asked for again', async () => {
  await expect(readBody(pieces('xxxx', 'xxxx', 'xxxx'), 's', open, 7)).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'TOO_LONG',
    message: 's: the answer broke off: longer than 7 bytes',
  });
});

test('a body that breaks off is an error of the connection, with the cause', async () => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  await expect(readBody(pieces('{', reset), 's', open)).rejects.toMatchObject({
    code: 'ECONNRESET',
    message: 's: the answer broke off: socket hang up',
    cause: reset,
  });
  await expect(readBody(pieces('{', reset), 's', AbortSignal.abort())).rejects.toMatchObject({
    code: 'ABORTED',
  });
});

test('a body whose connection is closed without an error breaks off too', async () => {
  const stream = new Readable({ read() {} });
  const body = readBody(stream, 's', open);
  stream.push('{');
  stream.destroy();
  await expect(body).rejects.toMatchObject({
    code: 'ECONNRESET',
    message: 's: the answer broke off: the connection was closed',
  });
});

test('an ended signal says whether time was up or we ended the call', () => {
  const error = new Error('aborted');
  const timedOut = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
  expect(toConnectionError('s', error, timedOut).code).toBe('ETIMEDOUT');
  expect(toConnectionError('s', error, AbortSignal.abort()).code).toBe('ABORTED');
  expect(toConnectionError('s', error, open).code).toBe('EUNKNOWN');
});

test('of a server with several addresses it is said what is wrong with each', () => {
  const each = ['connect ECONNREFUSED 10.0.0.1:6443', 'connect ENETUNREACH fd00::1:6443'].map(
    (text) => new Error(text),
  );
  const error = Object.assign(new AggregateError(each), { code: 'ECONNREFUSED' });
  expect(toConnectionError('https://api', error, open)).toMatchObject({
    code: 'ECONNREFUSED',
    message: 'https://api: connect ECONNREFUSED 10.0.0.1:6443; connect ENETUNREACH fd00::1:6443',
  });
});
