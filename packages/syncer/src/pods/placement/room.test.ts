import { accumulate, formatResources, parseResources, type Quantity } from '@kubeocean/shared/lease';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRoom, type Taken } from './room.ts';

const keys = ['a/1', 'a/2', 'b/1', 'b/2', 'c/1'];
const vnodes = ['vnode-1', 'vnode-2'];

const taken = fc.option(
  fc.record({ vnode: fc.constantFrom(...vnodes), cpu: fc.nat(5), memory: fc.constantFrom(0, 64, 1000) }),
  { nil: undefined },
);
const step = fc.record({ key: fc.constantFrom(...keys), taken, asked: fc.boolean() });

function sumOf(pods: Map<string, Taken>, vnode: string, except: string): Map<string, Quantity> {
  const sum = new Map<string, Quantity>();
  for (const [key, each] of pods) if (each.vnode === vnode && key !== except) accumulate(sum, each.requests);
  return sum;
}

/** Without what is none: a sum that went back to zero may be there or not. */
function amounts(map: ReadonlyMap<string, Quantity>): Record<string, string> {
  return Object.fromEntries(Object.entries(formatResources(map)).filter(([, amount]) => amount !== '0'));
}

describe('what the pods of a vnode take', () => {
  test('is the sum over those that are there, whatever came and went before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pods = new Map<string, Taken>();
        const room = createRoom((key) => pods.get(key));
        for (const { key, taken: now, asked } of steps) {
          if (now) {
            const requests = parseResources({ cpu: `${now.cpu * 100}m`, memory: `${now.memory}Mi`, pods: '1' });
            pods.set(key, { vnode: now.vnode, requests });
          } else pods.delete(key);
          room.changed(key);
          if (!asked) continue;
          for (const vnode of vnodes) {
            expect(amounts(room.used(vnode, key))).toEqual(amounts(sumOf(pods, vnode, key)));
            expect(amounts(room.used(vnode, ''))).toEqual(amounts(sumOf(pods, vnode, '')));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('counts what a pod is asked to take, until the watch tells of it or it was not done', () => {
    const cpu = (amount: string, revision: string): Taken => ({
      vnode: 'vnode-1',
      requests: parseResources({ cpu: amount }),
      revision,
    });
    let taken = cpu('1', '100');
    const room = createRoom(() => taken);
    const used = () => amounts(room.used('vnode-1', 'other'))['cpu'];
    room.changed('a/1');
    expect(used()).toBe('1');
    room.asks('a/1', parseResources({ cpu: '3' }));
    expect(used()).toBe('3');
    room.answered('a/1', undefined);
    expect(used()).toBe('1');

    room.asks('a/1', parseResources({ cpu: '3' }));
    room.answered('a/1', '105');
    expect(used()).toBe('3');
    // Something else of the pod, from before.
    taken = cpu('1', '99');
    room.changed('a/1');
    expect(used()).toBe('3');
    taken = cpu('2', '105');
    room.changed('a/1');
    expect(used()).toBe('2');

    // Less is asked for: until it is so, it still takes what it took.
    room.asks('a/1', parseResources({ cpu: '500m' }));
    expect(used()).toBe('2');
  });

  test('is worked out only of what changed', () => {
    const asked: string[] = [];
    const room = createRoom((key) => {
      asked.push(key);
      return { vnode: 'vnode-1', requests: parseResources({ pods: '1' }) };
    });
    for (const key of keys) room.changed(key);
    room.used('vnode-1', 'a/1');
    expect(asked).toEqual(keys);
    room.changed('a/2');
    room.used('vnode-1', 'a/1');
    room.used('vnode-2', 'a/1');
    expect(asked).toEqual([...keys, 'a/2']);
  });
});

test('pods that come and go where nobody asks for room are not remembered for ever', () => {
  let looks = 0;
  const room = createRoom(() => {
    looks++;
    return undefined;
  });
  for (let pod = 0; pod < 25_000; pod++) room.changed(`a/${pod}`);
  expect(looks).toBe(20_000);
  room.used('vnode-1', '');
  expect(looks).toBe(25_000);
});
