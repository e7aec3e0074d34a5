/** A vnode's metrics, with both API servers and the agent behind the worker's over real TLS on loopback. */
import type { IncomingMessage } from 'node:http';
import { Annotation, providerID, workerName } from '@kubeocean/shared/api';
import { KubeClient } from '@kubeocean/shared/kube';
import { say, TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createStats, type Stats } from './index.ts';

const binding = { name: 'b', uid: 'b-uid', clusterID: 'c', mountNamespace: 'mount' };
const vnode = 'vnode-c-n1';
const pod = workerName(binding.uid, 'shop', 'web');
const MADE = '2026-01-01T00:00:00Z';
const madeAt = Date.parse(MADE);

let home: TestServer;
let worker: TestServer;
let stats: Stats;
/** The agent's next answer. */
let answer: string;
/** How many pages of pods the worker was asked for, and whether there is always another. */
let pages: number;
/** What lists of pods were asked for at home and in the worker, the answers' form and query. */
let lists: string[];
let endless: boolean;
let workerPod: { uid: string; creationTimestamp: string } | undefined;

beforeAll(async () => {
  [home, worker] = await Promise.all([TestServer.start(), TestServer.start()]);
  home.answer = (request, response) => {
    note('home', request);
    const node = { metadata: { name: vnode }, spec: { providerID: providerID('c', 'n1') } };
    const pods = { items: [{ metadata: { name: 'web', namespace: 'shop', uid: 'home-uid' }, spec: {} }], metadata: {} };
    say(request.url?.includes('/nodes/') ? node : pods)(request, response);
  };
  worker.answer = (request, response) => {
    note('worker', request);
    const url = request.url ?? '';
    if (url.includes('/proxy/v1/nodes/n1/')) return void response.end(answer);
    const annotations = { [Annotation.virtualPodUID]: 'home-uid' };
    if (url.includes('/token')) return say({ status: { token: 't' } })(request, response);
    if (url.includes('/selfsubjectreviews')) {
      return say({ status: { userInfo: { username: 'system:serviceaccount:mount:s' } } })(request, response);
    }
    const items = workerPod ? [{ metadata: { name: pod, ...workerPod, annotations } }] : [];
    pages++;
    say({ items, metadata: endless ? { continue: `page-${pages}` } : {} })(request, response);
  };
});
beforeEach(() => {
  [pages, endless, lists] = [0, false, []];
  workerPod = { uid: 'worker-uid', creationTimestamp: MADE };
  const clusters = { home: new KubeClient(home.transport()), worker: new KubeClient(worker.transport()), binding };
  stats = createStats(clusters, () => new Date(madeAt));
});
afterAll(() => {
  for (const server of [home, worker]) {
    server.reset();
    server.stop();
  }
});

function note(cluster: string, { url = '', headers }: IncomingMessage): void {
  const { pathname, searchParams } = new URL(url, 'https://server');
  if (!pathname.endsWith('/pods')) return;
  const [form] = /PartialObjectMetadataList/.exec(headers.accept ?? '') ?? ['whole'];
  lists.push(
    `${cluster} ${form} ${searchParams.get('fieldSelector')} resourceVersion=${searchParams.get('resourceVersion')}`,
  );
}

it('the pods of one node are listed from the API servers’ caches, and no more of them than is needed', async () => {
  await nodeCpu(resource(5, 10));
  expect(lists.toSorted()).toEqual([
    `home whole spec.nodeName=${vnode} resourceVersion=0`,
    'worker PartialObjectMetadataList spec.nodeName=n1 resourceVersion=0',
  ]);
});

it('a vnode that is known from its watch is not asked for', async () => {
  const node = { metadata: { name: vnode, creationTimestamp: MADE }, spec: { providerID: providerID('c', 'n1') } };
  const clusters = { home: new KubeClient(home.transport()), worker: new KubeClient(worker.transport()), binding };
  const seen: string[] = [];
  const { answer: answerHome } = home;
  home.answer = (request, response) => {
    seen.push(request.url ?? '');
    answerHome(request, response);
  };
  for (const known of [undefined, node]) {
    answer = resource(5, 10);
    const made = createStats(
      clusters,
      () => new Date(0),
      () => known,
    );
    expect((await made.get(vnode, 'metrics/resource')).text).toContain('node_cpu_usage_seconds_total 5 ');
  }
  home.answer = answerHome;
  expect(seen.filter((url) => url.includes('/nodes/'))).toHaveLength(1);
});

/** What a kubelet tells of the pod so many seconds after it was made. */
function resource(cpu: number, seconds: number): string {
  const at = madeAt + seconds * 1000;
  const labels = `{namespace="mount",pod="${pod}"}`;
  return [
    '# TYPE pod_cpu_usage_seconds_total counter',
    `pod_cpu_usage_seconds_total${labels} ${cpu} ${at}`,
    `pod_memory_working_set_bytes${labels} 100 ${at}`,
    '# TYPE resource_scrape_error gauge',
    'resource_scrape_error 0',
    '',
  ].join('\n');
}

async function nodeCpu(text: string): Promise<number> {
  answer = text;
  const { text: told } = await stats.get(vnode, 'metrics/resource');
  return Number(/^node_cpu_usage_seconds_total (\S+) /m.exec(told)?.[1]);
}

it('the vnode’s counter does not jump when replicas of the agent answer in turn, each as of another moment', async () => {
  const seen: number[] = [];
  for (const cpu of [1000, 1004, 1001, 1005, 1002]) seen.push(await nodeCpu(resource(cpu, cpu)));
  expect(seen).toEqual([1000, 1004, 1004, 1005, 1005]);
});

it('a pod made anew under its name counts from nothing, and an old answer about the earlier one does not count to it', async () => {
  expect(await nodeCpu(resource(1000, 5000))).toBe(1000);
  workerPod = undefined;
  expect(await nodeCpu(resource(1000, 5999))).toBe(1000);
  workerPod = { uid: 'worker-uid-2', creationTimestamp: new Date(madeAt + 6_000_000).toISOString() };
  expect(await nodeCpu(resource(1000, 5999))).toBe(1000);
  expect(await nodeCpu(resource(2, 6005))).toBe(1002);
});

it('the summary’s counter goes by the same rules, and keeps numbers of 64 bits', async () => {
  const told = async (uid: string, cpu: string): Promise<string> => {
    answer = `{"node":{"nodeName":"n1"},"pods":[{"podRef":{"name":"${pod}","namespace":"mount","uid":"${uid}"},
      "cpu":{"usageCoreNanoSeconds":${cpu}},"volume":[{"name":"v","inodesFree":18446744073709551615}]}]}`;
    return (await stats.get(vnode, 'stats/summary')).text;
  };
  expect(await told('worker-uid', '9007199254740993')).toMatch(/"node":.*"usageCoreNanoSeconds":900719925474099\d/);
  const text = await told('worker-uid', '9007199254740000');
  expect(text).toContain('"inodesFree":18446744073709551615');
  expect((JSON.parse(text) as { node: { cpu: { usageCoreNanoSeconds: number } } }).node.cpu.usageCoreNanoSeconds).toBe(
    9007199254740992,
  );
});

it('a kubelet that could not tell what its pods use is repeated, without figures of the node', async () => {
  answer = '# TYPE resource_scrape_error gauge\nresource_scrape_error 1\n';
  const { text } = await stats.get(vnode, 'metrics/resource');
  expect(text).toMatch(/^resource_scrape_error 1$/m);
  expect(text).not.toMatch(/^node_/m);
  expect(await nodeCpu(resource(5, 10))).toBe(5);
});

it('who leaves ends the question, unless somebody else waits for the same', async () => {
  answer = resource(5, 10);
  const gone = new AbortController();
  const [left, stayed] = [stats.get(vnode, 'metrics/resource', gone.signal), stats.get(vnode, 'metrics/resource')];
  gone.abort(new Error('client gone'));
  await expect(left).rejects.toThrow('client gone');
  expect((await stayed).text).toContain('node_cpu_usage_seconds_total 5 ');
});

it('a vnode that goes while it is asked about leaves no counters behind', async () => {
  const { answer: answerWorker } = worker;
  const asked = Promise.withResolvers<() => void>();
  worker.answer = (request, response) => {
    if (!request.url?.includes('/proxy/')) return answerWorker(request, response);
    asked.resolve(() => answerWorker(request, response));
  };
  const last = nodeCpu(resource(1000, 5000));
  const goOn = await asked.promise;
  stats.forget(vnode);
  goOn();
  expect(await last).toBe(1000);
  // Another vnode of that name, later.
  worker.answer = answerWorker;
  workerPod = { uid: 'worker-uid-2', creationTimestamp: MADE };
  expect(await nodeCpu(resource(2, 10))).toBe(2);
});

it('a list of the worker that never ends is not followed when nobody waits any more', async () => {
  answer = resource(5, 10);
  endless = true;
  const gone = new AbortController();
  const asked = stats.get(vnode, 'metrics/resource', gone.signal);
  await vi.waitFor(() => expect(pages).toBeGreaterThan(3), { timeout: 5000, interval: 1 });
  gone.abort(new Error('client gone'));
  await expect(asked).rejects.toThrow('client gone');
  const transport = worker.transport();
  const askOther = async () => {
    for (let other = 0; other < 20; other++) await transport.call({ method: 'GET', path: '/token' });
  };
  // What was on its way has come by then.
  await askOther();
  const before = pages;
  await askOther();
  expect(pages).toBe(before);
});
