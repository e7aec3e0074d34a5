import { expect, test } from 'vitest';
import { digits, quantile, table } from './statistics.ts';

test('quantiles are values that were measured', () => {
  expect([0, 0.5, 0.99, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([1, 2, 4, 4]);
  expect(quantile([], 0.5)).toBeNaN();
});

test.each([
  [0.01234, '0.0123'],
  [1.005, '1'],
  [99.96, '100'],
  [1234.5, '1235'],
  [0, '0'],
])('%d is shown as %s', (value, text) => {
  expect(digits(value)).toBe(text);
});

test('a table says which target was met', () => {
  const target = { text: '≥ 0.5×', met: (vnode: number, kubelet: number) => vnode >= kubelet / 2 };
  const row = { what: 'logs', unit: 'MB/s', target };
  expect(table([{ ...row, vnode: 80, kubelet: 100 }]).split('\n')[2]).toBe(
    '| logs | 80 MB/s | 100 MB/s | 0.8× | ≥ 0.5×: met |',
  );
  expect(table([{ ...row, vnode: 40, kubelet: 100 }])).toContain('| ≥ 0.5×: **missed** |');
  expect(table([{ what: 'none', unit: '', vnode: 1, kubelet: 0 }])).toContain('| – |');
});
