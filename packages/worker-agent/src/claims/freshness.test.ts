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

describe('a claim', () => {
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
