import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { byController, share, Sharing } from './share.ts';
import type { KubeObject } from './types.ts';

const json = fc.jsonValue({ maxDepth: 4 });

function frozen(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

const copy = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('nothing of what an object says changes, whatever it is shared with, nor of the other', () => {
  fc.assert(
    fc.property(json, json, (value, like) => {
      const said = JSON.stringify(value);
      expect(JSON.stringify(share(copy(value), frozen(copy(like))))).toBe(said);
      // Alike but for one place, as versions of an object are.
      const version = { like, value };
      expect(JSON.stringify(share(copy(version), frozen(copy({ like, value: like }))))).toBe(JSON.stringify(version));
    }),
  );
});

test('what is equal as a whole is the other itself', () => {
  fc.assert(
    fc.property(json, (value) => {
      const like = copy(value);
      expect(share(copy(value), like)).toBe(like);
    }),
    { examples: [[JSON.parse('{"__proto__":false}')]] },
  );
});

test.each<[string, unknown, unknown]>([
  ['a field more', { a: 1, b: 2 }, { a: 1 }],
  ['a field less', { a: 1 }, { a: 1, b: 2 }],
  ['an item more', [1, 2], [1]],
  ['an item less', [1], [1, 2]],
  ['an array for an object', { 0: 'a' }, ['a']],
  ['an object for an array', ['a'], { 0: 'a' }],
  ['null for an object', null, {}],
  ['an object for null', {}, null],
  ['a field of every object', { a: 1, toString: 'x' }, { a: 1 }],
])('%s is no equal', (_, value, like) => {
  const said = JSON.stringify(value);
  const shared = share(value, like);
  expect(shared).toBe(value);
  expect(JSON.stringify(shared)).toBe(said);
});

test('a field named __proto__ stays a field', () => {
  const text = '{"data":{"__proto__":{"a":1},"b":{"c":1}}}';
  for (const like of [text, text.replace('"c":1', '"c":2'), '{"data":{"b":{"c":1}}}']) {
    const shared = share(JSON.parse(text), JSON.parse(like)) as { data: object };
    expect(JSON.stringify(shared)).toBe(text);
    expect(Object.getPrototypeOf(shared.data)).toBe(Object.prototype);
  }
});

describe('the objects of a kind', () => {
  const pod = (name: string, owner: string | undefined, phase: string): KubeObject => ({
    metadata: {
      name,
      namespace: 'shop',
      labels: { app: 'web' },
      ...(owner && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
      }),
    },
    spec: { containers: [{ name: 'main', image: `image of ${owner}` }] },
    status: { phase, podIP: name },
  });

  it('share with those of the same workload', () => {
    const sharing = new Sharing(byController);
    const [a, other, b] = [pod('a', 'x', 'Running'), pod('b', 'y', 'Running'), pod('c', 'x', 'Running')];
    for (const each of [a, other, b]) sharing.take(each, undefined);
    expect(b['spec']).toBe(a['spec']);
    expect(b.metadata.ownerReferences).toBe(a.metadata.ownerReferences);
    expect(b).toEqual(pod('c', 'x', 'Running'));
    expect(other['spec']).not.toBe(a['spec']);
    expect(other).toEqual(pod('b', 'y', 'Running'));
  });

  it('share with their own earlier version', () => {
    const sharing = new Sharing(byController);
    const before = pod('a', undefined, 'Pending');
    sharing.take(before, undefined);
    for (let n = 0; n < 300; n++) sharing.take(pod(`p${n}`, `owner-${n}`, 'Running'), undefined);
    const after = pod('a', undefined, 'Running');
    sharing.take(after, before);
    expect(after['spec']).toBe(before['spec']);
    expect(after).toEqual(pod('a', undefined, 'Running'));
    expect(before).toEqual(pod('a', undefined, 'Pending'));
  });
});
