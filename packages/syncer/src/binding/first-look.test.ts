import type { ClusterBinding } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { firstLook } from './first-look.ts';

test('a binding that is deleted while the computing cluster takes its time is known as it is then', async () => {
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<KubeObject>()];
  const get = () => {
    asked.resolve();
    return answer.promise;
  };
  const bindings = new Store<ClusterBinding>();
  const binding = sampleBinding();
  bindings.replace([binding]);
  const { name } = binding.metadata;
  const { signal } = new AbortController();
  const look = firstLook({ get } as unknown as KubeClient, bindings, name, {} as Logger, signal);
  await asked.promise;
  const deleted = { ...binding, metadata: { ...binding.metadata, deletionTimestamp: '2026-11-21T06:00:00Z' } };
  bindings.set(deleted);
  answer.resolve({ metadata: { name: 'kube-system', uid: 'home' } });
  expect(await look).toEqual({ binding: deleted, homeUID: 'home' });
});
