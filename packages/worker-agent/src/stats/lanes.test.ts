import { describe, expect, it } from 'vitest';
import { createLanes } from './lanes.ts';
import { StatsRefusal } from './refusal.ts';

const open = new AbortController().signal;
const never = () => new Promise<never>(() => undefined);

/** Lanes with a clock of the test's own, and so many nodes that failed a moment ago. */
function lanesWith(failed: number) {
  let now = 0;
  const lanes = createLanes(() => now);
  const nodes = Array.from({ length: failed }, (_, index) => `dead-${index}`);
  for (const node of nodes) lanes.failed(node, new StatsRefusal(504, `${node} is silent`));
  return { lanes, nodes, pass: (ms: number) => (now += ms) };
}

describe('nodes that failed', () => {
  it('are left alone for ten seconds, then asked again', async () => {
    const { lanes, pass } = lanesWith(1);
    pass(9_999);
    await expect(lanes.ask('dead-0', open, async () => 1)).rejects.toThrow('dead-0 is silent');
    pass(1);
    expect(await lanes.ask('dead-0', open, async () => 1)).toBe(1);
  });

  it('never keep those waiting that answer, however many they are', async () => {
    const { lanes, nodes, pass } = lanesWith(200);
    pass(10_000);
    let begun = 0;
    for (const node of nodes) void lanes.ask(node, open, () => (begun++, never()));
    for (let at = 0; at < 50; at++)
      expect(await lanes.ask(`sound-${at}`, open, (inTurn) => inTurn(async () => at))).toBe(at);
    expect(begun).toBe(8);
  });

  it('that answer again are like any other', async () => {
    const { lanes, nodes, pass } = lanesWith(20);
    pass(10_000);
    for (const node of nodes) lanes.answered(node);
    let begun = 0;
    for (const node of nodes) void lanes.ask(node, open, () => (begun++, never()));
    await expect.poll(() => begun).toBe(20);
  });

  it('while a question waited are not asked', async () => {
    const { lanes } = lanesWith(0);
    let end: () => void = () => undefined;
    const first = Array.from({ length: 2 }, () =>
      lanes.ask('a', open, () => new Promise<void>((resolve) => (end = resolve))),
    );
    let asked = false;
    const waiting = lanes.ask('a', open, async () => (asked = true));
    lanes.failed('a', new StatsRefusal(504, 'a is silent'));
    await Promise.resolve();
    end();
    await expect(waiting).rejects.toThrow('a is silent');
    expect(asked).toBe(false);
    void first;
  });
});

it('few answers are read at once, however many nodes are asked', async () => {
  const { lanes } = lanesWith(0);
  const ends: (() => void)[] = [];
  const all = Array.from({ length: 20 }, (_, at) =>
    lanes.ask(`n-${at}`, open, (inTurn) =>
      inTurn(() => new Promise<number>((resolve) => ends.push(() => resolve(at)))),
    ),
  );
  for (let done = 0; done < 20; done++) {
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    expect(ends.length).toBeLessThanOrEqual(3);
    ends.shift()?.();
  }
  expect(await Promise.all(all)).toHaveLength(20);
});
