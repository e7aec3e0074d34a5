/** Tokens while the clock of this machine is wrong, or is set. */
import { Annotation, tokenSecretName } from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { afterEach, expect, test, vi } from 'vitest';
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

// A test that fails must not leave its clock to the next.
afterEach(() => void vi.useRealTimers());

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

test('the next syncer reads a time of renewal that is right, also when the clock was set back since this one began', async () => {
  const w = served.world();
  let set = HOUR;
  w.context.now = () => new Date(set);
  await w.tokens.ensure(home);
  set = 0;
  const later = { ...home, metadata: { ...home.metadata, uid: 'v' } };
  await w.tokens.ensure(later);
  const name = tokenSecretName(bindingUID, 'shop', 'web', 'v');
  const { annotations } = served.objects.get(`/api/v1/namespaces/mount/secrets/${name}`)?.metadata ?? {};
  expect(Date.parse(annotations?.[Annotation.tokenRenewAt] ?? '')).toBe(0.8 * HOUR);
  expect(w.tokens.willAsk(later)).toBe(false);
});

/** @param mayWriteWorker asked before tokens are renewed */
function tokensDueAt(renewAt: number, now: () => Date, mayWriteWorker = () => false) {
  const homePods = new Store<KubeObject>();
  homePods.set(home);
  const annotations = { [Annotation.tokenRenewAt]: new Date(renewAt).toISOString() };
  const latest = (name: string) => ({ metadata: { name, annotations } });
  const alone = (_: string, work: () => unknown) => work();
  const queue = (name: string) => ({ name });
  const context = { bindingUID, stores: { homePods }, now, queue, mayWriteWorker };
  return createTokens(context as unknown as SyncerContext, { latest, alone } as unknown as Written);
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
});

test('tokens made while the clock was half an hour ahead are renewed in time once that is right again', async () => {
  vi.useFakeTimers();
  let set = 0;
  const tokens = tokensDueAt(1.3 * HOUR, () => new Date(set));
  expect(tokens.willAsk(home)).toBe(true);
  set = HOUR / 2;
  expect(tokens.willAsk(home)).toBe(false);
  set = 0;
  await vi.advanceTimersByTimeAsync(0.8 * HOUR);
  expect(tokens.willAsk(home)).toBe(true);
  await tokens.stop();
});

test('tokens that ended while the machine slept are renewed when it wakes', async () => {
  vi.useFakeTimers();
  let slept = 0;
  let tries = 0;
  const tokens = tokensDueAt(
    0.8 * HOUR,
    () => new Date(slept),
    () => ++tries < 0,
  );
  tokens.follow('shop/web');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(tries).toBe(0);
  slept = 2 * HOUR;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(tries).toBeGreaterThan(0);
  await tokens.stop();
});

test('a time of renewal that is further away than any can be is of another clock: they are renewed now', async () => {
  const tokens = tokensDueAt(1.5 * HOUR, () => new Date(0));
  expect(tokens.willAsk(home)).toBe(true);
  await tokens.stop();
});
