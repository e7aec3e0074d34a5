/**
 * How long it takes from "take back now" until the last lent pod is gone, without a computing cluster to help: an agent
 * from source, pods made by hand. `node scripts/reclaim-time.ts [--kubeconfig FILE] [--pods 1,50,500]`. The worker chart
 * must be installed there, and no other agent should run: it would speak of the same policies.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  Annotation,
  claimName,
  Label,
  LeasedNodes,
  type LeasedNode,
  ResourceLeasingPolicies,
} from '@kubeocean/shared/api';
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
import { LOCAL } from './tutorial.ts';

const ROOT = resolve(import.meta.dirname, '..');
const NAME = 'reclaim-time';
const TIMEOUT_MS = 600_000;

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string', default: `${LOCAL}/worker-1.kubeconfig` },
    pods: { type: 'string', default: '1,50' },
  },
  strict: true,
});
const counts = values.pods.split(',').map(Number);
if (!counts.every((count) => Number.isInteger(count) && count > 0)) {
  console.error(`--pods takes whole numbers with commas, not "${values.pods}"`);
  process.exit(2);
}
const client = new KubeClient(new Transport(kubeconfigFile(values.kubeconfig, { trust: 'trusted' })));
const folder = mkdtempSync(join(tmpdir(), `${NAME}-`));

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${TIMEOUT_MS / 1000} s`);
    await after(100);
  }
}

async function pods(): Promise<(KubeObject & { status: { phase: string } })[]> {
  return (await client.list<KubeObject & { status: { phase: string } }>(Pods, { namespace: NAME })).items;
}

async function records(): Promise<LeasedNode[]> {
  return (await client.list<LeasedNode>(LeasedNodes, { namespace: NAME })).items;
}

function annotate(value: 'now' | null): Promise<KubeObject> {
  return client.patch(ResourceLeasingPolicies, '', NAME, {
    metadata: { annotations: { [Annotation.reclaim]: value } },
  });
}

async function createPod(name: string, nodeName: string): Promise<void> {
  await client.create(Pods, {
    metadata: { namespace: NAME, name, labels: { [Label.clusterBinding]: NAME, [Label.managedBy]: 'kubeocean' } },
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
  await until('the lease', async () => (await records()).filter(({ status }) => status?.phase === 'Active').length > 0);
  const names = Array.from({ length: count }, (_, index) => `pod-${index}`);
  await Promise.all(names.map((name, index) => createPod(name, nodes[index % nodes.length] as string)));
  await until('all pods running', async () => (await pods()).every(({ status }) => status.phase === 'Running'));
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

const nodes = (await client.list(Nodes)).items.map(({ metadata }) => metadata.name);
await client.create(Namespaces, { metadata: { name: NAME } });
const claim = {
  namespace: NAME,
  name: claimName(NAME),
  labels: { [Label.claim]: 'true', [Label.clusterBinding]: NAME },
};
await client.create(Leases, { metadata: claim, spec: { holderIdentity: 'nobody', leaseDurationSeconds: 40 } });
await client.create(ResourceLeasingPolicies, { metadata: { name: NAME }, spec: { cluster: NAME } });
writeFileSync(
  join(folder, 'tenants.json'),
  JSON.stringify([{ namespace: NAME, serviceAccount: 'none', bindings: [NAME] }]),
);
const agent = spawn(
  join(ROOT, 'node_modules/.bin/node'),
  [
    join(ROOT, 'packages/worker-agent/src/main.ts'),
    `--kubeconfig=${values.kubeconfig}`,
    `--tenants-file=${folder}/tenants.json`,
    '--leader-elect=false',
    '--log-level=error',
    '--metrics-bind-address=127.0.0.1:0',
    '--health-probe-bind-address=127.0.0.1:0',
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
try {
  console.log('waiting until the claim, which nobody renews, counts as silent: 45 s');
  await after(45_000);
  for (const count of counts) await measure(count, nodes);
} finally {
  agent.kill();
  await client.delete(ResourceLeasingPolicies, '', NAME);
  await client.delete(Namespaces, '', NAME);
  rmSync(folder, { recursive: true });
}
