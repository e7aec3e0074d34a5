/** When a worker is looked at, and what it is asked then, against a server of the tests' own. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WorkerChecks } from './checks.ts';
import { binding } from './fixtures.ts';
import { metricsRights, REQUIRED_RIGHTS } from './rights.ts';
import type { KubeconfigSecret } from './validate.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => {
  server.reset();
  server.stop();
});

const user = 'system:serviceaccount:kubeocean-worker:kubeocean-syncer';

const kubeconfig = JSON.stringify({
  'current-context': 'm',
  contexts: [{ name: 'm', context: { cluster: 'c', user: 'u' } }],
  clusters: [{ name: 'c', cluster: { server: 'https://api.example.test' } }],
  users: [{ name: 'u', user: { token: 't' } }],
});
const secret: KubeconfigSecret = {
  metadata: { name: 'worker-cluster-kubeconfig', namespace: 'kubeocean-system', uid: 's', resourceVersion: '1' },
  data: { kubeconfig: Buffer.from(kubeconfig).toString('base64') },
};

/** A worker that is well, but gives the rights for metrics only when it `meters`. */
class Worker {
  meters = false;
  isRejecting = false;
  /** Lets time pass while the heartbeat is asked for. */
  pass: () => void = () => undefined;
  /** Resources of the rights that were asked about. */
  reviewed: string[] = [];

  answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    if (this.isRejecting) response.statusCode = 401;
    response.end(JSON.stringify(this.answerTo(request.url ?? '', text)));
  };

  private answerTo(path: string, text: string): object {
    if (path.startsWith('/version')) return { minor: '34', gitVersion: 'v1.34.4' };
    if (path.includes('/selfsubjectreviews')) return { status: { userInfo: { username: user } } };
    if (path.includes('/leases/')) this.pass();
    if (path.includes('/leases/')) return { metadata: { name: 'l' }, spec: { renewTime: '2026-01-01T00:00:00Z' } };
    if (!path.includes('/selfsubjectaccessreviews')) return { metadata: { name: 'x' }, items: [] };
    const { spec } = JSON.parse(text) as { spec: { resourceAttributes: { resource: string } } };
    const { resource } = spec.resourceAttributes;
    this.reviewed.push(resource);
    return { status: { allowed: this.meters || resource !== 'services' } };
  }
}

test('while only metrics are short, only their rights are asked about again, until they are given', async () => {
  const worker = new Worker();
  server.answer = (request, response) => void worker.answer(request, response);
  let now = 0;
  let news = Promise.withResolvers<void>();
  const checks = new WorkerChecks({
    connect: () => new KubeClient(server.transport()),
    onNews: () => news.resolve(),
    monotonic: () => now,
    agentStaleMs: 3_600_000,
  });

  /** What is known after a look that is due by then. */
  async function looked(): Promise<string | undefined> {
    news = Promise.withResolvers();
    worker.reviewed = [];
    now += 60_000;
    checks.current(binding('a'), secret, true);
    await news.promise;
    const result = checks.current(binding('a'), secret, true);
    expect(result).toMatchObject({ worker: { user } });
    expect(result).not.toHaveProperty('problem');
    return result?.worker?.shortcoming;
  }

  const metrics = metricsRights(user).map(({ resource }) => resource);
  expect(await looked()).toMatch(/lacks services\/proxy \(get\)/);
  expect(worker.reviewed).toHaveLength(REQUIRED_RIGHTS.length + metrics.length);
  expect(await looked()).toMatch(/lacks services\/proxy \(get\)/);
  expect(worker.reviewed).toEqual(metrics);
  worker.meters = true;
  expect(await looked()).toBeUndefined();
  expect(worker.reviewed).toEqual(metrics);
});

/** Looks at the worker on a clock of the test's own. */
class Checks {
  now = 0;
  readonly worker = new Worker();
  private readonly news: (() => void)[] = [];
  private readonly checks: WorkerChecks;

  constructor(agentStaleMs: number) {
    this.worker.meters = true;
    server.answer = (request, response) => void this.worker.answer(request, response);
    this.checks = new WorkerChecks({
      connect: () => new KubeClient(server.transport()),
      onNews: () => this.news.shift()?.(),
      monotonic: () => this.now,
      agentStaleMs,
    });
  }

  current(of: KubeconfigSecret) {
    return this.checks.current(binding('a'), of, false);
  }

  /** What is known before and after a look that is due. */
  async looked(of = secret) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.news.push(resolve);
    const before = this.current(of);
    await promise;
    return { before, after: this.current(of) };
  }
}

test('what a Secret led to is not said of the next one', async () => {
  const checks = new Checks(40_000);
  expect(await checks.looked()).toMatchObject({ before: undefined, after: { worker: { user } } });
  checks.worker.isRejecting = true;
  const next = { ...secret, metadata: { ...secret.metadata, resourceVersion: '2' } };
  expect(await checks.looked(next)).toMatchObject({ before: undefined, after: { problem: { stage: 'worker' } } });
});

test('a heartbeat is not taken for silent because of the time that an answer took', async () => {
  const checks = new Checks(12_000);
  checks.worker.pass = () => void (checks.now = 8000);
  await checks.looked();
  checks.worker.pass = () => undefined;
  checks.now = 14_000;
  expect((await checks.looked()).after).not.toHaveProperty('problem');
  checks.now = 20_001;
  expect((await checks.looked()).after).toMatchObject({ problem: { reason: 'AgentStale' } });
});
