/**
 * How long it takes from "take back now" until the last lent pod is gone, without a computing cluster to help, and whether
 * a disruption budget is breached before the deadline: an agent from source, pods made by hand.
 * `node scripts/reclaim-time.ts [--kubeconfig FILE] [--pods 1,50,500]`. The worker chart must be installed there, with
 * agent.replicas=0. For 500 pods: `npm run cluster -- up --hollow 8`.
 */
import { setTimeout as after } from 'node:timers/promises';
import { Annotation, Label, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { type KubeObject, Nodes, Pods, type Resource } from '@kubeocean/shared/kube';
import { readOptionsOrExit } from './agent/options.ts';
import { AgentRig, each, until, WORKER_KUBECONFIG } from './agent/rig.ts';

const NAME = 'reclaim-time';
/** The budget's measurement: so many pods, of which so many may not go before the deadline, in seconds. */
const BUDGET = { pods: 20, kept: 10, deadlineSeconds: 30 } as const;
/** A claim that nobody renews counts as silent after that; then the agent does not wait for the computing cluster. */
const SILENT_MS = 45_000;

interface LentPod extends KubeObject {
  status: { phase: string };
}
interface Budget extends KubeObject {
  status?: { currentHealthy?: number };
}
const Budgets: Resource = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

const options = readOptionsOrExit({ kubeconfig: WORKER_KUBECONFIG, pods: [1, 50] });
const rig = new AgentRig(NAME, options.kubeconfig);
const { client } = rig;

async function pods(): Promise<LentPod[]> {
  return (await client.list<LentPod>(Pods, { namespace: NAME })).items;
}

function annotate(value: 'now' | null): Promise<KubeObject> {
  return client.patch(ResourceLeasingPolicies, '', NAME, {
    metadata: { annotations: { [Annotation.reclaim]: value } },
  });
}

/** Lent pods that run, spread over the nodes, once these are lent. */
async function createPods(count: number, nodes: readonly string[]): Promise<void> {
  await until('the lease', async () => {
    return (await rig.records()).filter(({ status }) => status?.phase === 'Active').length === nodes.length;
  });
  await each(count, (index) => createPod(`pod-${index}`, nodes[index % nodes.length] as string));
  await until('all pods running', async () => (await pods()).every(({ status }) => status.phase === 'Running'), 500);
}

async function createPod(name: string, nodeName: string): Promise<void> {
  await client.create(Pods, {
    metadata: {
      namespace: NAME,
      name,
      labels: { [Label.clusterBinding]: NAME, [Label.managedBy]: 'kubeocean', app: NAME },
    },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'kubeocean.local/pause:1', imagePullPolicy: 'Never' }],
    },
  });
}

async function measure(count: number, nodes: readonly string[]): Promise<void> {
  await createPods(count, nodes);
  const started = performance.now();
  await annotate('now');
  await until('all pods told to go', async () => (await pods()).every(({ metadata }) => metadata.deletionTimestamp));
  const told = performance.now() - started;
  await until('all pods gone', async () => (await pods()).length === 0);
  const gone = performance.now() - started;
  console.log(
    `${count} pods on ${nodes.length} nodes: all evicted ${(told / 1000).toFixed(1)} s, all gone ${(gone / 1000).toFixed(1)} s after the word`,
  );
  await annotate(null);
}

/** How many pods were let go that a budget kept, before the deadline. */
async function measureBudget(nodes: readonly string[]): Promise<void> {
  await createPods(BUDGET.pods, nodes);
  const spec = { minAvailable: BUDGET.kept, selector: { matchLabels: { app: NAME } } };
  await client.create(Budgets, { metadata: { namespace: NAME, name: NAME }, spec });
  await until('the budget', async () => {
    const budget = await client.get<Budget>(Budgets, NAME, NAME);
    return budget.status?.currentHealthy === BUDGET.pods;
  });
  const started = performance.now();
  await annotate('now');
  let fewest: number = BUDGET.pods;
  let deadline: number | undefined;
  await until('the deadline', async () => {
    const left = (await pods()).filter(({ metadata }) => !metadata.deletionTimestamp).length;
    // What was read after the deadline may be the deadline's work.
    if (deadline === undefined || Date.now() < deadline) fewest = Math.min(fewest, left);
    const text = (await rig.records()).find(({ status }) => status?.reclaimDeadline)?.status?.reclaimDeadline;
    deadline ??= text === undefined ? undefined : Date.parse(text);
    return deadline !== undefined && Date.now() >= deadline;
  });
  await until('all pods gone', async () => (await pods()).length === 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const breaches = Math.max(0, BUDGET.kept - fewest);
  console.log(
    `a budget that keeps ${BUDGET.kept} of ${BUDGET.pods} pods, deadline after ${BUDGET.deadlineSeconds} s: breaches before it ${breaches}, fewest pods left then ${fewest}, all gone ${seconds} s after the word`,
  );
  if (breaches > 0) process.exitCode = 1;
}

async function startAgent(...flags: string[]): Promise<void> {
  await rig.startAgent({ flags });
  await after(SILENT_MS);
}

const nodes = (await client.list(Nodes)).items.map(({ metadata }) => metadata.name);
try {
  await rig.makeNamespace();
  await rig.makePolicy();
  console.log(`waiting until the claim, which nobody renews, counts as silent: ${SILENT_MS / 1000} s`);
  await startAgent();
  for (const count of options.pods) await measure(count, nodes);
  await startAgent(`--reclaim-deadline=${BUDGET.deadlineSeconds}`);
  await measureBudget(nodes);
} finally {
  await rig.clear();
}
