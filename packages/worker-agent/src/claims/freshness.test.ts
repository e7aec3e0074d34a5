import { describe, expect, it } from 'vitest';
import { ClaimFreshness } from './freshness.ts';

const start = Date.parse('2026-11-20T12:00:00Z');

function claim(uid: string, renewTime: string) {
  return { metadata: { name: uid, uid }, spec: { renewTime } };
}

function at(freshness: ClaimFreshness, seconds: number, ...claims: ReturnType<typeof claim>[]) {
  const { since, nextInMs } = freshness.observe(claims, seconds * 1000, new Date(start + seconds * 1000));
  return { stale: Object.fromEntries([...since].map(([uid, date]) => [uid, date.toISOString()])), nextInMs };
}

/** Whether the claim was seen to be renewed for long enough, when it is renewed every 10 s in [from, until). */
function readsAfter(freshness: ClaimFreshness, from: number, until: number): boolean {
  let readers = new Set<string>();
  for (let seconds = from; seconds < until; seconds += 10) {
    ({ readers } = freshness.observe([claim('a', `${seconds}`)], seconds * 1000, new Date(start + seconds * 1000)));
  }
  return readers.has('a');
}

describe('a claim', () => {
  it('counts as read by whoever renews it once we saw that for ten minutes, and anew after each silence', () => {
    const freshness = new ClaimFreshness();
    expect(readsAfter(freshness, 0, 610)).toBe(false);
    expect(readsAfter(freshness, 610, 620)).toBe(true);
    // As long as the silence that makes it stale.
    expect(readsAfter(freshness, 650, 660)).toBe(false);
    expect(readsAfter(freshness, 660, 1250)).toBe(false);
    expect(readsAfter(freshness, 1250, 1260)).toBe(true);
  });

  it('that nobody renews is read by nobody, however long we look', () => {
    const freshness = new ClaimFreshness();
    for (const seconds of [0, 30, 3600]) {
      expect(freshness.observe([claim('a', '1')], seconds * 1000, new Date(start)).readers).toEqual(new Set());
    }
  });

  it('is fresh when first seen, however old its own time is', () => {
    expect(at(new ClaimFreshness(), 0, claim('a', '1999-01-01T00:00:00Z'))).toEqual({ stale: {}, nextInMs: 40_000 });
  });

  it('is stale 40 s after the last renewal that was seen, and fresh again when renewed', () => {
    const freshness = new ClaimFreshness();
    at(freshness, 0, claim('a', '1'));
    at(freshness, 10, claim('a', '2'));
    expect(at(freshness, 49, claim('a', '2'))).toEqual({ stale: {}, nextInMs: 1000 });
    expect(at(freshness, 50, claim('a', '2')).stale).toEqual({ a: '2026-11-20T12:00:10.000Z' });
    expect(at(freshness, 60, claim('a', '3')).stale).toEqual({});
  });

  it('is forgotten when it is gone', () => {
    const freshness = new ClaimFreshness();
    at(freshness, 0, claim('a', '1'));
    at(freshness, 10);
    expect(at(freshness, 100, claim('a', '1'))).toEqual({ stale: {}, nextInMs: 40_000 });
  });
});
