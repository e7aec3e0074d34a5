/**
 * What the worker agent costs at rest, and how soon it answers a native pod: one agent, as its image runs it, over hollow
 * nodes that are all lent and full of native pods. `npm run cluster -- up --hollow 100`, then
 * `node scripts/agent-cost.ts [--pods 5000] [--seconds 90] [--kubeconfig FILE] [--step all|prepare|measure|clear]`;
 * prepare makes the pods and leaves them there for measure. The worker chart must be installed, with agent.replicas=0.
 */
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { type LeasedNode, LeasedNodes, leasedNodeName } from '@kubeocean/shared/api';
import { isAlreadyExists, type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { parseQuantity } from '@kubeocean/shared/lease';
import { cpuSecondsOf } from '../bench/processes.ts';
import { readOptionsOrExit } from './agent/options.ts';
import { AgentRig, each, until, WORKER_KUBECONFIG } from './agent/rig.ts';
import { bundle } from './bundle.ts';

const NAME = 'agent-cost';
const NATIVE = `${NAME}-native`;
/** What is aimed at: percent of one core, MB of resident memory, seconds until a native pod is taken off what is lent. */
const TARGET = { cpuPercent: 2, memoryMB: 150, reactionSeconds: 2 };
/** Native pods that come and go one by one, and at once. */
const SINGLE = 20;
const BURST = 500;
const SETTLE_SECONDS = 30;

const { kubeconfig, pods, seconds, step } = readOptionsOrExit(
  { kubeconfig: WORKER_KUBECONFIG, pods: 5000, seconds: 90, step: 'all' },
  { step: ['all', 'prepare', 'measure', 'clear'] },
);
const rig = new AgentRig(NAME, kubeconfig);
const { client } = rig;

/** A native pod with what a pod of a real cluster has to be read through: environment, mounts, annotations. */
function nativePod(name: string, nodeName: string): KubeObject {
  const env = Array.from({ length: 20 }, (_, n) => ({ name: `SETTING_${n}`, value: `value number ${n} of ${name}` }));
  return {
    metadata: {
      namespace: NATIVE,
      name,
      labels: { app: `app-${name.slice(-1)}`, tier: 'backend' },
      annotations: { 'example.com/checksum': 'c'.repeat(64) },
    },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: ['main', 'helper'].map((container) => ({
        name: container,
        image: 'kubeocean.local/pause:1',
        env,
        resources: { requests: { cpu: '10m', memory: '16Mi' } },
      })),
    },
  };
}

function createPod(name: string, node: string): Promise<unknown> {
  return client.create(Pods, nativePod(name, node)).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

async function prepare(nodes: readonly string[]): Promise<void> {
  console.log(`making ${pods} native pods on ${nodes.length} hollow nodes`);
  for (const name of [NAME, NATIVE]) await rig.makeNamespace(name);
  await each(pods, (index) => createPod(`native-${index}`, nodes[index % nodes.length] as string));
  await until(
    'all pods running',
    async () => {
      // One page of one: 5,000 pods at once are more than a busy API server sends in time.
      const waiting = { namespace: NATIVE, fieldSelector: 'status.phase!=Running', limit: 1 };
      return (await client.list(Pods, waiting)).items.length === 0;
    },
    1000,
  );
}

/** Nanocores that a node lends. */
async function lentCpu(node: string): Promise<bigint> {
  const record = await client.get<LeasedNode>(LeasedNodes, NAME, leasedNodeName(NAME, node));
  return parseQuantity(record.status?.allocatable?.['cpu'] ?? '0').nanos;
}

/** Seconds from the word of the API server until the record says what is left. */
async function reaction(node: string, change: () => Promise<unknown>): Promise<number> {
  const before = await lentCpu(node);
  await change();
  const started = performance.now();
  await until(`the record of ${node}`, async () => (await lentCpu(node)) !== before, 20);
  return (performance.now() - started) / 1000;
}

async function measureReactions(nodes: readonly string[]): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < SINGLE; index++) {
    const node = nodes[index % nodes.length] as string;
    const name = `single-${index}`;
    times.push(await reaction(node, () => createPod(name, node)));
    times.push(await reaction(node, () => client.delete(Pods, NATIVE, name, { gracePeriodSeconds: 0 })));
  }
  times.sort((a, b) => a - b);
  const [median, most] = [times[Math.floor(times.length / 2)], times.at(-1)] as [number, number];
  console.log(
    `a native pod comes or goes, ${times.length} times: written after ${median.toFixed(2)} s (median), ${most.toFixed(2)} s at most (aim: below ${TARGET.reactionSeconds} s)`,
  );
  if (most >= TARGET.reactionSeconds) process.exitCode = 1;
  const node = nodes[0] as string;
  const [before, lent] = [await rig.writes(), await lentCpu(node)];
  await each(BURST, (index) => createPod(`burst-${index}`, node));
  // Each asks for two hundredths of a core.
  await until('the burst', async () => lent - (await lentCpu(node)) >= BigInt(BURST) * 20_000_000n);
  await after(2000);
  console.log(`${BURST} native pods come at once to one node: ${(await rig.writes()) - before} writes`);
  await each(BURST, (index) => client.delete(Pods, NATIVE, `burst-${index}`, { gracePeriodSeconds: 0 }));
}

async function measureRest(): Promise<void> {
  const { pid } = rig;
  console.log(
    `all lent after ${cpuSecondsOf(pid).toFixed(1)} s of CPU; waiting ${SETTLE_SECONDS} s, then ${seconds} s of rest`,
  );
  await after(SETTLE_SECONDS * 1000);
  const before = { cpu: cpuSecondsOf(pid), at: performance.now(), writes: await rig.writes() };
  await after(seconds * 1000);
  const percent = ((cpuSecondsOf(pid) - before.cpu) / (performance.now() - before.at)) * 100_000;
  const wrote = (await rig.writes()) - before.writes;
  const [now, peak] = [rig.memoryMB('VmRSS'), rig.memoryMB('VmHWM')];
  console.log(
    `${percent.toFixed(2)} % of a core at rest (aim: below ${TARGET.cpuPercent} %), ` +
      `${now.toFixed(0)} MB resident, ${peak.toFixed(0)} MB at most (aim: below ${TARGET.memoryMB} MB), ${wrote} writes`,
  );
  if (percent >= TARGET.cpuPercent || peak >= TARGET.memoryMB) process.exitCode = 1;
}

async function measure(nodes: readonly string[]): Promise<void> {
  const operator = 'In' as const;
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator, values: ['kwok'] }] }] };
  await rig.makePolicy({ nodeSelector });
  await rig.startAgent({ main: join((await bundle('worker-agent')) as string, 'main.js') });
  await until('all nodes lent', async () => {
    return (await rig.records()).filter(({ status }) => status?.phase === 'Active').length === nodes.length;
  });
  console.log(`${nodes.length} nodes, ${pods} native pods`);
  await measureRest();
  await measureReactions(nodes);
}

const hollow = (await client.list(Nodes, { labelSelector: 'type=kwok' })).items.map(({ metadata }) => metadata.name);
if (hollow.length === 0) {
  console.error('there are no hollow nodes (label type=kwok); make them with: npm run cluster -- up --hollow 100');
  process.exit(2);
}
try {
  if (step === 'all' || step === 'prepare') await prepare(hollow);
  if (step === 'all' || step === 'measure') await measure(hollow);
} finally {
  if (step !== 'prepare') await rig.clear(NATIVE);
}
