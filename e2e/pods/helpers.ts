/** What the tests about pods on vnodes share, beside the rig of a binding with one vnode (../restart/rig.ts). */
import { type LeasedNode, LeasedNodes, leasedNodeName } from '@kubeocean/shared/api';
import { isNotFound, type KubeClient, type KubeObject, Pods, type Resource } from '@kubeocean/shared/kube';
import { beforeEach } from 'vitest';
import { afterTest, kubectl, uniqueName, waitFor } from '../harness/index.ts';
import type { PodRig } from '../restart/rig.ts';

export { conditionOf, isReady, type Pod, type PodRig, podRig } from '../restart/rig.ts';

/** Stays until it is told to end, which it does at once, and costs the machine nothing meanwhile. */
export const STAY = 'trap "exit 0" TERM INT; sleep 36000 & wait';

/** Loaded machines are slow: a wait that is too long costs nothing when things are quick. Milliseconds. */
export const LONG = { timeoutMs: 90_000, everyMs: 200 };

const workload = (group: string, plural: string, kind: string): Resource => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});
export const Jobs = workload('batch', 'jobs', 'Job');
export const CronJobs = workload('batch', 'cronjobs', 'CronJob');
export const DaemonSets = workload('apps', 'daemonsets', 'DaemonSet');
export const StatefulSets = workload('apps', 'statefulsets', 'StatefulSet');
export const DisruptionBudgets = workload('policy', 'poddisruptionbudgets', 'PodDisruptionBudget');
export const Quotas = workload('', 'resourcequotas', 'ResourceQuota');
export const LimitRanges = workload('', 'limitranges', 'LimitRange');

/** When a test fails: the syncer's last words, and both clusters' pods and events. Call it at the top of the file. */
export function explainFailures(rig: () => PodRig | undefined): void {
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      const now = rig();
      if (!now) return;
      console.log(`the syncer's last words:\n${now.syncer.tail(15)}`);
      for (const [cluster, namespace] of [
        ['computing', now.homeNamespace],
        ['worker-1', now.mountNamespace],
      ] as const) {
        const { stdout } = await kubectl(cluster, ['-n', namespace, 'get', 'pods,events', '-o', 'wide'], {
          anyExit: true,
        });
        console.log(`in ${cluster}:\n${stdout}`);
      }
    });
  });
}

/** A name of this try alone, so that a second try finds nothing of the first; its pod goes when the test is over. */
export function podName(rig: PodRig, prefix: string): string {
  const name = uniqueName(prefix);
  afterTest(() => rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 1 }).catch(ignoreGone));
  return name;
}

/** Makes it in `namespace`, and takes it away when the test is over. */
export async function made(
  cluster: KubeClient,
  resource: Resource,
  namespace: string,
  object: { metadata: { name: string } & Record<string, unknown>; [field: string]: unknown },
): Promise<KubeObject> {
  const { name } = object.metadata;
  afterTest(() => cluster.delete(resource, namespace, name, { propagationPolicy: 'Background' }).catch(ignoreGone));
  return cluster.create<KubeObject>(resource, { ...object, metadata: { ...object.metadata, namespace } });
}

export function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** What a container has written, once it matches. Asked of the worker's kubelet: no proxier runs. */
export function logsOf(rig: PodRig, name: string, matches: RegExp, container = 'main'): Promise<string> {
  return waitFor(
    `output ${String(matches)} of ${name}`,
    async () => {
      const args = ['-n', rig.mountNamespace, 'logs', rig.workerName(name), '-c', container];
      const { stdout, stderr } = await kubectl('worker-1', args, { anyExit: true });
      if (matches.test(stdout)) return stdout;
      throw new Error(`${stdout}\n${stderr}`);
    },
    LONG,
  );
}

/** Changes what the rig's one record says. */
export async function setRecord(rig: PodRig, status: LeasedNode['status']): Promise<void> {
  const name = leasedNodeName(rig.bindingName, 'node1');
  await rig.worker.patch(LeasedNodes, rig.mountNamespace, name, { status }, { subresource: 'status' });
}

/** The pod at home once it is as `is` says; the error shows its status. */
export function homePod<P extends KubeObject>(
  rig: PodRig,
  name: string,
  what: string,
  is: (pod: P) => unknown,
): Promise<P> {
  return waitFor(
    `${name} ${what}`,
    async () => {
      const pod = (await rig.atHome(name)) as unknown as P;
      if (is(pod)) return pod;
      throw new Error(JSON.stringify(pod['status']));
    },
    LONG,
  );
}
