/** scripts/kubeconfig.sh as the tutorial calls it, against the worker cluster: what it writes, and what it refuses. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run, type RunResult } from './clusters/local/run.ts';
import { binFolder, checkout } from './clusters/paths.ts';
import { ServiceAccounts } from '@kubeocean/shared/kube';
import { cleanup, client, kubeconfigOf, kubectl, uniqueName, waitFor } from './harness/index.ts';

const account = 'borrower';
/** The Secret of an account, into which Kubernetes puts the token. */
const tokenSecret = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/service-account-token',
  metadata: { name, namespace, annotations: { 'kubernetes.io/service-account.name': name } },
});
const namespace = uniqueName('kubeconfig');
const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-test-'));
const file = join(folder, 'out');

beforeAll(async () => {
  cleanup(() => rmSync(folder, { recursive: true }));
  await kubectl('worker-1', ['create', 'namespace', namespace]);
  cleanup(() => kubectl('worker-1', ['delete', 'namespace', namespace, '--wait=false']));
  await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', account]);
  await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', 'bare']);
  await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', 'opaque']);
  await kubectl('worker-1', ['-n', namespace, 'create', 'secret', 'generic', 'opaque']);
  await kubectl('worker-1', ['create', '-f', '-'], { input: JSON.stringify(tokenSecret(account)) });
});

function script(args: string[], kubeconfig = kubeconfigOf('worker-1')): Promise<RunResult> {
  const env = { ...process.env, KUBECONFIG: kubeconfig, PATH: `${binFolder()}:${process.env['PATH']}` };
  return run(['bash', join(checkout, 'hack/kubeconfig.sh'), ...args], { env, anyExit: true });
}

describe('hack/kubeconfig.sh', () => {
  it('writes a kubeconfig that only its owner may read and that is who it says', async () => {
    const { status, stdout, stderr } = await script([account, namespace, file]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`wrote ${file} for ${namespace}/${account}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['out']);
    const who = await kubectl(file as `/${string}`, ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}']);
    expect(who.stdout).toBe(`system:serviceaccount:${namespace}:${account}`);
    const view = await kubectl(file as `/${string}`, ['config', 'view', '--minify', '-o', 'jsonpath={..namespace}']);
    expect(view.stdout).toBe(namespace);
  });

  it('replaces a file that is there', async () => {
    writeFileSync(file, 'old', { mode: 0o644 });
    expect((await script([account, namespace, file])).status).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each<[string, string[], number, RegExp]>([
    [
      'missing arguments',
      [account, namespace],
      2,
      /three arguments are needed, 2 given[^]*usage: bash hack\/kubeconfig\.sh/,
    ],
    ['an empty argument', ['', namespace, file], 2, /usage:/],
    [
      'an unknown ServiceAccount',
      ['nobody', namespace, file],
      1,
      /ServiceAccount nobody not found in the namespace .* of https:.*install charts\/kubeocean-worker/,
    ],
    ['an unknown namespace', [account, 'nowhere', file], 1, /not found in the namespace nowhere/],
    [
      'an account without Secret',
      ['bare', namespace, file],
      1,
      /Secret .*\/bare not found; it must be of the type kubernetes\.io\/service-account-token/,
    ],
    ['a Secret of another type', ['opaque', namespace, file], 1, /Secret .*\/opaque is of the type Opaque/],
    [
      'a directory that does not exist',
      [account, namespace, '/nonexistent/file'],
      1,
      /the directory \/nonexistent does not exist/,
    ],
    ['a directory for a file', [account, namespace, folder], 1, /is a directory; name a file in it/],
  ])('refuses %s', async (_, args, code, message) => {
    const { status, stderr } = await script(args);
    expect(stderr).toMatch(message);
    expect(status).toBe(code);
  });

  it('gives another token, and the old one is void, once account and Secret were made anew as docs/security.md says', async () => {
    const [rotated, old, renewed] = ['rotated', join(folder, 'old'), join(folder, 'renewed')] as const;
    const make = async () => {
      await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', rotated]);
      await kubectl('worker-1', ['create', '-f', '-'], { input: JSON.stringify(tokenSecret(rotated)) });
    };
    const isKnown = async (path: string) =>
      (await kubectl(path as `/${string}`, ['auth', 'whoami'], { anyExit: true })).status === 0;
    await make();
    expect((await script([rotated, namespace, old])).status).toBe(0);
    expect(await isKnown(old)).toBe(true);
    const said = readFileSync(join(checkout, 'docs/security.md'), 'utf8');
    const [, kinds = ''] = /kubectl -n kubeocean-worker delete (\S+) kubeocean-syncer/.exec(said) ?? [];
    await kubectl('worker-1', ['-n', namespace, 'delete', kinds, rotated]);
    await make();
    expect((await script([rotated, namespace, renewed])).status).toBe(0);
    expect(await isKnown(renewed)).toBe(true);
    // An API server remembers for ten seconds whose a token is.
    await waitFor('the old token refused', async () => !(await isKnown(old)), { timeoutMs: 30_000, everyMs: 1000 });
    rmSync(old);
    rmSync(renewed);
  }, 60_000);

  it('says so when kubectl has no cluster', async () => {
    const { status, stderr } = await script([account, namespace, file], '/dev/null');
    expect(stderr).toMatch(/kubectl has no current context; set KUBECONFIG, or run: kubectl config use-context/);
    expect(status).toBe(1);
  });

  it('warns of a server on this machine only, and shows why the cluster does not answer', async () => {
    const server = 'https://127.0.0.1:1';
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      users: [{ name: 'u', user: { token: 'x' } }],
    };
    const clusters = [{ name: 'c', cluster: { server } }];
    const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u' } }];
    const loopback = join(folder, 'loopback');
    writeFileSync(loopback, JSON.stringify({ ...config, clusters, contexts }));
    const { status, stderr } = await script([account, namespace, file], loopback);
    expect(stderr).toMatch(
      /warning: the server is https:\/\/127\.0\.0\.1:1; pods of the computing cluster cannot reach 127\.0\.0\.1/,
    );
    expect(stderr).toMatch(/cannot read ServiceAccount .*refused/s);
    expect(status).toBe(1);
  });

  it('gives a token that the chart limits to one Role', async () => {
    const known = await client('worker-1').list(ServiceAccounts, { namespace: 'kubeocean-worker' });
    expect(known.items.map(({ metadata }) => metadata.name)).toContain('kubeocean-syncer');
    const chartFile = join(folder, 'syncer') as `/${string}`;
    expect((await script(['kubeocean-syncer', 'kubeocean-worker', chartFile])).status).toBe(0);
    const can = async (...question: string[]): Promise<string> =>
      (await kubectl(chartFile, ['auth', 'can-i', ...question], { anyExit: true })).stdout.trim();
    expect(await can('create', 'pods')).toBe('yes');
    expect(await can('get', 'namespaces/kubeocean-worker')).toBe('yes');
    expect(await can('create', 'serviceaccounts/kubeocean-syncer', '--subresource=token')).toBe('yes');
    expect(await can('create', 'serviceaccounts/default', '--subresource=token')).toBe('no');
    expect(await can('create', 'pods', '-n', 'default')).toBe('no');
    expect(await can('list', 'nodes')).toBe('no');
    expect(await can('list', 'secrets', '-A')).toBe('no');
    expect(await can('patch', 'leasednodes')).toBe('no');
  });
});
