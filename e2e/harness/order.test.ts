import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { knownDurations, LAST_RUN, longestFirst } from '../order.ts';

describe('the order of test files', () => {
  test('is the longest first, then by name; what is new comes before all', () => {
    const files = ['/x/b.test.ts', '/x/a.test.ts', '/x/new.test.ts', '/x/long.test.ts'];
    const known = { 'a.test.ts': 5, 'b.test.ts': 5, 'long.test.ts': 60 };
    expect(longestFirst(files, (file) => file, known)).toEqual([
      '/x/new.test.ts',
      '/x/long.test.ts',
      '/x/a.test.ts',
      '/x/b.test.ts',
    ]);
  });

  test('is known from the committed table where nothing has run yet', () => {
    expect(knownDurations('/nowhere')['manager.test.ts']).toBeGreaterThan(0);
  });

  test('is that of the last run where there was one; half a file of it is as good as none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeocean-order-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, LAST_RUN);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '{"manager.test.ts": 7777}');
    expect(knownDurations(folder)['manager.test.ts']).toBe(7777);
    writeFileSync(file, '{"manager.te');
    expect(knownDurations(folder)).toEqual(knownDurations('/nowhere'));
  });
});
