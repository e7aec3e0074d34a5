/** Which generation of a home pod is shown as observed: `kubectl wait` takes no condition of an older one. */
import { ApiError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { follow } from './follow.ts';
import { createFollowMemory } from './follow-memory.ts';
import { FACTS, samplePod } from '../samples.ts';
import type { PodState } from '../state.ts';
import { homeStatus } from '../status/to-home.ts';
import { NOW, running } from '../status/to-home-fixtures.ts';
import { toWorkerPod } from '../translation/to-worker.ts';

const refused = () => Promise.reject(new ApiError(403, { message: 'no' }, 'PATCH', '/api/v1/namespaces/m/pods/w'));

/** On a vnode with 1 cpu, in a worker that refuses whatever is asked of it. */
const state = {
  context: {
    ...FACTS,
    binding: () => ({ spec: {} }),
    mayWriteWorker: () => true,
    homeEvents: { event: () => undefined },
    stores: { records: { byIndex: () => [{ status: { phase: 'Active', allocatable: { cpu: '1', pods: '9' } } }] } },
    worker: { patch: refused },
  },
  carriedPrefixes: () => [],
  dependents: { prepare: () => Promise.resolve([]) },
  network: () => Promise.resolve({}),
  services: () => [],
  room: { used: () => new Map() },
} as unknown as PodState;

const main = (cpu: string, image = 'a') => ({ name: 'main', image, resources: { requests: { cpu } } });

test.each([
  ['a debug container that is refused, as its status says', { ephemeralContainers: [{ name: 'd', image: 'd' }] }, 2],
  ['a resize that cannot be, as a condition says', { containers: [main('2')] }, 2],
  ['an image that is refused, of which the status says nothing', { containers: [main('100m', 'b')] }, 1],
])('%s', async (_, change, observed) => {
  const before = { containers: [main('100m')] };
  const worker = { ...toWorkerPod(samplePod(before), FACTS), status: { ...running, observedGeneration: 1 } };
  Object.assign(worker.metadata, { uid: 'w', generation: 1 });
  const home = samplePod({ ...before, ...change }, { generation: 2 });
  home.status = { ...running, observedGeneration: 1 };
  const { own } = await follow(state, home, worker, createFollowMemory());
  const status = homeStatus(worker, home, NOW, undefined, own);
  expect(status.observedGeneration).toBe(observed);
});
