import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { untilSlot } from './leases.ts';

const TURN = 10_000;

describe('the next renewal of a vnode', () => {
  it('is at its own moment of the turn, at most half a second more than a turn away', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0, max: 1e9, noNaN: true }), (vnode, now) => {
        const wait = untilSlot(vnode, now, TURN);
        expect(wait).toBeGreaterThanOrEqual(500);
        expect(wait).toBeLessThanOrEqual(TURN + 500);
        // A renewal that took a while does not shift the ones after it.
        const again = untilSlot(vnode, now + wait + 300, TURN);
        expect(again).toBeCloseTo(TURN - 300, 3);
      }),
    );
  });

  it('is not at once when a timer was early', () => {
    const moment = untilSlot('vnode-a-b', 0, TURN);
    expect(untilSlot('vnode-a-b', moment - 1, TURN)).toBeCloseTo(TURN + 1, 6);
  });

  it('of many vnodes comes in ten groups of like size', () => {
    const groups = new Map<number, number>();
    for (let n = 0; n < 1000; n++) {
      const wait = Math.round(untilSlot(`vnode-cluster-node-${n}`, 1, TURN));
      groups.set(wait, (groups.get(wait) ?? 0) + 1);
    }
    expect(groups.size).toBe(10);
    for (const size of groups.values()) expect(size).toBeGreaterThan(60);
  });
});
