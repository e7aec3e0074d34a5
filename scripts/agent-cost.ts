/**
 * What the worker agent costs at rest: CPU and memory of one agent, as its image runs it, over hollow nodes that are all
 * lent and full of native pods. `npm run cluster -- up --hollow 100`, then
 * `node scripts/agent-cost.ts [--pods 5000] [--seconds 120] [--kubeconfig FILE]`.
 * The worker chart must be installed, with agent.replicas=0: another agent would speak of the same policy.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { claimName, Label, type LeasedNode, LeasedNodes, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import {
  KubeClient,
  kubeconfigFile,
  type KubeObject,
  Leases,
  Namespaces,
  Nodes,
  Pods,
  Transport,
} from '@kubeocean/shared/kube';
import { cpuSecondsOf } from '../bench/processes.ts';
import { bundle } from './bundle.ts';
import { LOCAL } from './tutorial.ts';

const ROOT = resolve(import.meta.dirname, '..');
const NAME = 'agent-cost';
const NATIVE = `${NAME}-native`;
const TIMEOUT_MS = 1_800_000;
const CREATORS = 32;
/** What is aimed at: percent of one core, and MB of resident memory. */
const TARGET = { cpuPercent: 2, memoryMB: 150 };

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string', default: `${LOCAL}/worker-1.kubeconfig` },
    pods: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '120' },
  },
  strict: true,
});

function wholeNumber(option: 'pods' | 'seconds'): number {
  const number = Number(values[option]);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${option} takes a whole number from 1, not "${values[option]}"`);
  return process.exit(2);
}

const count = wholeNumber('pods');
const seconds = wholeNumber('seconds');
const client = new KubeClient(new Transport(kubeconfigFile(values.kubeconfig, { trust: 'trusted' })));
const folder = mkdtempSync(join(tmpdir(), `${NAME}-`));

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${TIMEOUT_MS / 1000} s`);
    await after(1000);
  }
}

/** A native pod with what a pod of a real cluster has to be read through: environment, mounts, annotations. */
function nativePod(index: number, nodeName: string): KubeObject {
  const env = Array.from({ length: 20 }, (_, n) => ({
    name: `SETTING_${n}`,
    value: `value number ${n} of pod ${index}`,
  }));
  return {
    metadata: {
      namespace: NATIVE,
      name: `native-${index}`,
      labels: { app: `app-${index % 50}`, tier: 'backend' },
      annotations: { 'example.com/checksum': 'c'.repeat(64) },
    },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: ['main', 'helper'].map((name) => ({
        name,
        image: 'kubeocean.local/pause:1',
        env,
        resources: { requests: { cpu: '10m', memory: '16Mi' } },
      })),
    },
  };
}

async function createPods(nodes: readonly string[]): Promise<void> {
  let next = 0;
  async function creator(): Promise<void> {
    for (let index = next++; index < count; index = next++) {
      await client.create(Pods, nativePod(index, nodes[index % nodes.length] as string));
    }
  }
  await Promise.all(Array.from({ length: CREATORS }, creator));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function memoryMB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024) / 1e6;
}

async function writes(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^kubeocean_agent_writes_total (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

const hollow = (await client.list(Nodes, { labelSelector: 'type=kwok' })).items.map(({ metadata }) => metadata.name);
if (hollow.length === 0) {
  console.error('there are no hollow nodes (label type=kwok); make them with: npm run cluster -- up --hollow 100');
  process.exit(2);
}
const main = join((await bundle('worker-agent')) as string, 'main.js');
for (const name of [NAME, NATIVE]) await client.create(Namespaces, { metadata: { name } });
const metricsPort = await freePort();
let agent: ReturnType<typeof spawn> | undefined;
try {
  console.log(`making ${count} native pods on ${hollow.length} hollow nodes`);
  await createPods(hollow);
  await until('all pods running', async () => {
    // One page of one: 5,000 pods at once are more than a busy API server sends in time.
    const waiting = { namespace: NATIVE, fieldSelector: 'status.phase!=Running', limit: 1 };
    return (await client.list(Pods, waiting)).items.length === 0;
  });
  const labels = { [Label.claim]: 'true' };
  const claim = { namespace: NAME, name: claimName(NAME), labels };
  await client.create(Leases, { metadata: claim, spec: { holderIdentity: 'nobody', leaseDurationSeconds: 40 } });
  const operator = 'In' as const;
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator, values: ['kwok'] }] }] };
  await client.create(ResourceLeasingPolicies, { metadata: { name: NAME }, spec: { cluster: NAME, nodeSelector } });
  const tenants = [{ namespace: NAME, serviceAccount: 'none', bindings: [NAME] }];
  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
  agent = spawn(
    join(ROOT, 'node_modules/.bin/node'),
    [
      '--enable-source-maps',
      main,
      `--kubeconfig=${values.kubeconfig}`,
      `--tenants-file=${folder}/tenants.json`,
      '--leader-elect=false',
      '--log-level=error',
      `--metrics-bind-address=127.0.0.1:${metricsPort}`,
      '--health-probe-bind-address=127.0.0.1:0',
      '--stats-bind-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const pid = agent.pid as number;
  await until('all nodes lent', async () => {
    const { items } = await client.list<LeasedNode>(LeasedNodes, { namespace: NAME });
    return items.filter(({ status }) => status?.phase === 'Active').length === hollow.length;
  });
  console.log(`all lent after ${cpuSecondsOf(pid).toFixed(1)} s of CPU; waiting a minute, then ${seconds} s of rest`);
  await after(60_000);
  const before = { cpu: cpuSecondsOf(pid), at: performance.now(), writes: await writes(metricsPort) };
  await after(seconds * 1000);
  const percent = ((cpuSecondsOf(pid) - before.cpu) / (performance.now() - before.at)) * 100_000;
  const wrote = (await writes(metricsPort)) - before.writes;
  const [now, peak] = [memoryMB(pid, 'VmRSS'), memoryMB(pid, 'VmHWM')];
  console.log(
    `${hollow.length} nodes, ${count} native pods: ${percent.toFixed(2)} % of a core at rest (aim: below ${TARGET.cpuPercent} %), ` +
      `${now.toFixed(0)} MB resident, ${peak.toFixed(0)} MB at most (aim: below ${TARGET.memoryMB} MB), ${wrote} writes`,
  );
  if (percent >= TARGET.cpuPercent || peak >= TARGET.memoryMB) process.exitCode = 1;
} finally {
  agent?.kill();
  await client.delete(ResourceLeasingPolicies, '', NAME).catch(() => undefined);
  for (const name of [NAME, NATIVE]) await client.delete(Namespaces, '', name);
  rmSync(folder, { recursive: true });
}
