/**
 * The computing cluster's share in a lease that closes: notice on the vnode, then home's own Eviction API. A real kubelet
 * runs the pods in worker-1, the syncer runs from source; the record is written by hand, in the agent's stead.
 */
import {
  Annotation,
  type ClusterBinding,
  ClusterBindings,
  Label,
  LeasedNodes,
  type LeasedNodeStatus,
  leasedNodeName,
  vnodeName,
} from '@kubeocean/shared/api';
import {
  type Condition,
  type KubeObject,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import {
  absent,
  cleanup,
  client,
  heartOf,
  kubeconfigOf,
  kubectl,
  lendByHand,
  type RunningProcess,
  startProcess,
  toldOn,
  uniqueName,
  waitFor,
} from './harness/index.ts';
import { Budgets } from './worker-agent/rig.ts';

interface Pod extends KubeObject {
  status?: { phase?: string; conditions?: Condition[] };
}

const DaemonSets: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  namespaced: true,
};

/** A syncer's start or a container's is among what is waited for, on machines that may be busy. */
const SLOW = { timeoutMs: 90_000, everyMs: 200 };

const home = client('computing');
const worker = client('worker-1');
const ns = uniqueName('closing');
const bindingName = uniqueName('closing');
const clusterID = uniqueName('c');
const closes = new Date(Math.ceil(Date.now() / 60_000) * 60_000 + 3_600_000);
const closesAt = closes.toISOString().replace('.000Z', 'Z');
const closesInSeconds = closes.getTime() / 1000;
let node: string;
let vnode: string;
let syncer: RunningProcess;

beforeAll(async () => {
  for (const cluster of [home, worker]) {
    await cluster.create(Namespaces, { metadata: { name: ns } });
    cleanup(() => cluster.delete(Namespaces, '', ns));
  }
  node = (await worker.list(Nodes)).items[0]?.metadata.name ?? '';
  vnode = vnodeName(clusterID, node);
  const spec = { clusterID, mountNamespace: ns, secretRef: { name: 'none', namespace: 'kubeocean-system' } };
  await home.create<ClusterBinding>(ClusterBindings, { metadata: { name: bindingName }, spec });
  await heartOf(worker, ns).start();
  await lendByHand(worker, ns, bindingName, node, {
    phase: 'Active',
    window: { closesAt },
    allocatable: { cpu: '2', memory: '4Gi', pods: '40' },
    node: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }] },
  });
  syncer = startProcess('syncer', [
    `--kubeconfig=${kubeconfigOf('computing')}`,
    `--worker-kubeconfig=${kubeconfigOf('worker-1')}`,
    `--cluster-binding-name=${bindingName}`,
    '--leader-elect=false',
    '--log-level=debug',
  ]);
  for (const cluster of [home, worker]) {
    await waitFor('default ServiceAccount', () => cluster.get(ServiceAccounts, ns, 'default'), SLOW);
  }
});

beforeEach(() => {
  onTestFailed(() => console.log(`the syncer's last words:\n${syncer.tail(30)}`));
});

// Before what the harness cleans up. No agent is there to close the lease, so it is cut short.
afterAll(async () => {
  const quiet = (...args: string[]) => kubectl('computing', args, { anyExit: true });
  await quiet('-n', ns, 'delete', 'daemonsets,pods', '--all', '--timeout=30s');
  await quiet('annotate', 'clusterbinding', bindingName, `${Annotation.abandon}=true`);
  const gone = await quiet('delete', 'clusterbinding', bindingName, '--timeout=30s');
  await syncer.stop();
  for (const pod of (await worker.list<Pod>(Pods, { namespace: ns })).items) {
    await worker.patch(Pods, ns, pod.metadata.name, { metadata: { finalizers: null } });
  }
  if (gone.status === 0) return;
  for (const object of [`clusterbinding/${bindingName}`, `node/${vnode}`]) {
    await quiet('patch', object, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await quiet('delete', object, '--wait=false');
  }
});

function record(): string {
  return leasedNodeName(bindingName, node);
}

async function setRecord(status: LeasedNodeStatus): Promise<void> {
  await worker.patch(LeasedNodes, ns, record(), { status }, { subresource: 'status' });
}

const FOREVER = 'trap "exit 0" TERM; sleep 1000000 & wait';

function podSpec(script: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    nodeSelector: { [Label.clusterBinding]: bindingName },
    tolerations: [{ operator: 'Exists' }],
    terminationGracePeriodSeconds: 2,
    containers: [
      { name: 'main', image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script] },
    ],
    ...more,
  };
}

async function createPod(name: string, spec: Record<string, unknown>): Promise<void> {
  await home.create<Pod>(Pods, { metadata: { name, namespace: ns, labels: { app: name } }, spec });
}

const pod = (name: string) => home.get<Pod>(Pods, ns, name);

function phase(name: string, wanted: string): Promise<Pod> {
  return waitFor(
    `${name} ${wanted}`,
    async () => {
      const now = await pod(name);
      if (now.status?.phase === wanted) return now;
      throw new Error(JSON.stringify(now.status));
    },
    SLOW,
  );
}

const gone = (name: string) => absent(name, () => pod(name), SLOW.timeoutMs);

const eventsOn = (name: string, reason: string) => toldOn(home, ns, name, reason);

/** Has the syncer look at the vnode, and at what runs on it, again and again. */
async function moreLooks(): Promise<void> {
  for (const pods of ['41', '42', '40']) {
    await setRecord({ allocatable: { cpu: '2', memory: '4Gi', pods } });
    await waitFor(`${pods} pods lent`, async () => {
      const { status } = await home.get<KubeObject & { status: { allocatable: Record<string, string> } }>(
        Nodes,
        '',
        vnode,
      );
      return status.allocatable['pods'] === pods;
    });
  }
}

test('the vnode says when its lease closes, in a form that schedulers compare', async () => {
  const shown = await waitFor('vnode', () => home.get(Nodes, '', vnode), SLOW);
  expect(shown.metadata.annotations?.[Annotation.leaseClosesAt]).toBe(closesAt);
  expect(shown.metadata.labels?.[Label.leaseCloses]).toBe(String(closesInSeconds));
  const affinity = (seconds: number) => {
    const expression = { key: Label.leaseCloses, operator: 'Gt', values: [String(seconds)] };
    const required = { nodeSelectorTerms: [{ matchExpressions: [expression] }] };
    return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } };
  };
  await createPod('loose', podSpec(FOREVER, affinity(closesInSeconds - 1)));
  await createPod('too-long', podSpec(FOREVER, affinity(closesInSeconds)));
  await phase('loose', 'Running');
  const waits = await waitFor('word of the scheduler', async () =>
    (await pod('too-long')).status?.conditions?.find(({ reason }) => reason === 'Unschedulable'),
  );
  expect(waits.message).toContain('affinity');
  await home.delete(Pods, ns, 'too-long');
});

test('a pod that may run longer than the lease is told so, once, with both times', async () => {
  await createPod('long', podSpec(FOREVER, { activeDeadlineSeconds: 7200 }));
  await createPod('short', podSpec(FOREVER, { activeDeadlineSeconds: 600 }));
  await phase('long', 'Running');
  await phase('short', 'Running');
  const [told, ...more] = await waitFor('event', async () => {
    const events = await eventsOn('long', 'LeaseClosesFirst');
    return events.length > 0 && events;
  });
  expect(told).toMatch(/until 20\d\d-.*Z, but the lease of vnode-/);
  expect(told).toContain(`closes at ${closesAt}`);
  expect(more).toEqual([]);
  await moreLooks();
  expect(await eventsOn('long', 'LeaseClosesFirst')).toEqual([told]);
  expect(await eventsOn('short', 'LeaseClosesFirst')).toEqual([]);
});

test('during the notice the vnode stops saying when it closes, and pods stay', async () => {
  await createPod('kept', podSpec(FOREVER));
  await createPod('done', podSpec('exit 0', { restartPolicy: 'Never' }));
  await home.create(Budgets, {
    metadata: { name: 'kept', namespace: ns },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'kept' } } },
  });
  const labels = { app: 'everywhere' };
  await home.create(DaemonSets, {
    metadata: { name: 'everywhere', namespace: ns },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec(FOREVER) } },
  });
  await waitFor('DaemonSet pod that is not run', async () => {
    const { items } = await home.list<Pod>(Pods, { namespace: ns, labelSelector: 'app=everywhere' });
    return items[0]?.status?.conditions?.some(({ type }) => type === 'kubeocean.io/NotRun');
  });
  await phase('kept', 'Running');
  await phase('done', 'Succeeded');
  await waitFor('budget', async () => {
    const budget = await home.get<KubeObject & { status?: { currentHealthy?: number } }>(Budgets, ns, 'kept');
    return budget.status?.currentHealthy === 1;
  });
  const reclaimAt = new Date(Date.now() - 1000).toISOString();
  await setRecord({ phase: 'Closing', reason: 'WindowClosed', reclaimAt, reclaimStage: 'Notice' });
  await waitFor('no time of closing', async () => {
    const { metadata } = await home.get(Nodes, '', vnode);
    return (
      !(Label.leaseCloses in (metadata.labels ?? {})) && !(Annotation.leaseClosesAt in (metadata.annotations ?? {}))
    );
  });
  expect((await pod('loose')).metadata.deletionTimestamp).toBeUndefined();
});

test("then home evicts on the agent's word, within its users' budgets; what does not run stays", async () => {
  // By the agent's clock, which need not be ours.
  const reclaimAt = new Date(Date.now() + 3_600_000).toISOString();
  const message = 'the window of policy by-hand closed';
  await setRecord({ reclaimAt, reclaimStage: 'Syncer', message });
  for (const name of ['loose', 'long', 'short']) await gone(name);
  const again = 'a disruption budget keeps a pod whose lease closes';
  await waitFor('a refusal and another', () => syncer.logs().filter(({ msg }) => msg === again).length >= 2);
  // However often it looks, it tells once.
  const told = await eventsOn('loose', 'LeaseClosed');
  expect(told).toHaveLength(1);
  expect(told[0]).toContain(message);
  expect((await pod('kept')).metadata.deletionTimestamp).toBeUndefined();
  expect(await eventsOn('kept', 'LeaseClosed')).toEqual([]);
  await home.delete(Budgets, ns, 'kept');
  await gone('kept');
  expect((await pod('done')).status?.phase).toBe('Succeeded');
  const { items } = await home.list<Pod>(Pods, { namespace: ns, labelSelector: 'app=everywhere' });
  expect(items.map(({ status }) => status?.phase)).toEqual(['Pending']);
  expect(items[0]?.metadata.deletionTimestamp).toBeUndefined();
  await waitFor('worker pods gone but the finished one', async () => {
    const left = await worker.list<Pod>(Pods, { namespace: ns });
    return left.items.length === 1 && left.items[0]?.metadata.annotations?.[Annotation.virtualPodName] === 'done';
  });
});
