import { ApiError, ConnectionError, type KubeObject, Store } from '@kubeocean/shared/kube';
import { describe, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createTokens, isForNoPod } from './tokens.ts';
import type { Written } from './written.ts';

const path = '/api/v1/namespaces/shop/serviceaccounts/default/token';

describe('home gives no token because the pod is gone', () => {
  test.each([
    ['the pod is not there', 404, { kind: 'pods', name: 'web' }, path, true],
    ['another pod has its name', 409, undefined, path, true],
    ['the ServiceAccount is not there', 404, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['tokens are not ours to ask for', 403, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['something else is not there', 404, { kind: 'pods' }, '/api/v1/namespaces/worker/secrets', false],
  ])('%s', (_, code, details, at, expected) => {
    expect(isForNoPod(new ApiError(code, { code, ...(details && { details }) }, 'POST', at))).toBe(expected);
  });

  test('no answer says nothing', () => {
    expect(isForNoPod(new ConnectionError('https://home', 'ETIMEDOUT', 'no answer in time'))).toBe(false);
  });
});

test('a pod without a token is looked at once, not for ever', async () => {
  vi.useFakeTimers();
  const homePods = new Store<KubeObject>();
  homePods.set({ metadata: { namespace: 'shop', name: 'web', uid: 'u' }, spec: { containers: [] } });
  let looks = 0;
  const queue = (name: string) => ({ name, observe: () => void looks++ });
  const context = { stores: { homePods }, queue } as unknown as SyncerContext;
  const tokens = createTokens(context, {} as Written);
  tokens.follow('shop/web');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks).toBe(1);
  await tokens.stop();
  vi.useRealTimers();
});
