/** Whose key runs next: owners take turns, what continues goes before what begins. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkQueue } from './queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test('owners take turns: one with many keys does not keep another waiting', async () => {
  const order: string[] = [];
  const queue = new WorkQueue(
    (key) => {
      order.push(key);
      return Promise.resolve(undefined);
    },
    { workers: 1, ownerOf: (key) => key.split('/')[0] ?? '' },
  );
  for (let n = 0; n < 100; n++) queue.add(`big/${n}`);
  for (const key of ['small/0', 'small/1', 'big/0', 'other/0']) queue.add(key);
  expect(queue.depth).toBe(103);
  queue.start();
  await settle();
  expect(order.slice(0, 6)).toEqual(['big/0', 'small/0', 'other/0', 'big/1', 'small/1', 'big/2']);
  expect(order).toHaveLength(103);
  expect(queue.depth).toBe(0);
  await queue.stop();
});

test('what continues comes first within its owner, but one in four begins; a key that came to continue moves up', async () => {
  const order: string[] = [];
  const continued = new Set(['big/c0', 'big/c1', 'big/c2', 'big/c3', 'big/c4', 'big/c5']);
  const queue = new WorkQueue(
    (key) => {
      order.push(key);
      return Promise.resolve(undefined);
    },
    { workers: 1, ownerOf: (key) => key.split('/')[0] ?? '', continues: (key) => continued.has(key) },
  );
  for (let n = 0; n < 5; n++) queue.add(`big/n${n}`);
  for (const key of continued) queue.add(key);
  queue.add('small/n0');
  // It has a counterpart by now.
  continued.add('big/n4');
  queue.add('big/n4');
  expect(queue.depth).toBe(12);
  queue.start();
  await settle();
  const first = 'big/c0 small/n0 big/c1 big/c2 big/n0 big/c3 big/c4 big/c5 big/n1 big/n4';
  expect(order.join(' ')).toBe(`${first} big/n2 big/n3`);
  expect(queue.depth).toBe(0);
  await queue.stop();
});

test('while nothing may begin, what continues is worked on, of every owner; then the rest in turn', async () => {
  const order: string[] = [];
  let open = false;
  const queue = new WorkQueue(
    (key) => {
      order.push(key);
      return Promise.resolve(undefined);
    },
    {
      workers: 1,
      ownerOf: (key) => key.split('/')[0] ?? '',
      continues: (key) => key.includes('c'),
      mayBegin: () => open,
    },
  );
  for (const key of ['big/n0', 'big/n1', 'big/c0', 'small/n0', 'late/c0']) queue.add(key);
  queue.start();
  await settle();
  expect(order.join(' ')).toBe('big/c0 late/c0');
  expect(queue.depth).toBe(3);
  open = true;
  queue.look();
  await settle();
  expect(order.slice(2).toSorted().join(' ')).toBe('big/n0 big/n1 small/n0');
  // Whoever has many does not go first.
  expect(order.indexOf('small/n0')).toBeLessThan(4);
  await queue.stop();
});

test('while nothing may begin, what continues is found without going over all owners, and in turn', async () => {
  const order: string[] = [];
  const handler = (key: string) => {
    order.push(key);
    return Promise.resolve(undefined);
  };
  const queue = new WorkQueue(handler, {
    workers: 1,
    ownerOf: (key) => key.split('/')[0] ?? '',
    continues: (key) => key.includes('c'),
    mayBegin: () => false,
  });
  for (let n = 0; n < 1000; n++) queue.add(`${n}/n`);
  for (const key of ['900/c0', '900/c1', '901/c0']) queue.add(key);
  const entries = Object.getPrototypeOf(new Map().entries()) as { next: () => unknown };
  const { next } = entries;
  let looks = 0;
  entries.next = function (this: unknown) {
    looks++;
    return next.call(this as typeof entries);
  };
  try {
    queue.start();
    await settle();
  } finally {
    entries.next = next;
  }
  expect(order).toEqual(['900/c0', '901/c0', '900/c1']);
  expect(queue.depth).toBe(1000);
  expect(looks).toBeLessThan(100);
  await queue.stop();
});

test('an owner whose keys all hang keeps no other waiting', async () => {
  const done: string[] = [];
  const hanging: (() => void)[] = [];
  const queue = new WorkQueue(
    (key) => {
      if (!key.startsWith('big/')) return Promise.resolve(void done.push(key));
      return new Promise<undefined>((resolve) => hanging.push(() => resolve(undefined)));
    },
    { workers: 8, ownerOf: (key) => key.split('/')[0] ?? '' },
  );
  queue.start();
  for (let n = 0; n < 100; n++) queue.add(`big/${n}`);
  for (let n = 0; n < 50; n++) queue.add(`small/${n}`);
  await settle();
  expect([hanging.length, done.length]).toEqual([6, 50]);
  // The next ones have the places of those that end.
  for (const end of hanging.splice(0, 2)) end();
  await settle();
  expect([hanging.length, queue.depth]).toEqual([6, 92]);
  const stopping = queue.stop(0);
  await settle();
  await stopping;
});

test.each<[string, (key: string) => string]>([
  ['of many owners', (key) => key],
  ['of one owner', () => 'one'],
])('beginnings that all hang, %s, keep nothing waiting that continues', async (_, ownerOf) => {
  const done: string[] = [];
  let hanging = 0;
  const queue = new WorkQueue(
    (key) => {
      if (key.startsWith('old')) return Promise.resolve(void done.push(key));
      hanging++;
      return new Promise<undefined>(() => undefined);
    },
    { workers: 8, ownerOf, continues: (key) => key.startsWith('old') },
  );
  queue.start();
  for (let n = 0; n < 100; n++) queue.add(`new${n}`);
  await settle();
  for (let n = 0; n < 50; n++) queue.add(`old${n}`);
  await settle();
  expect([hanging, done.length]).toEqual([6, 50]);
  const stopping = queue.stop(0);
  await settle();
  await stopping;
});
