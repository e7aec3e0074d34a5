import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueTimes } from './due.ts';

test('keys come out when they are due, the earliest first, each once', () => {
  const times = new DueTimes();
  for (const [key, at] of [
    ['b', 20],
    ['a', 10],
    ['c', 30],
  ] as const)
    times.set(key, at);
  expect(times.next()).toBe(10);
  expect(times.take(9)).toEqual([]);
  expect(times.take(20)).toEqual(['a', 'b']);
  expect(times.get('b')).toBeUndefined();
  expect(times.next()).toBe(30);
  times.delete('c');
  expect(times.next()).toBeUndefined();
  expect(times.take(100)).toEqual([]);
});

test('the time that was set last holds', () => {
  const times = new DueTimes();
  times.set('a', 10);
  times.set('a', 30);
  expect(times.take(20)).toEqual([]);
  times.set('a', 5);
  expect(times.take(20)).toEqual(['a']);
  expect(times.take(100)).toEqual([]);
});

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const step = fc.oneof(
  fc.record({ set: key, at: fc.nat(50) }),
  fc.record({ delete: key }),
  fc.record({ take: fc.nat(50) }),
);

test('does what a plain map does, in any order of steps', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const times = new DueTimes();
      const plain = new Map<string, number>();
      for (const one of steps) {
        if ('set' in one) {
          times.set(one.set, one.at);
          plain.set(one.set, one.at);
        } else if ('delete' in one) {
          times.delete(one.delete);
          plain.delete(one.delete);
        } else {
          const due = times.take(one.take);
          const wanted = [...plain].filter(([, at]) => at <= one.take);
          expect(due.toSorted()).toEqual(wanted.map(([name]) => name).toSorted());
          const order = due.map((name) => plain.get(name) as number);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
          for (const name of due) plain.delete(name);
        }
        expect(times.next()).toBe(plain.size > 0 ? Math.min(...plain.values()) : undefined);
        for (const [name, at] of plain) expect(times.get(name)).toBe(at);
      }
    }),
  );
});
