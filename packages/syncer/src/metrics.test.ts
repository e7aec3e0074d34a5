import { Registry } from '@kubeocean/shared/daemon';
import type { Logger } from '@kubeocean/shared/daemon';
import { ApiError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { createSyncerMetrics } from './metrics.ts';

/** Tries of one key that were logged as warnings, of 1,000 that failed like this. */
function logged(error: Error): number[] {
  const tries: number[] = [];
  const log = {
    debug: () => undefined,
    warn: (facts: { tries: number }) => void tries.push(facts.tries),
  } as unknown as Logger;
  const { onError } = createSyncerMetrics(new Registry(), log).queue('pods');
  for (let at = 1; at <= 1000; at++) onError?.('shop/web', error, at);
  return tries;
}

test('what fails for hours is logged ever more rarely', () => {
  expect(logged(new Error('no answer'))).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
});

test('a conflict is logged when it comes a fourth time', () => {
  const conflict = new ApiError(409, { code: 409, reason: 'Conflict' }, 'PATCH', '/');
  expect(logged(conflict).slice(0, 2)).toEqual([4, 8]);
});
