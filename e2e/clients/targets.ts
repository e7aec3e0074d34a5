/**
 * A vnode's pod and a real kubelet's, made alike in one namespace of the computing cluster: what differs between the two
 * is the vnode, so whatever a client does must come out the same.
 */
import { type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { type RunningProcess, waitFor } from '../harness/index.ts';
import { make } from '../proxier/callers.ts';
import { makeRig, type Rig } from '../proxier/rig.ts';

/** Names of the two pods. */
export const TARGETS = ['on-vnode', 'on-kubelet'] as const;
export type Target = (typeof TARGETS)[number];

export interface Targets {
  rig: Rig;
  /** Namespace of both pods. */
  namespace: string;
  proxier: RunningProcess;
}

interface PodStatus {
  status?: { containerStatuses?: { ready: boolean }[] };
}

/** Serves one vnode from source, and makes both pods from `spec`. Resolves when all their containers run. */
export async function makeTargets(prefix: string, spec: Record<string, unknown>): Promise<Targets> {
  const rig = await makeRig(prefix, { vnodes: 1 });
  // Nobody keeps this vnode alive, so after five minutes its pods would be evicted.
  const tolerations = [{ operator: 'Exists' }];
  const common = { automountServiceAccountToken: false, terminationGracePeriodSeconds: 0, tolerations, ...spec };
  const [proxier] = await Promise.all([rig.serve(), makeBoth(rig, TARGETS, common)]);
  return { rig, namespace: rig.id, proxier };
}

async function makeBoth(rig: Rig, [onVnode, onKubelet]: readonly string[], spec: Record<string, unknown>) {
  const [vnode, kubelet] = [onVnode as string, onKubelet as string];
  await rig.makePod(vnode, { spec });
  await make(rig.home, Pods, {
    metadata: { namespace: rig.id, name: kubelet },
    spec: { ...spec, nodeName: await realNode(rig) },
  });
  await rig.running(vnode);
  await waitFor(
    `pod ${kubelet} to run`,
    async () => {
      const { status } = await rig.home.get<KubeObject & PodStatus>(Pods, rig.id, kubelet);
      return status?.containerStatuses?.every(({ ready }) => ready);
    },
    { timeoutMs: 90_000 },
  );
}

/** A node of the computing cluster with a kubelet of its own. */
async function realNode({ home }: Rig): Promise<string> {
  const { items } = await home.list(Nodes);
  const real = items.find(({ metadata }) => !metadata.labels?.['type']);
  if (!real) throw new Error('the computing cluster has no node with a real kubelet');
  return real.metadata.name;
}

/** Runs the same on both pods at the same time. */
export async function onBoth<T>(act: (target: Target) => Promise<T>): Promise<Record<Target, T>> {
  const results = await Promise.all(TARGETS.map(async (target) => [target, await act(target)] as const));
  return Object.fromEntries(results) as Record<Target, T>;
}

const IMAGE = { image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent' };

/** A container of the image that every node has. */
export function container(name: string, script: string, more: object = {}): object {
  return { name, ...IMAGE, command: ['sh', '-c', script], ...more };
}
