import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { findClaim, lockSet, releaseClaim, takeClaim } from './claim.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claim-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const always = (): boolean => true;

describe('takeClaim', () => {
  it('gives every state folder an index of its own, and the same again', () => {
    expect(takeClaim('/a', always, folder).index).toBe(0);
    expect(takeClaim('/b', always, folder).index).toBe(1);
    expect(takeClaim('/a', always, folder).index).toBe(0);
    expect(findClaim('/b', folder)).toEqual({ index: 1, root: '/b' });
    expect(findClaim('/c', folder)).toBeUndefined();
  });

  it('passes over indexes whose addresses are in use', () => {
    expect(takeClaim('/a', (index) => index > 2, folder).index).toBe(3);
  });

  it('gives a released index to the next', () => {
    releaseClaim(takeClaim('/a', always, folder), folder);
    expect(takeClaim('/b', always, folder).index).toBe(0);
  });

  it('says what to do when all are taken', () => {
    for (let i = 0; i < 16; i++) takeClaim(`/${i}`, always, folder);
    expect(() => takeClaim('/more', always, folder)).toThrow(/all 16 address ranges are taken: end a set/);
  });

  it('names a claim that cannot be read instead of taking it', () => {
    writeFileSync(join(folder, '0.json'), '{');
    expect(() => takeClaim('/a', always, folder)).toThrow(/0\.json cannot be read/);
  });
});

describe('lockSet', () => {
  const claim = { index: 3, root: '/a' };

  it('keeps a second command off until the first is done', () => {
    const unlock = lockSet(claim, folder);
    expect(() => lockSet(claim, folder)).toThrow(`process ${process.pid} is working on this set of clusters (/a)`);
    unlock();
    lockSet(claim, folder)();
    expect(existsSync(join(folder, '3.lock'))).toBe(false);
  });

  it.each(['999999999 1\n', `${process.pid} 1\n`, ''])('takes over a lock left by a killed run: %j', (text) => {
    writeFileSync(join(folder, '3.lock'), text);
    lockSet(claim, folder)();
  });
});
