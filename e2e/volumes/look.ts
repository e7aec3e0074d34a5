/** What tests of volumes look at and wait for: pods, claims and volumes of a rig, on either side. */
import { workerClaimName, workerName } from '@kubeocean/shared/api';
import { Events, type KubeObject, Nodes, Pods, type Resource } from '@kubeocean/shared/kube';
import type { Claim, Volume } from '../../packages/syncer/src/volumes/types.ts';
import { Claims, Volumes } from '../../packages/syncer/src/volumes/types.ts';
import { isReady, kubectl, type RunningProcess, waitFor } from '../harness/index.ts';
import { home, type HomePod, type Rig, worker } from './rig.ts';

/** What a failed test needs to be understood. */
export async function showWhy(rig: Rig, syncer: RunningProcess): Promise<void> {
  console.log(`the syncer's last words:\n${syncer.tail(15)}`);
  for (const cluster of ['computing', 'worker-1'] as const) {
    const { stdout } = await kubectl(cluster, ['-n', rig.name, 'get', 'pods,pvc,events', '-o', 'wide'], {
      anyExit: true,
    });
    console.log(`in ${cluster}:\n${stdout}`);
  }
}

export async function vnodesReady(rig: Rig, syncer: RunningProcess): Promise<void> {
  for (const vnode of rig.vnodes) {
    await waitFor(`${vnode} ready`, async () => isReady(await home.get<HomePod>(Nodes, '', vnode)), {
      timeoutMs: 120_000,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${syncer.tail()}`, { cause: error });
    });
  }
}

export const getPod = (rig: Rig, name: string) => home.get<HomePod>(Pods, rig.name, name);
export const getWorkerPod = (rig: Rig, name: string) =>
  worker.get<HomePod>(Pods, rig.name, workerName(rig.bindingUID, rig.name, name));
export const getClaim = (rig: Rig, name: string) => home.get<Claim>(Claims, rig.name, name);

export function workerClaimNameOf({ metadata: { namespace = '', name, uid = '' } }: Claim): string {
  return workerClaimName(namespace, name, uid);
}

export const getWorkerClaim = (rig: Rig, claim: Claim) => worker.get<Claim>(Claims, rig.name, workerClaimNameOf(claim));

export async function volumeOf(rig: Rig, claim: string): Promise<Volume> {
  const { spec } = await getClaim(rig, claim);
  if (!spec.volumeName) throw new Error(`the claim ${claim} has no volume yet`);
  return home.get<Volume>(Volumes, '', spec.volumeName);
}

/** Waits until the pod is Running and ready. */
export function running(rig: Rig, name: string): Promise<HomePod> {
  return waitFor(
    `${name} ready`,
    async () => {
      const pod = await getPod(rig, name);
      if (isReady(pod)) return pod;
      throw new Error(JSON.stringify(pod.status));
    },
    { timeoutMs: 90_000, everyMs: 200 },
  );
}

/** What the pod's container has written, once `marker` is in it. */
export function logOf(rig: Rig, name: string, marker: string): Promise<string> {
  return waitFor(`${marker} in the log of ${name}`, async () => {
    const args = ['-n', rig.name, 'logs', workerName(rig.bindingUID, rig.name, name)];
    const { stdout, stderr } = await kubectl('worker-1', args, { anyExit: true });
    if (stdout.includes(marker)) return stdout;
    throw new Error(stdout + stderr);
  });
}

/** Message of a warning on an object of home, once one has `words` in it. */
export function warned(rig: Rig, kind: string, name: string, words: string): Promise<string> {
  return waitFor(
    `warning on ${kind} ${name} with "${words}"`,
    async () => {
      const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name},type=Warning`;
      const { items } = await home.list<KubeObject & { message: string }>(Events, {
        namespace: rig.name,
        fieldSelector,
      });
      const messages = items.map(({ message }) => message);
      const found = messages.find((message) => message.includes(words));
      if (found) return found;
      throw new Error(messages.join('\n') || 'no warnings');
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

/** What says that a volume is attached to a node. */
export const Attachments: Resource = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattachments',
  kind: 'VolumeAttachment',
  namespaced: false,
};

/** Name of the volume that it attaches. */
export function attached(attachment: KubeObject): string | undefined {
  return (attachment['spec'] as { source?: { persistentVolumeName?: string } }).source?.persistentVolumeName;
}

export const StatefulSets: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
  namespaced: true,
};
