/** Tokens while the clock of this machine is wrong, or is set. */
import { Annotation, tokenSecretName } from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import type { Pod } from '../pods/types.ts';
import { bindingUID, serveClusters } from './copies-fixtures.ts';
import { createTokens } from './tokens.ts';
import type { Written } from './written.ts';

const HOUR = 3_600_000;
const home: Pod = {
  metadata: { namespace: 'shop', name: 'web', uid: 'u' },
  spec: {
    containers: [],
    volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
  },
};
const served = serveClusters();

test.each([
  ['ahead of', 2 * HOUR],
  ['behind', -2 * HOUR],
])("a clock %s home's changes nothing about how long tokens are kept", async (_, now) => {
  const w = served.world();
  w.context.now = () => new Date(now);
  w.homePods.set(home);
  await w.tokens.ensure(home);
  const secret = served.objects.get(
    `/api/v1/namespaces/mount/secrets/${tokenSecretName(bindingUID, 'shop', 'web', 'u')}`,
  );
  const keptMs = Date.parse(secret?.metadata.annotations?.[Annotation.tokenRenewAt] ?? '') - now;
  // 80 % of an hour, and what the machine took for it.
  expect(keptMs).toBeGreaterThanOrEqual(0.8 * HOUR);
  expect(keptMs).toBeLessThan(0.9 * HOUR);
});

function tokensDueAt(renewAt: number, now: () => Date) {
  const homePods = new Store<KubeObject>();
  const annotations = { [Annotation.tokenRenewAt]: new Date(renewAt).toISOString() };
  const written = { latest: (name: string) => ({ metadata: { name, annotations } }) } as unknown as Written;
  const queue = (name: string) => ({ name });
  return createTokens({ bindingUID, stores: { homePods }, now, queue } as unknown as SyncerContext, written);
}

test('tokens are renewed in time although the clock was set back', async () => {
  vi.useFakeTimers();
  let set = 0;
  const tokens = tokensDueAt(0.8 * HOUR, () => new Date(set));
  expect(tokens.willAsk(home)).toBe(false);
  set = -HOUR / 2;
  await vi.advanceTimersByTimeAsync(0.8 * HOUR);
  expect(tokens.willAsk(home)).toBe(true);
  await tokens.stop();
  vi.useRealTimers();
});

test('a time of renewal that is further away than any can be is of another clock: they are renewed now', async () => {
  const tokens = tokensDueAt(1.5 * HOUR, () => new Date(0));
  expect(tokens.willAsk(home)).toBe(true);
  await tokens.stop();
});
