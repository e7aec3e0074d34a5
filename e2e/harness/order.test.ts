import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { knownDurations, LAST_RUN, longestFirst } from '../order.ts';

describe('the order of test files', () => {
  test('is the longest first, then by path; what is new comes before all', () => {
    const files = ['e2e/b.test.ts', 'e2e/a.test.ts', 'e2e/new.test.ts', 'e2e/long.test.ts'];
    const known = { 'e2e/a.test.ts': 5, 'e2e/b.test.ts': 5, 'e2e/long.test.ts': 60 };
    expect(longestFirst(files, (file) => file, known)).toEqual([
      'e2e/new.test.ts',
      'e2e/long.test.ts',
      'e2e/a.test.ts',
      'e2e/b.test.ts',
    ]);
  });

  test('of unit tests has those of which nothing is known at its end, as they are short', () => {
    const files = ['packages/x/a.test.ts', 'packages/x/z.test.ts', 'packages/y/a.test.ts'];
    expect(longestFirst(files, (file) => file, { 'packages/y/a.test.ts': 2 })).toEqual([
      'packages/y/a.test.ts',
      'packages/x/a.test.ts',
      'packages/x/z.test.ts',
    ]);
  });

  test('is known from the committed table where nothing has run yet', () => {
    expect(knownDurations('/nowhere')['e2e/manager.test.ts']).toBeGreaterThan(0);
  });

  test('is that of the last run where there was one; half a file of it is as good as none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeocean-order-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, LAST_RUN);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '{"e2e/manager.test.ts": 7777}');
    expect(knownDurations(folder)['e2e/manager.test.ts']).toBe(7777);
    writeFileSync(file, '{"e2e/manager.te');
    expect(knownDurations(folder)).toEqual(knownDurations('/nowhere'));
  });
});
