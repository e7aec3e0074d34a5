/**
 * The recipes of docs/leasing.md as a reader follows them: YAML and commands are taken from the page, names made this
 * test's own, and what the text promises is looked for on a real cluster with a real agent. The time of day is the test's.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimName, Label, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, Leases, Nodes, Pods } from '@kubeocean/shared/kube';
import { compareQuantities, parseQuantity } from '@kubeocean/shared/lease';
import { beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { agentLooked } from './closing/look.ts';
import { checkout } from './clusters/paths.ts';
import { cleanup, client, giveKubeconfig, kubectl, rendered, uniqueName, waitFor } from './harness/index.ts';
import { Rig } from './worker-agent/rig.ts';

interface Node extends KubeObject {
  status: { allocatable: Record<string, string> };
}

const page = readFileSync(join(checkout, 'docs/leasing.md'), 'utf8');
const recipes = page.slice(page.indexOf('## Recipes'), page.indexOf('## What is lent, until when'));
const GPU = 'nvidia.com/gpu';

const rig = new Rig('worker-1');
let node: string;

/** The YAML block of the page that says `words`. */
function yamlWith(words: string): string {
  const blocks = [...recipes.matchAll(/^```\w*\n(.*?)^```/gms)].map(([, text]) => text as string);
  const found = blocks.filter((text) => text.includes(words));
  if (found.length !== 1) throw new Error(`${found.length} blocks of docs/leasing.md say "${words}"`);
  return found[0] as string;
}

/** The policy of the page under the name of the rig. */
async function apply(name: string): Promise<void> {
  const text = yamlWith(`name: ${name}`).replaceAll(name, rig.name).replaceAll('example-cluster', rig.name);
  await kubectl('worker-1', ['apply', '-f', '-'], { input: text });
}

async function remove(): Promise<void> {
  await rig.client.delete(ResourceLeasingPolicies, '', rig.name).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** Waits until the policy's status has these fields. */
async function says(expected: Record<string, unknown>): Promise<void> {
  await waitFor(
    `policy saying ${JSON.stringify(expected)}`,
    async () => {
      const { status } = await rig.policy();
      expect(status).toMatchObject(expected);
      return true;
    },
    { timeoutMs: 60_000 },
  );
}

beforeAll(async () => {
  node = (await rig.client.list(Nodes)).items.map(({ metadata }) => metadata.name).toSorted()[0] as string;
  await rig.setUp();
  rig.setClock('2026-11-20T12:00:00Z');
  await rig.startAgent();
});

describe('nights on working days, and whole weekends', () => {
  // A Friday noon until the Monday after, in Berlin an hour ahead.
  test('is closed by day, open from seven in the evening until eight on Monday, without a gap', async () => {
    onTestFailed(() => console.log(rig.agent?.tail(15)));
    rig.setClock('2026-11-20T12:00:00Z');
    await apply('nights-and-weekends');
    await says({ phase: 'Inactive', nodes: 0, reason: 'WindowClosed', opensAt: '2026-11-20T18:00:00Z' });
    rig.setClock('2026-11-20T18:00:00Z');
    await says({ phase: 'Active', closesAt: '2026-11-23T07:00:00Z' });
    await rig.becomes(node, { phase: 'Active' });
  });

  test('at eight no new pods come; what still runs at half past eight is evicted', async () => {
    onTestFailed(() => console.log(rig.agent?.tail(15)));
    await rig.createPod('works', { node }).catch(() => undefined);
    await rig.running('works');
    rig.setClock('2026-11-23T07:00:00Z');
    const { status } = await rig.becomes(node, { phase: 'Closing', reclaimStage: 'Notice' });
    expect(status?.reclaimAt).toMatch(/^2026-11-23T07:30:[0-2]\d/);
    // The clock goes on: a pod that comes and goes on a busy machine takes its time.
    rig.setClock('2026-11-23T07:28:00Z');
    await agentLooked(rig, node);
    expect((await rig.record(node)).status?.reclaimStage).toBe('Notice');
    expect((await rig.pod('works')).metadata.deletionTimestamp).toBeUndefined();
    rig.setClock('2026-11-23T07:31:00Z');
    await rig.gone('works');
    await rig.becomes(node, { reclaimStage: 'Done' });
  });

  test('taken back now, and lent again, by the commands of the page', async () => {
    onTestFailed(() => console.log(rig.agent?.tail(15)));
    rig.setClock('2026-11-21T12:00:00Z');
    await rig.becomes(node, { phase: 'Active' });
    const [command, undo] = [
      /`kubectl (annotate rlp nights-and-weekends \S+)`/.exec(recipes)?.[1],
      /lend again with\s+`(\S+)`/.exec(recipes)?.[1],
    ];
    const words = String(command).replace('nights-and-weekends', rig.name).split(' ');
    await kubectl('worker-1', [...words, '--overwrite']);
    await rig.becomes(node, { phase: 'Closing', reason: 'ReclaimedByOwner' });
    await says({ nodes: 0, reason: 'ReclaimedByOwner' });
    await kubectl('worker-1', [...words.slice(0, -1), String(undo)]);
    await rig.becomes(node, { phase: 'Active' });
    await kubectl('worker-1', ['annotate', 'node', node, String(words.at(-1)), '--overwrite']);
    cleanup(() => kubectl('worker-1', ['annotate', 'node', node, String(undo)]));
    await rig.becomes(node, { phase: 'Closing', reason: 'ReclaimedByOwner' });
    await kubectl('worker-1', ['annotate', 'node', node, String(undo)]);
    await rig.becomes(node, { phase: 'Active' });
    await remove();
  });
});

describe('a share of some nodes, always', () => {
  const native = uniqueName('native');

  async function lent(resource: string): Promise<string> {
    return (await rig.record(node)).status?.allocatable?.[resource] ?? '';
  }

  test('half of the CPU of the nodes of the pool that its own pods leave, and no GPU', async () => {
    onTestFailed(() => console.log(rig.agent?.tail(15)));
    cleanup(() => kubectl('worker-1', ['label', 'node', node, 'pool-']));
    await kubectl('worker-1', ['label', 'node', node, 'pool=batch', '--overwrite']);
    await rig.client.patch(Nodes, '', node, { status: { capacity: { [GPU]: '2' } } }, { subresource: 'status' });
    cleanup(() =>
      rig.client.patch(Nodes, '', node, { status: { capacity: { [GPU]: null } } }, { subresource: 'status' }),
    );
    await remove();
    await apply('a-share-always');
    await rig.becomes(node, { phase: 'Active' });
    await says({ phase: 'Active', nodes: 1, reason: 'NodesLent' });
    // Records and policies are written side by side.
    await waitFor('half of the CPU in the record', async () => {
      const [cpu, memory] = [await lent('cpu'), await lent('memory')].map(parseQuantity);
      const { status } = await rig.client.get<Node>(Nodes, '', node);
      const half = parseQuantity(status.allocatable['cpu'] ?? '').nanos / 2n;
      expect(cpu?.nanos).toBeGreaterThan(0n);
      expect(cpu?.nanos).toBeLessThanOrEqual(half);
      expect(compareQuantities(memory as never, parseQuantity('64Gi'))).toBeLessThanOrEqual(0);
      return true;
    });
    const has = async () => (await rig.client.get<Node>(Nodes, '', node)).status.allocatable[GPU] === '2';
    await waitFor('the GPUs of the node', has, { timeoutMs: 60_000 });
    await waitFor('none lent', async () => {
      expect(await lent(GPU)).toBe('0');
      const shown = (await rig.policy()).status?.resources?.find(({ resource }) => resource === GPU);
      expect(shown).toMatchObject({ has: '2', kept: '2', lent: '0' });
      return true;
    });
  });

  test('your own pods come first', async () => {
    onTestFailed(() => console.log(rig.agent?.tail(15)));
    const before = parseQuantity(await lent('cpu')).nanos;
    cleanup(() => rig.client.delete(Pods, 'default', native, { gracePeriodSeconds: 0 }).catch(() => undefined));
    await rig.client.create(Pods, {
      metadata: { namespace: 'default', name: native },
      spec: {
        nodeName: node,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: 'kubeocean.local/pause:1',
            imagePullPolicy: 'Never',
            resources: { requests: { cpu: '200m' } },
          },
        ],
      },
    });
    // Of what is left half is lent.
    await waitFor('100m less', async () => parseQuantity(await lent('cpu')).nanos === before - 100_000_000n);
    await rig.client.delete(Pods, 'default', native, { gracePeriodSeconds: 0 });
    await waitFor('as before', async () => parseQuantity(await lent('cpu')).nanos === before);
    await remove();
  });
});

describe('two computing clusters', () => {
  interface Tenant {
    namespace: string;
    serviceAccount: string;
    binding: string;
  }
  const folder = mkdtempSync(join(tmpdir(), 'recipes-'));

  test('each has a namespace and an account of its own, and reads nothing of the other', async () => {
    cleanup(() => rmSync(folder, { recursive: true, force: true }));
    const text = yamlWith('tenants:').replaceAll('lend-', `${rig.name}-`);
    const lines = text.matchAll(/\{namespace: (\S+), serviceAccount: (\S+), bindings: \[(\S+)\]\}/g);
    const tenants = [...lines].map(([, namespace = '', serviceAccount = '', binding = '']): Tenant => {
      return { namespace, serviceAccount, binding };
    });
    expect(tenants).toHaveLength(2);
    writeFileSync(join(folder, 'values.yaml'), text);
    const input = await rendered('kubeocean-worker', { only: ['tenants'], valuesFile: `${folder}/values.yaml` });
    cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', '-'], { input }));
    await kubectl('worker-1', ['apply', '-f', '-'], { input });
    expect(recipes).toContain('`scripts/kubeconfig.sh <serviceAccount> <namespace> <file>`');
    for (const [index, tenant] of tenants.entries()) {
      const { namespace, serviceAccount } = tenant;
      const file = await giveKubeconfig(serviceAccount, namespace, join(folder, namespace));
      const theirs = tenants[1 - index] as Tenant;
      const own = client(file);
      // New rights count a moment later.
      const pods = await waitFor('its own rights', () => own.list(Pods, { namespace: tenant.namespace }));
      expect(pods.items).toEqual([]);
      await expect(own.list(Pods, { namespace: theirs.namespace })).rejects.toMatchObject({ code: 403 });
      const name = claimName(tenant.binding);
      await own.delete(Leases, tenant.namespace, name).catch(() => undefined);
      const metadata = { namespace: tenant.namespace, name, labels: { [Label.claim]: 'true' } };
      await own.create(Leases, { metadata, spec: { holderIdentity: 'a syncer', leaseDurationSeconds: 40 } });
    }
  });
});
