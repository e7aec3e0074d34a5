/**
 * Metrics of pods on vnodes, with the product as pods and a real metrics-server: kubectl top, an autoscaler, who gets
 * what from the agent, and what is said when the agent is gone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentAudience, AgentTokenHeader, Namespace } from '@kubeocean/shared/api';
import { ApiError, type KubeClient, type KubeObject, Nodes, ServiceAccounts } from '@kubeocean/shared/kube';
import { proxiedStatsPath, STATS_PATHS, type StatsPath, type Summary, seriesOf } from '@kubeocean/shared/stats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildImageTar, ensureProgram, importImages, stateRoot } from './clusters/index.ts';
import { run } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { type ClusterName, client, kubeconfigOf, kubectl, programPath, uniqueName, waitFor } from './harness/index.ts';

const worker: KubeClient = client('worker-1');
const id = uniqueName('top').slice(0, 12);
const vnode = `vnode-${id}-node1`;
const manifest = join(checkout, 'e2e/programs/metrics-server/manifest.yaml');
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-metrics-'));

async function ok(cluster: ClusterName, args: string[], input?: object): Promise<string> {
  return (await kubectl(cluster, args, input && { input: JSON.stringify(input) })).stdout;
}

/** A vnode's kubelet API through the computing API server, as an administrator. */
function ask(path: StatsPath) {
  return kubectl('computing', ['get', '--raw', `/api/v1/nodes/${vnode}/proxy/${path}`], { anyExit: true });
}

async function text(path: StatsPath): Promise<string> {
  const { stdout, stderr, status } = await ask(path);
  expect(status, stderr).toBe(0);
  return stdout;
}

async function importMetricsServer(): Promise<void> {
  const program = await ensureProgram('metrics-server', stateRoot(), (line) => console.log(line));
  const archive = join(folder, 'metrics-server.tar');
  const image = buildImageTar({
    name: 'kubeocean.local/metrics-server:1',
    files: [{ path: '/metrics-server', source: program }],
    entrypoint: ['/metrics-server'],
  });
  writeFileSync(archive, image);
  await importImages([archive]);
}

async function bind(): Promise<void> {
  const kubeconfig = join(folder, 'worker.kubeconfig');
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfigOf('worker-1'),
    PATH: `${join(programPath('kubectl'), '..')}:${process.env['PATH']}`,
  };
  await run(['bash', join(checkout, 'scripts/kubeconfig.sh'), 'kubeocean-syncer', Namespace.worker, kubeconfig], {
    env,
  });
  await ok('computing', [
    '-n',
    Namespace.system,
    'create',
    'secret',
    'generic',
    id,
    `--from-file=kubeconfig=${kubeconfig}`,
  ]);
  await ok('computing', ['create', 'namespace', id]);
  await ok('computing', ['create', '-f', '-'], {
    apiVersion: 'cloud.tencent.com/v1beta1',
    kind: 'ClusterBinding',
    metadata: { name: id },
    spec: {
      clusterID: id,
      mountNamespace: Namespace.worker,
      secretRef: { name: id, namespace: Namespace.system },
    },
  });
  await ok('worker-1', ['create', '-f', '-'], {
    apiVersion: 'cloud.tencent.com/v1beta1',
    kind: 'ResourceLeasingPolicy',
    metadata: { name: id },
    spec: { cluster: id, forceReclaim: false },
  });
}

/** A Deployment whose pods compute without end, within what they are allowed. */
async function startLoad(): Promise<void> {
  const labels = { app: 'busy' };
  await ok('computing', ['-n', id, 'create', '-f', '-'], {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'busy' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          nodeName: vnode,
          tolerations: [{ operator: 'Exists' }],
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'main',
              image: 'busybox:1.35',
              command: ['sh', '-c', 'echo busy; while true; do :; done'],
              resources: { requests: { cpu: '20m', memory: '8Mi' }, limits: { cpu: '100m' } },
            },
          ],
        },
      },
    },
  });
  await ok('computing', ['-n', id, 'rollout', 'status', 'deployment/busy', '--timeout=90s']);
}

async function homePod(): Promise<KubeObject['metadata']> {
  const { items } = JSON.parse(await ok('computing', ['-n', id, 'get', 'pod', '-o', 'json'])) as {
    items: KubeObject[];
  };
  return items[0]?.metadata as KubeObject['metadata'];
}

function scaleAgent(replicas: number): Promise<string> {
  return ok('worker-1', ['-n', Namespace.agent, 'scale', 'deployment/kubeocean-agent', `--replicas=${replicas}`]);
}

interface VnodeStatus extends KubeObject {
  status: { addresses: { type: string; address: string }[]; daemonEndpoints: { kubeletEndpoint: { Port: number } } };
}

async function tokenOf(on: KubeClient, namespace: string, name: string, audiences: string[]): Promise<string> {
  const answer = await on.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata: { namespace, name }, spec: { audiences, expirationSeconds: 600 } },
    { subresource: 'token' },
  );
  return answer.status.token;
}

/** Asks a vnode's port itself, as a scraper does, verifying its certificate. */
function statusOf(where: RequestOptions, token: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const { ca } = client('computing').transport.connection().agentOptions;
  const headers = { authorization: `Bearer ${token}` };
  const request = httpsRequest({ ...where, headers, agent: false, ...(ca && { ca }) }, (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  request.on('error', reject).end();
  return promise;
}

beforeAll(async () => {
  await importMetricsServer();
  await ok('computing', ['apply', '-f', manifest]);
  await scaleAgent(1);
  await ok('computing', ['-n', Namespace.system, 'scale', 'deployment/kubeocean-manager', '--replicas=1']);
  await bind();
  await waitFor(
    `${vnode} ready`,
    async () => (await ok('computing', ['wait', `node/${vnode}`, '--for=condition=Ready', '--timeout=5s'])) !== '',
    { timeoutMs: 120_000, everyMs: 1000 },
  );
  await startLoad();
}, 1_800_000);

afterAll(async () => {
  const quiet = (cluster: ClusterName, ...args: string[]) => kubectl(cluster, args, { anyExit: true });
  await scaleAgent(1);
  await quiet('computing', 'delete', 'namespace', id, '--timeout=60s');
  for (const right of ['proxy', 'stats', 'metrics']) {
    await quiet('computing', 'delete', 'clusterrole,clusterrolebinding', `${id}-${right}`);
  }
  await quiet('worker-1', 'delete', 'rlp', id);
  await quiet('computing', 'delete', 'clusterbinding', id, '--timeout=90s');
  await quiet('computing', 'delete', '-f', manifest, '--ignore-not-found', '--timeout=60s');
  await quiet('computing', '-n', Namespace.system, 'delete', 'secret', id);
  await quiet('computing', '-n', Namespace.system, 'scale', 'deployment/kubeocean-manager', '--replicas=0');
  await scaleAgent(0);
  rmSync(folder, { recursive: true });
}, 400_000);

describe('what a vnode tells', () => {
  test('/metrics/resource: this binding’s pods by their home names, and their sum as the node', async () => {
    // A kubelet takes its figures every ten seconds or so; those of a young pod begin at zero.
    const all = await waitFor(
      'figures of the pod',
      async () => {
        const series = [...seriesOf(await text('metrics/resource'))];
        return series.some(({ metric, value }) => metric === 'pod_memory_working_set_bytes' && value !== '0') && series;
      },
      { everyMs: 1000 },
    );
    const { name } = await homePod();
    const pods = new Set(
      all.flatMap(({ labels }) => (labels.has('pod') ? [`${labels.get('namespace')}/${labels.get('pod')}`] : [])),
    );
    expect([...pods]).toEqual([`${id}/${name}`]);
    const value = (metric: string) => Number(all.find((one) => one.metric === metric)?.value);
    expect(value('node_memory_working_set_bytes')).toBe(value('pod_memory_working_set_bytes'));
    expect(value('node_cpu_usage_seconds_total')).toBeGreaterThanOrEqual(value('pod_cpu_usage_seconds_total'));
    expect(value('node_memory_working_set_bytes')).toBeGreaterThan(0);
  });

  test('/metrics/cadvisor: nothing of the worker’s own names', async () => {
    const exposition = await waitFor(
      'figures of the container',
      async () => {
        const answer = await text('metrics/cadvisor');
        return answer.includes('container_cpu_usage_seconds_total{') && answer;
      },
      { everyMs: 1000 },
    );
    const { name } = await homePod();
    expect(exposition).toContain(`pod="${name}"`);
    expect(exposition).not.toContain(Namespace.worker);
    expect(exposition).not.toMatch(/^(machine|node)_/m);
  });

  test('/stats/summary: home UIDs, and the lent part as the node', async () => {
    const { node, pods } = JSON.parse(await text('stats/summary')) as Summary;
    const { name, uid } = await homePod();
    expect(pods.map(({ podRef }) => podRef)).toEqual([{ name, namespace: id, uid }]);
    expect(node).toMatchObject({ nodeName: vnode, memory: { workingSetBytes: pods[0]?.memory?.['workingSetBytes'] } });
    expect(node).not.toHaveProperty('fs');
  });

  test('to each what they may: logs, metrics and stats are three rights', async () => {
    const node = await client('computing').get<VnodeStatus>(Nodes, '', vnode);
    const host = node.status.addresses.find(({ type }) => type === 'InternalIP')?.address;
    const port = node.status.daemonEndpoints.kubeletEndpoint.Port;

    async function codes(right: string | undefined): Promise<(number | undefined)[]> {
      const account = `may-${right ?? 'nothing'}`;
      await ok('computing', ['-n', id, 'create', 'serviceaccount', account]);
      if (right) {
        const role = `${id}-${right}`;
        await ok('computing', ['create', 'clusterrole', role, '--verb=get', `--resource=nodes/${right}`]);
        await ok('computing', [
          'create',
          'clusterrolebinding',
          role,
          `--clusterrole=${role}`,
          `--serviceaccount=${id}:${account}`,
        ]);
      }
      const token = await tokenOf(client('computing'), id, account, []);
      return Promise.all(STATS_PATHS.map((path) => statusOf({ host, port, path: `/${path}` }, token)));
    }

    expect(await codes('proxy')).toEqual([403, 403, 403]);
    expect(await codes('stats')).toEqual([200, 403, 403]);
    expect(await codes('metrics')).toEqual([403, 200, 200]);
    expect(await codes(undefined)).toEqual([403, 403, 403]);
  });
});

describe('metrics-server', () => {
  test('kubectl top pod and kubectl top node', async () => {
    const { name } = await homePod();
    const top = await waitFor(
      'kubectl top pod',
      async () => {
        const { stdout, stderr } = await kubectl('computing', ['-n', id, 'top', 'pod', '--no-headers'], {
          anyExit: true,
        });
        if (!stdout.includes(name)) throw new Error(stdout + stderr);
        return stdout;
      },
      { timeoutMs: 120_000, everyMs: 2000 },
    );
    console.log(top.trim());
    // Allowed 100m; the kernel's share is not exact.
    const [, cpu = '0', memory = '0'] = top.trim().split(/\s+/);
    expect(Number.parseInt(cpu, 10)).toBeGreaterThan(20);
    expect(Number.parseInt(cpu, 10)).toBeLessThan(200);
    expect(memory).toMatch(/^[0-9]+Mi$/);
    const nodes = await waitFor(
      'kubectl top node',
      async () => {
        const { stdout } = await kubectl('computing', ['top', 'node', '--no-headers'], { anyExit: true });
        return stdout.split('\n').find((line) => line.startsWith(`${vnode} `) && !line.includes('unknown'));
      },
      { timeoutMs: 60_000, everyMs: 2000 },
    );
    console.log(nodes);
  });

  test('an autoscaler scales a Deployment on vnodes', async () => {
    await ok('computing', ['-n', id, 'autoscale', 'deployment/busy', '--cpu=50%', '--min=1', '--max=2']);
    await waitFor(
      'two pods',
      async () =>
        (await ok('computing', ['-n', id, 'get', 'deployment', 'busy', '-o', 'jsonpath={.status.readyReplicas}'])) ===
        '2',
      { timeoutMs: 110_000, everyMs: 1000 },
    );
  });
});

describe('the agent', () => {
  async function asTenant(token: string | undefined, node = 'node1'): Promise<{ code: number; text: string }> {
    const headers = { accept: '*/*', ...(token !== undefined && { [AgentTokenHeader]: token }) };
    try {
      const response = await worker.transport.stream({
        method: 'GET',
        path: proxiedStatsPath(node, 'metrics/resource'),
        headers,
      });
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
      return { code: response.statusCode ?? 0, text: body };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { code: error.code, text: error.message };
    }
  }

  test('gives a tenant its own pods and nothing of the node', async () => {
    const answer = await asTenant(await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [AgentAudience]));
    expect(answer.code).toBe(200);
    const namespaces = new Set([...seriesOf(answer.text)].map(({ labels }) => labels.get('namespace')));
    expect([...namespaces]).toEqual([Namespace.worker]);
  });

  test('answers nobody else', async () => {
    expect((await asTenant(undefined)).code).toBe(401);
    expect((await asTenant('made.up.token')).code).toBe(401);
    // A token for the API server, such as the kubeconfig's, is no token for the agent.
    const server = 'https://kubernetes.default.svc.cluster.local';
    expect((await asTenant(await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [server]))).code).toBe(401);
    const stranger = await asTenant(await tokenOf(worker, 'default', 'default', [AgentAudience]));
    expect(stranger).toMatchObject({ code: 403, text: expect.stringContaining('none of the tenants') });
    const token = await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [AgentAudience]);
    expect(await asTenant(token, 'no-such-node')).toMatchObject({
      code: 403,
      text: expect.stringContaining('is not lent to namespace kubeocean-worker'),
    });
  });

  test('a tenant reaches its port of metrics through the API server, and nothing else of its namespace', async () => {
    const can = async (...what: string[]) => {
      const as = `--as=system:serviceaccount:${Namespace.worker}:kubeocean-syncer`;
      const args = ['auth', 'can-i', '-n', Namespace.agent, as, ...what];
      return (await kubectl('worker-1', args, { anyExit: true })).stdout.trim();
    };
    expect(await can('get', 'services/https:kubeocean-agent:stats', '--subresource=proxy')).toBe('yes');
    expect(await can('create', 'services/https:kubeocean-agent:stats', '--subresource=proxy')).toBe('no');
    expect(await can('get', 'services/kubeocean-agent', '--subresource=proxy')).toBe('no');
    expect(await can('get', 'pods', '--subresource=proxy')).toBe('no');
    expect(await can('get', 'nodes', '--subresource=metrics')).toBe('no');
  });

  test('gone: metrics say so, logs and exec go on', async () => {
    await scaleAgent(0);
    const refusal = await waitFor('metrics refused', async () => {
      const { transport } = client('computing');
      const path = `/api/v1/nodes/${vnode}/proxy/metrics/resource`;
      // kubectl keeps the text of such an answer to itself.
      return transport.stream({ method: 'GET', path, retry: false }).then(
        (response) => void response.destroy(),
        (error: unknown) => error,
      );
    });
    expect(refusal).toBeInstanceOf(ApiError);
    expect([502, 503]).toContain((refusal as ApiError).code);
    expect((refusal as ApiError).message).toMatch(/^no metrics: the worker's agent does not run|^no metrics: .*agent/);
    const { name } = await homePod();
    expect(await ok('computing', ['-n', id, 'logs', name])).toBe('busy\n');
    expect(await ok('computing', ['-n', id, 'exec', name, '--', 'echo', 'here'])).toBe('here\n');
    await scaleAgent(1);
    await waitFor('metrics again', async () => (await ask('metrics/resource')).status === 0, { timeoutMs: 60_000 });
  });
});
