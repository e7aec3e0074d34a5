import type { KubeObject } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { whyNotRunning } from './pods.ts';

function pod(status: object, name = 'p-1'): KubeObject {
  return { metadata: { name, namespace: 'kubeocean-system' }, status };
}
const container = (state: object, more: object = {}) => ({
  containerStatuses: [{ name: 'syncer', image: 'kubeocean/kubeocean-syncer:v9', state, ...more }],
});

it.each<[string, KubeObject[], RegExp | undefined]>([
  ['no pods', [], undefined],
  ['a pod that starts', [pod(container({ waiting: { reason: 'ContainerCreating' } }))], undefined],
  [
    'a missing image',
    [pod(container({ waiting: { reason: 'ErrImagePull' } }))],
    /image kubeocean\/kubeocean-syncer:v9 .*cannot be pulled/,
  ],
  ['the same image a second later', [pod(container({ waiting: { reason: 'ImagePullBackOff' } }))], /cannot be pulled/],
  [
    'a process that ends',
    [pod(container({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated: { exitCode: 2 } } }))],
    /exit code 2\): kubectl -n kubeocean-system logs p-1 --previous/,
  ],
  ['one that is not ready', [pod(container({ running: {} }, { ready: false }))], /runs but is not ready/],
  ['one with nothing to say', [pod(container({ running: {} }, { ready: true }))], undefined],
  [
    'one that ended long ago and is ready since',
    [pod(container({ running: {} }, { ready: true, lastState: { terminated: { exitCode: 137 } } }))],
    undefined,
  ],
  [
    'the first by name of several, so that it is the same each time, and none that goes',
    [
      pod(container({ waiting: { reason: 'CreateContainerConfigError' } }), 'p-3'),
      pod(container({ waiting: { reason: 'ErrImagePull' } }), 'p-2'),
      {
        metadata: { name: 'p-1', namespace: 'kubeocean-system', deletionTimestamp: '2026-01-01T00:00:00Z' },
        status: container({ waiting: { reason: 'ErrImagePull' } }),
      },
    ],
    /of pod p-2 cannot be pulled/,
  ],
  [
    'a mistake in its settings',
    [pod(container({ waiting: { reason: 'CreateContainerConfigError' } }))],
    /^pod p-1: CreateContainerConfigError: kubectl -n kubeocean-system describe pod p-1$/,
  ],
  [
    'no node',
    [pod({ conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] })],
    /cannot be scheduled: 0\/1 nodes/,
  ],
])('%s', (_, pods, expected) => {
  const why = whyNotRunning(pods);
  if (expected) expect(why).toMatch(expected);
  else expect(why).toBeUndefined();
});
