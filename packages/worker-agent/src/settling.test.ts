import { expect, it } from 'vitest';
import { Settling } from './settling.ts';

it('settles what every look saw, and begins anew after a break', () => {
  const settling = new Settling(1000);
  expect(settling.observe(['a'], 0)).toEqual({ settled: new Set(), nextInMs: 1000 });
  expect(settling.observe(['a', 'b'], 400)).toEqual({ settled: new Set(), nextInMs: 600 });
  expect(settling.observe(['a', 'b'], 1000)).toEqual({ settled: new Set(['a']), nextInMs: 400 });
  expect(settling.observe(['b'], 1400)).toEqual({ settled: new Set(['b']), nextInMs: undefined });
  expect(settling.observe(['a'], 1500)).toEqual({ settled: new Set(), nextInMs: 1000 });
});
