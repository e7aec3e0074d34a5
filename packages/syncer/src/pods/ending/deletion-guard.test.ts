import { expect, test } from 'vitest';
import { createDeletionGuard, type GuardState } from './deletion-guard.ts';

function guardOf(population: number, wasStopped = false) {
  const world = { now: 0, approval: undefined as string | undefined, told: [] as GuardState[] };
  let count = 0;
  const guard = createDeletionGuard({
    population: () => population,
    wasStopped,
    approval: () => world.approval,
    clock: () => world.now,
    token: () => `t${++count}`,
    onChange: (state) => world.told.push(state),
  });
  const allowed = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => guard.allow(`uid-${from + i}`)).filter(Boolean).length;
  return { guard, world, allowed };
}

test.each([
  [0, 20],
  [100, 20],
  [1000, 100],
])('of %i pods %i go in a minute', (population, expected) => {
  expect(guardOf(population).allowed(0, 500)).toBe(expected);
});

test('a steady trickle never stops', () => {
  const { world, allowed } = guardOf(10);
  for (let minute = 0; minute < 10; minute++) {
    world.now = minute * 60_000;
    expect(allowed(minute * 20, minute * 20 + 20)).toBe(20);
  }
  expect(world.told).toEqual([]);
});

test('a syncer that finds the guard stopped lets none of what was held back go, however often others lead', () => {
  const { guard, world, allowed } = guardOf(1000, true);
  expect(allowed(0, 500)).toBe(0);
  guard.open();
  expect(guard.state()).toEqual({ stopped: true, token: 't1', waiting: 500 });
  expect(allowed(0, 600)).toBe(0);
  world.approval = 't1';
  expect(allowed(0, 600)).toBe(600);
  expect(allowed(600, 800)).toBe(100);
});

test('when nothing of it is left to hold back once all was looked at, the guard is at rest', () => {
  const { guard, world, allowed } = guardOf(10, true);
  expect(world.told).toEqual([]);
  guard.open();
  expect(world.told).toEqual([{ stopped: false }]);
  expect(allowed(0, 30)).toBe(20);
});

test('a retry of one deletion is not counted twice', () => {
  const { guard, allowed } = guardOf(10);
  for (let i = 0; i < 50; i++) expect(guard.allow('same')).toBe(true);
  expect(allowed(0, 19)).toBe(19);
});

test('once stopped it stays so until a person approves just what waits', () => {
  const { guard, world, allowed } = guardOf(10);
  expect(allowed(0, 25)).toBe(20);
  world.now = 120_000;
  expect(guard.allow('uid-24')).toBe(false);
  expect(guard.state()).toEqual({ stopped: true, token: 't1', waiting: 5 });
  // Nothing need be asked about those that wait; others may not wait at all.
  expect(['uid-24', 'uid-0', 'unknown'].map((uid) => guard.holdsBack(uid))).toEqual([true, false, false]);
  world.approval = 'anything';
  expect(guard.allow('uid-24')).toBe(false);
  world.approval = 't1';
  expect(guard.holdsBack('uid-24')).toBe(false);
  expect(allowed(20, 25)).toBe(5);
  expect(guard.state()).toEqual({ stopped: false });
  // The same annotation does not approve the next stop.
  expect(allowed(100, 130)).toBe(20);
  expect(guard.state()).toEqual({ stopped: true, token: 't2', waiting: 10 });
});

test('what goes otherwise need not be approved, and with nothing left it is at rest', () => {
  const { guard, world, allowed } = guardOf(10);
  expect(allowed(0, 22)).toBe(20);
  guard.forget('uid-0');
  expect(guard.state()).toMatchObject({ stopped: true, waiting: 2 });
  guard.forget('uid-20');
  expect(world.told.at(-1)).toMatchObject({ stopped: true, waiting: 1 });
  guard.forget('uid-21');
  expect(world.told.at(-1)).toEqual({ stopped: false });
  // Those of the last minute still count.
  expect(guard.allow('next')).toBe(false);
  expect(guard.state()).toMatchObject({ stopped: true, token: 't2', waiting: 1 });
});

test('a person approves a deletion once, though it fails and is tried again', () => {
  const { guard, world, allowed } = guardOf(10);
  expect(allowed(0, 60)).toBe(20);
  world.approval = 't1';
  for (let turn = 0; turn < 2; turn++) expect(allowed(20, 60)).toBe(40);
  expect(guard.state()).toEqual({ stopped: false });
  guard.forget('uid-59');
  expect(guard.allow('uid-59')).toBe(false);
});
