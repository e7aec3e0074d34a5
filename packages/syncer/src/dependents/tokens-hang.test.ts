/** Tokens that home does not give, be it for a webhook that hangs. */
import { Annotation, tokenSecretName } from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createTokens } from './tokens.ts';
import type { Written } from './written.ts';

test('a namespace whose tokens home does not give keeps no other waiting for its own', async () => {
  const homePods = new Store<KubeObject>();
  const volumes = [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
  const hanging = new Set<string>();
  const looked: string[] = [];
  const written = {
    alone(name: string) {
      if (hanging.has(name)) return new Promise(() => undefined);
      looked.push(name);
      return Promise.resolve();
    },
    latest: () => ({ metadata: { annotations: { [Annotation.tokenRenewAt]: new Date(3_600_000).toISOString() } } }),
  } as unknown as Written;
  const context = { bindingUID: 'b', stores: { homePods }, now: () => new Date(0), queue: () => ({}) };
  const tokens = createTokens(context as unknown as SyncerContext, written);
  for (let n = 0; n < 120; n++) {
    const metadata = { namespace: n < 100 ? 'slow' : 'shop', name: `p${n}`, uid: `u${n}` };
    if (n < 100) hanging.add(tokenSecretName('b', metadata.namespace, metadata.name, metadata.uid));
    homePods.set({ metadata, spec: { containers: [], volumes } });
    tokens.follow(`${metadata.namespace}/${metadata.name}`);
  }
  await vi.waitFor(() => expect(looked).toHaveLength(20), { timeout: 5000 });
  vi.useFakeTimers();
  const stopping = tokens.stop();
  await vi.advanceTimersByTimeAsync(11_000);
  await stopping;
  vi.useRealTimers();
});
