/**
 * Metrics of pods on vnodes, with the product as pods and a real metrics-server: kubectl top, an autoscaler, who gets
 * what from the agent, and what is said when the agent is gone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentAudience, Namespace } from '@kubeocean/shared/api';
import { ApiError, type KubeClient, type KubeObject, Nodes } from '@kubeocean/shared/kube';
import { ScrapeError, STATS_PATHS, type StatsPath, type Summary, seriesOf } from '@kubeocean/shared/stats';
import { beforeAll, describe, expect, test } from 'vitest';
import { debianProgram } from './clusters/debian.ts';
import { bindWorker, cleanup, type ClusterName, client, kubectl, uniqueName, waitFor } from './harness/index.ts';
import {
  addressOf,
  askAgent,
  importMetricsServer,
  METRICS_SERVER,
  ok,
  startLoad,
  tokenWith,
} from './metrics/product.ts';
import { buildParsers, credentialFiles, parseExposition, startPrometheus } from './metrics/prometheus.ts';
import { askAt } from './proxier/ask.ts';
import { tokenOf } from './proxier/callers.ts';

const worker: KubeClient = client('worker-1');
const id = uniqueName('top').slice(0, 12);
const vnode = `vnode-${id}-node1`;
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-metrics-'));

/** A vnode's kubelet API through the computing API server, as an administrator. */
function ask(path: StatsPath) {
  return kubectl('computing', ['get', '--raw', `/api/v1/nodes/${vnode}/proxy/${path}`], { anyExit: true });
}

async function text(path: StatsPath): Promise<string> {
  const { stdout, stderr, status } = await ask(path);
  expect(status, stderr).toBe(0);
  return stdout;
}

async function homePod(): Promise<KubeObject['metadata']> {
  const { items } = JSON.parse(await ok('computing', ['-n', id, 'get', 'pod', '-l', 'app=busy', '-o', 'json'])) as {
    items: KubeObject[];
  };
  return items[0]?.metadata as KubeObject['metadata'];
}

function scaleAgent(replicas: number): Promise<string> {
  return ok('worker-1', ['-n', Namespace.agent, 'scale', 'deployment/kubeocean-agent', `--replicas=${replicas}`]);
}

function scaleManager(replicas: number): Promise<string> {
  return ok('computing', ['-n', Namespace.system, 'scale', 'deployment/kubeocean-manager', `--replicas=${replicas}`]);
}

beforeAll(async () => {
  const quiet = (cluster: ClusterName, ...args: string[]) => kubectl(cluster, args, { anyExit: true });
  cleanup(() => rmSync(folder, { recursive: true }));
  cleanup(() => scaleAgent(0));
  cleanup(() => scaleManager(0));
  cleanup(() => quiet('computing', 'delete', '-f', METRICS_SERVER, '--ignore-not-found', '--timeout=60s'));
  await Promise.all([
    importMetricsServer(folder).then(() => ok('computing', ['apply', '-f', METRICS_SERVER])),
    scaleAgent(1),
    scaleManager(1),
    bindWorker(id, folder),
    buildParsers(),
  ]);
  // Before the binding goes: some test takes it away.
  cleanup(() => scaleAgent(1));
  await Promise.all(
    [
      [vnode, 'busy'] as const,
      // On another vnode, so that its pods are in nobody's way while the autoscaler takes its time.
      [`vnode-${id}-node2`, 'scaled'] as const,
    ].map(async ([node, name]) => {
      const ready = ['wait', `node/${node}`, '--for=condition=Ready', '--timeout=5s'];
      await waitFor(`${node} ready`, () => ok('computing', ready), { timeoutMs: 180_000, everyMs: 1000 });
      await startLoad(id, name, node);
    }),
  );
  await ok('computing', ['-n', id, 'autoscale', 'deployment/scaled', '--cpu=50%', '--min=1', '--max=2']);
}, 1_800_000);

describe('what a vnode tells', () => {
  test('/metrics/resource: this binding’s pods by their home names, and their sum as the node', async () => {
    // A kubelet takes its figures every ten seconds or so; those of a young pod begin at zero.
    const all = await waitFor(
      'figures of the pod',
      async () => {
        const series = [...seriesOf(await text('metrics/resource'))];
        return series.some(({ metric, value }) => metric === 'pod_memory_working_set_bytes' && value !== '0') && series;
      },
      { timeoutMs: 90_000, everyMs: 1000 },
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
      { timeoutMs: 90_000, everyMs: 1000 },
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
    const address = await addressOf(client('computing'), vnode);
    const rights = [['proxy'], ['stats'], ['metrics'], []].map((names) =>
      names.map((name) => ({ resources: [`nodes/${name}`], verbs: ['get'] })),
    );
    const tokens = await Promise.all(rights.map((each) => tokenWith(id, each)));
    const codes = (token: string) =>
      Promise.all(STATS_PATHS.map(async (path) => (await askAt(address, `/${path}`, { token })).code));
    const look = async () => {
      expect(await Promise.all(tokens.map(codes))).toEqual([
        [403, 403, 403],
        [200, 403, 403],
        [403, 200, 200],
        [403, 403, 403],
      ]);
      return true;
    };
    // A right counts a moment after it was given, and the proxier remembers for 10 s that there was none.
    await waitFor('to each what they may', look, { timeoutMs: 60_000, everyMs: 1000 });
  });
});

describe('Prometheus', () => {
  test('its parsers read every line, each series once and of a type', async () => {
    const read = await Promise.all(
      (['metrics/resource', 'metrics/cadvisor'] as const).map(async (path) => parseExposition(await text(path))),
    );
    for (const { samples, untyped, doubled } of read) {
      expect(samples).toBeGreaterThan(3);
      expect(untyped).toBe(0);
      expect(doubled).toEqual([]);
    }
    expect(read[0]?.families).toMatchObject({ pod_memory_working_set_bytes: 'GAUGE' });
    expect(read[1]?.families).toMatchObject({ container_cpu_usage_seconds_total: 'COUNTER' });
    await expect(parseExposition('a{b="c} 1\n')).rejects.toThrow(/expfmt: text format parsing error/);
  });

  test('a server reads every vnode, and no other node, by the documented configuration, with the documented rights', async (context) => {
    const prometheus = await debianProgram('prometheus', 'usr/bin/prometheus');
    if (typeof prometheus !== 'string') return context.skip(prometheus.why);
    const token = await tokenWith(id, [
      { resources: ['nodes/metrics'], verbs: ['get'] },
      { resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    ]);
    const own = mkdtempSync(join(folder, 'prometheus-'));
    const files = credentialFiles(own, client('computing'), token);
    const { items } = await client('computing').list<KubeObject>(Nodes);
    const running = await startPrometheus(prometheus, own, files, ['/metrics/cadvisor', '/metrics/resource'], items);
    // A target is a node by its name; two vnodes, two paths.
    const targets = await waitFor(
      'a scrape of both paths of both vnodes',
      async () => {
        const ours = (await running.targets()).filter(({ labels }) => labels['instance']?.startsWith(`vnode-${id}`));
        if (ours.length < 4 || ours.some(({ health }) => health !== 'up')) throw new Error(JSON.stringify(ours));
        return ours;
      },
      { timeoutMs: 60_000, everyMs: 500 },
    );
    expect(targets.map(({ lastError }) => lastError)).toEqual(['', '', '', '']);
    const { name } = await homePod();
    for (const metric of ['container_cpu_usage_seconds_total', 'pod_memory_working_set_bytes']) {
      const value = async () => (await running.query(`${metric}{namespace="${id}",pod="${name}"}`))[0]?.value ?? 0;
      // A target is up a moment before its samples are there.
      await waitFor(metric, async () => (await value()) > 0);
    }
    expect(await running.query(`{namespace="${Namespace.worker}"}`)).toEqual([]);
  });
});

describe('metrics-server', () => {
  test('kubectl top pod and kubectl top node', { timeout: 240_000 }, async () => {
    await waitFor(
      'kubectl top pod',
      async () => {
        const top = await ok('computing', ['-n', id, 'top', 'pod', '-l', 'app=busy', '--no-headers']);
        expect(top).toContain((await homePod()).name);
        // Allowed 100m; the kernel's share is not exact, and on a busy machine there is less for a while.
        const [, cpu = '0', memory = '0'] = top.trim().split(/\s+/);
        expect(Number.parseInt(cpu, 10)).toBeGreaterThan(20);
        expect(Number.parseInt(cpu, 10)).toBeLessThan(200);
        expect(memory).toMatch(/^[0-9]+Mi$/);
        return true;
      },
      { timeoutMs: 120_000, everyMs: 2000 },
    );
    const nodes = await waitFor(
      'kubectl top node',
      async () => {
        const lines = (await ok('computing', ['top', 'node', '--no-headers'])).split('\n');
        return lines.find((line) => line.startsWith(`${vnode} `) && !line.includes('unknown'));
      },
      { timeoutMs: 60_000, everyMs: 2000 },
    );
    expect(nodes).toMatch(/\d+m/);
  });

  test('an autoscaler scales a Deployment on vnodes', { timeout: 240_000 }, async () => {
    const ready = ['-n', id, 'get', 'deployment', 'scaled', '-o', 'jsonpath={.status.readyReplicas}'];
    const look = async () => (await ok('computing', ready)) === '2';
    await waitFor('two pods', look, { timeoutMs: 200_000, everyMs: 1000 });
  });
});

describe('the agent', () => {
  test('gives a tenant its own pods and nothing of the node', async () => {
    const answer = await askAgent(worker, await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [AgentAudience]));
    expect(answer.code).toBe(200);
    const series = [...seriesOf(answer.text)];
    const namespaces = new Set(series.flatMap(({ labels }) => (labels.size > 0 ? [labels.get('namespace')] : [])));
    expect([...namespaces]).toEqual([Namespace.worker]);
    // Of the node itself, just whether the kubelet could tell what its pods use.
    expect(series.filter(({ labels }) => labels.size === 0)).toEqual([
      { metric: ScrapeError, labels: new Map(), value: '0' },
    ]);
  });

  test('answers nobody else', async () => {
    expect((await askAgent(worker, undefined)).code).toBe(401);
    expect((await askAgent(worker, 'made.up.token')).code).toBe(401);
    // A token for the API server, such as the kubeconfig's, is no token for the agent.
    const server = 'https://kubernetes.default.svc.cluster.local';
    expect((await askAgent(worker, await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [server]))).code).toBe(
      401,
    );
    const stranger = await askAgent(worker, await tokenOf(worker, 'default', 'default', [AgentAudience]));
    expect(stranger).toMatchObject({ code: 403, text: expect.stringContaining('none of the tenants') });
    const token = await tokenOf(worker, Namespace.worker, 'kubeocean-syncer', [AgentAudience]);
    expect(await askAgent(worker, token, 'no-such-node')).toMatchObject({
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
    const { transport } = client('computing');
    await scaleAgent(0);
    const look = async () => {
      const path = `/api/v1/nodes/${vnode}/proxy/metrics/resource`;
      // kubectl keeps the text of such an answer to itself; a connection that breaks as the agent ends says less.
      const refusal = await transport.stream({ method: 'GET', path, retry: false }).then(
        (response) => void response.destroy(),
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(ApiError);
      expect([502, 503]).toContain((refusal as ApiError).code);
      expect((refusal as ApiError).message).toMatch(/^no metrics: .*agent/);
      return true;
    };
    await waitFor('metrics refused', look, { timeoutMs: 45_000 });
    const { name } = await homePod();
    expect(await ok('computing', ['-n', id, 'logs', name])).toBe('busy\n');
    expect(await ok('computing', ['-n', id, 'exec', name, '--', 'echo', 'here'])).toBe('here\n');
    await scaleAgent(1);
    await waitFor('metrics again', async () => (await ask('metrics/resource')).status === 0, { timeoutMs: 60_000 });
  });
});
