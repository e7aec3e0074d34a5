/**
 * A binding that says to evict when its worker cannot be reached (`kubeocean.io/unreachable: evict`), with two pods that a
 * real kubelet runs, and a syncer that has been cut off from the worker.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotation, ClusterBindings, type Taint } from '@kubeocean/shared/api';
import { type Condition, type KubeObject, type Lease, Leases, Nodes } from '@kubeocean/shared/kube';
import { cleanup, kubeconfigOf } from '../harness/index.ts';
import { FOREVER, type PodRig, podRig } from '../restart/rig.ts';
import { IMPATIENT } from './rig.ts';

interface Vnode extends KubeObject {
  spec: { taints?: Taint[] };
  status: { conditions?: Condition[] };
}

export interface EvictingRig {
  readonly pods: PodRig;
  /** Name of a pod that tolerates everything. */
  readonly stays: string;
  /** UIDs of it and of its worker pod before the cut. */
  readonly homeUID: string;
  readonly workerUID: string;
  /** Name of a pod that does not tolerate a node that cannot be reached. */
  readonly goes: string;
  /** The vnode's condition Ready. */
  ready(): Promise<Condition>;
  taints(): Promise<string[]>;
  /** When the vnode's Lease was renewed last, in milliseconds. */
  renewedAt(): Promise<number>;
  /** Lets the syncer reach the worker again. */
  mend(): void;
}

/** Call it in a hook; everything is taken away after the file's last test. */
export async function cutOffForEviction(): Promise<EvictingRig> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-evicting-'));
  cleanup(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'worker');
  const good = readFileSync(kubeconfigOf('worker-1'), 'utf8');
  const mend = () => writeFileSync(file, good, { mode: 0o600 });
  mend();
  const pods = await podRig('evicting', { flags: IMPATIENT, workerKubeconfig: file });
  const { home, bindingName, vnode } = pods;
  const annotations = { [Annotation.unreachable]: 'evict' };
  await home.patch(ClusterBindings, '', bindingName, { metadata: { annotations } });

  const [stays, goes] = ['stays', 'goes'];
  const key = 'node.kubernetes.io/unreachable';
  const tolerations = [
    { operator: 'Exists', effect: 'NoSchedule' },
    { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 },
  ];
  await Promise.all([pods.create(stays, pods.spec(FOREVER)), pods.create(goes, pods.spec(FOREVER, { tolerations }))]);
  await pods.ready(goes);
  const { metadata } = await pods.ready(stays);
  const workerUID = (await pods.inWorker(stays)).metadata.uid ?? '';

  // A port where nobody listens. A connection that is open would go on, so the syncer is another one.
  writeFileSync(
    file,
    good.replace(/(server: https:\S+:)\d+/, (_, head) => `${head}7`),
  );
  await pods.kill();
  pods.start();

  const now = () => home.get<Vnode>(Nodes, '', vnode);
  return {
    pods,
    stays,
    homeUID: metadata.uid ?? '',
    workerUID,
    goes,
    mend,
    async ready() {
      const { conditions = [] } = (await now()).status;
      return conditions.find(({ type }) => type === 'Ready') as Condition;
    },
    taints: async () => ((await now()).spec.taints ?? []).map((taint) => taint.key),
    async renewedAt() {
      const { spec } = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
      return Date.parse(spec?.renewTime ?? '');
    },
  };
}
