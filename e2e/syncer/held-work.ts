/**
 * Work for the worker that comes while nothing may be written there: a pod that is new on a vnode, and a change of a
 * ConfigMap that a pod has in use. A real kubelet runs the pods.
 */
import { vnodeName, workerName } from '@kubeocean/shared/api';
import { ConfigMaps, type KubeObject, Namespaces, Nodes, Pods, ServiceAccounts } from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import { cleanup, forgetBinding, isReady, lentStatus, sumOf, uniqueName, waitFor } from '../harness/index.ts';
import { FOREVER, type Pod } from '../restart/rig.ts';
import type { SyncerRig } from './rig.ts';

interface Settings extends KubeObject {
  data: { key: string };
}

export interface HeldWork {
  /** Waits until the syncer has seen new work, and done nothing of it in the worker. @returns name of the new pod */
  staysUndone(): Promise<string>;
  /** That of a new pod and of the ConfigMap there is nothing in the worker yet. */
  isUndone(pod: string): Promise<void>;
  /** Waits until the new pod runs, and the other goes on with the ConfigMap's new content. */
  isDone(pod: string): Promise<void>;
}

const NODE = 'node1';
const SLOW = { timeoutMs: 90_000, everyMs: 200 };

/** Lends a real node, and has a pod run there. Call it in a hook, with the claim held. */
export async function prepareHeldWork(rig: SyncerRig): Promise<HeldWork> {
  const { home, worker, mount, bindingName } = rig;
  const vnode = vnodeName(rig.clusterID, NODE);
  const ns = uniqueName('held');
  const { uid = '' } = (await rig.binding()).metadata;
  const counterpart = (pod: string) => workerName(uid, ns, pod);
  const copy = () => worker.get<Settings>(ConfigMaps, mount, workerName(uid, ns, 'settings', 'configmap'));
  const running = (pod: string) =>
    waitFor(`${pod} Ready`, async () => isReady(await home.get<Pod>(Pods, ns, pod)), SLOW);
  let content = 0;

  await home.create(Namespaces, { metadata: { name: ns } });
  cleanup(() => home.delete(Namespaces, '', ns));
  cleanup(async () => {
    await rig.syncer.kill();
    await forgetBinding({ binding: bindingName, vnodes: [vnode], homeNamespace: ns, mountNamespace: mount });
  });
  await rig.putRecord(NODE, lentStatus({ cpu: '2', memory: '2Gi', pods: '20' }));
  await waitFor('its vnode', () => home.get(Nodes, '', vnode), SLOW);
  await waitFor('default ServiceAccount', () => home.get(ServiceAccounts, ns, 'default'));
  await home.create(ConfigMaps, { metadata: { namespace: ns, name: 'settings' }, data: { key: '0' } });
  await create('before');
  await running('before');
  const first = await worker.get(Pods, mount, counterpart('before'));

  /** By its vnode's name: no scheduler has a say. */
  async function create(name: string): Promise<void> {
    const volumes = [{ name: 'settings', configMap: { name: 'settings' } }];
    const volumeMounts = [{ name: 'settings', mountPath: '/settings' }];
    const command = ['sh', '-c', FOREVER];
    await home.create(Pods, {
      metadata: { namespace: ns, name },
      spec: {
        nodeName: vnode,
        tolerations: [{ operator: 'Exists' }],
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        volumes,
        containers: [{ name: 'main', image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent', command, volumeMounts }],
      },
    });
  }

  const metric = (line: RegExp) => sumOf(rig.syncer, line);
  const worked = (queue: string) => metric(new RegExp(`^kubeocean_queue_work_seconds_count\\{queue="${queue}"`));
  const WRITES = /^kubeocean_api_calls_total\{(?=.*cluster="worker")(?=.*method="(POST|PUT|PATCH|DELETE)")/;

  async function isUndone(pod: string): Promise<void> {
    const names = (await worker.list(Pods, { namespace: mount })).items.map(({ metadata }) => metadata.name);
    expect(names).not.toContain(counterpart(pod));
    expect((await copy()).data.key).not.toBe(String(content));
  }

  return {
    async staysUndone() {
      const pod = uniqueName('late');
      const before = { pods: await worked('pods'), copies: await worked('dependents'), writes: await metric(WRITES) };
      // The claim's own, at least: they are counted.
      expect(before.writes).toBeGreaterThan(0);
      await home.patch(ConfigMaps, ns, 'settings', { data: { key: String(++content) } });
      await create(pod);
      await waitFor('the syncer to see both', async () => {
        expect(await worked('pods')).toBeGreaterThan(before.pods);
        expect(await worked('dependents')).toBeGreaterThan(before.copies);
        return true;
      });
      await isUndone(pod);
      expect(await metric(WRITES)).toBe(before.writes);
      return pod;
    },
    isUndone,
    async isDone(pod) {
      await running(pod);
      await waitFor('the change', async () => (await copy()).data.key === String(content), SLOW);
      const now = await worker.get(Pods, mount, counterpart('before'));
      expect(now.metadata.uid).toBe(first.metadata.uid);
      expect(now.metadata.deletionTimestamp).toBeUndefined();
    },
  };
}
