/**
 * What the worker's chart asks the cluster about its tenants, by the real helm on a real API server: whether their namespaces
 * are held to Pod Security, and whether leases have ended where a tenant is taken out.
 */
import { join } from 'node:path';
import { type LeasedNode, LeasedNodes } from '@kubeocean/shared/api';
import { type KubeObject, Namespaces } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { run, type RunResult } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { programPath, startApiServer, waitFor } from './harness/index.ts';
import { becomes, mount, PlainCluster } from './worker-agent/plain.ts';

const worker = new PlainCluster();
const ENFORCE = 'pod-security.kubernetes.io/enforce';

function helm(...args: string[]): Promise<RunResult> {
  const command = [programPath('helm'), '--kubeconfig', worker.server.kubeconfig, '--namespace', mount];
  return run([...command, ...args], { anyExit: true });
}

/** `helm upgrade --install` with these tenants, into the mount namespace itself. */
function install(namespaces: string[], ...more: string[]): Promise<RunResult> {
  const tenants = namespaces.map((namespace) => ({ namespace, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }));
  const values = ['--set=agent.replicas=0', `--set-json=tenants=${JSON.stringify(tenants)}`];
  const chart = join(checkout, 'charts', 'kubeocean-worker');
  return helm('upgrade', '--install', '--create-namespace', 'kubeocean-worker', chart, ...values, ...more);
}

/** What helm prints for the user to read. */
async function notes(namespaces: string[], ...more: string[]): Promise<string> {
  const { status, stdout, stderr } = await install(namespaces, ...more);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.slice(stdout.indexOf('NOTES:'));
}

/** Runs the one command of a text that begins so. */
async function follow(text: string, beginning: string): Promise<void> {
  const [command = ''] = new RegExp(`${beginning}[^"\\n]*`).exec(text) ?? [];
  expect(command).not.toBe('');
  const [, ...args] = command.split(' ');
  await run([programPath('kubectl'), '--kubeconfig', worker.server.kubeconfig, ...args]);
}

async function levelOf(namespace: string): Promise<string | undefined> {
  return (await worker.client.get<KubeObject>(Namespaces, '', namespace)).metadata.labels?.[ENFORCE];
}

async function records(namespace: string): Promise<LeasedNode[]> {
  return (await worker.client.list<LeasedNode>(LeasedNodes, { namespace })).items;
}

beforeAll(async () => {
  worker.server = await startApiServer();
  worker.client = worker.server.client();
});

describe('a mount namespace that the release does not make', () => {
  test('is told not to be held to Pod Security, with the command that does', async () => {
    const first = await notes([mount]);
    expect(first).toContain(
      `WARNING: Pod Security does not hold lent pods in the namespace ${mount} to podSecurity: baseline`,
    );
    expect(await levelOf(mount)).toBeUndefined();
    await follow(first, 'kubectl label namespace');
    expect(await levelOf(mount)).toBe('baseline');
    expect(await notes([mount])).not.toContain('WARNING');
  });

  test('is told of when its level is laxer than asked, not when it is as strict', async () => {
    const stricter = await notes([mount], '--set=podSecurity=restricted');
    expect(stricter).toContain('podSecurity: restricted');
    await follow(stricter, 'kubectl label namespace');
    expect(await levelOf(mount)).toBe('restricted');
    expect(await notes([mount], '--set=podSecurity=restricted')).not.toContain('WARNING');
    expect(await notes([mount])).not.toContain('WARNING');
    await worker.client.patch(Namespaces, '', mount, { metadata: { labels: { [ENFORCE]: null } } });
    expect(await notes([mount], '--set=podSecurity=privileged')).not.toContain('WARNING');
  });

  test('is told of by its name, beside those that the release makes', async () => {
    await worker.client.create(Namespaces, { metadata: { name: 'earlier' } });
    const text = await notes([mount, 'made', 'earlier']);
    expect(text.match(/WARNING: .*/g)).toEqual([
      expect.stringContaining(`namespace ${mount} `),
      expect.stringContaining('namespace earlier '),
    ]);
    expect(await levelOf('made')).toBe('baseline');
  });
});

describe('a tenant that is taken out', () => {
  beforeAll(async () => {
    expect(await install([mount, 'made'])).toMatchObject({ status: 0 });
    await worker.createNode('node1');
    await worker.startAgent('agent');
    await worker.createClaim();
    await worker.createPolicy('policy');
    await becomes(() => worker.record(), { status: { phase: 'Active' } });
  });

  test('while it has leases is refused: its pods would run on past every window', async () => {
    const { status, stderr } = await install(['made']);
    expect(status).not.toBe(0);
    expect(stderr).toContain(`tenants: leases have not ended in the namespace ${mount} (LeasedNodes left: 1)`);
    expect(await install(['renamed', 'made'])).toMatchObject({ status, stderr });
    expect(await install(['made'], '--dry-run=server')).toMatchObject({ status, stderr });
    expect(await records(mount)).toHaveLength(1);
  });

  test('is no hindrance where helm sees no cluster', async () => {
    expect(await install(['made'], '--dry-run=client')).toMatchObject({ status: 0, stderr: '' });
  });

  test('goes once its leases are ended as the refusal says', async () => {
    const { stderr } = await install(['made']);
    await follow(stderr, `kubectl -n ${mount} annotate`);
    await waitFor('no records', async () => (await records(mount)).length === 0);
    expect(await install(['made'])).toMatchObject({ status: 0, stderr: '' });
  });

  test('by uninstalling and installing anew is refused too', async () => {
    const spec = { cluster: 'example', nodeName: 'node1', nodeUID: 'uid', policy: 'policy' };
    await worker.client.create(LeasedNodes, { metadata: { namespace: 'made', name: 'example.node1' }, spec });
    expect(await helm('uninstall', 'kubeocean-worker')).toMatchObject({ status: 0 });
    const { status, stderr } = await install([mount]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('leases have not ended in the namespace made (LeasedNodes left: 1)');
    expect(await install([mount, 'made'])).toMatchObject({ status: 0 });
    await worker.client.delete(LeasedNodes, 'made', 'example.node1');
    expect(await install([mount])).toMatchObject({ status: 0, stderr: '' });
  });
});
