/** Runs for one binding against a server of the tests' own; with real clusters in e2e/manager.test.ts. */
import { Annotation, type ClusterBinding, Finalizer, labelValue } from '@kubeocean/shared/api';
import type { Condition, KubeObject } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ControllerOptions } from './controller.ts';
import { controllerOf } from './controller-fixtures.ts';
import { binding } from './fixtures.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

it('writes nothing while another may lead', async () => {
  let isCurrent = false;
  const { calls, run } = controllerOf(server, binding('a'), () => isCurrent);
  expect(await run()).toEqual({ againInMs: 1000 });
  expect(calls).toEqual([]);
  isCurrent = true;
  await run();
  expect(calls).toEqual(['PATCH /apis/cloud.tencent.com/v1beta1/clusterbindings/a']);
});

it('says which pod keeps an upgrade from coming up, while those of before go on', async () => {
  const { metadata, ...rest } = binding('a');
  const finalizers = [Finalizer.bindingManager, Finalizer.bindingSyncer];
  const of = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:00Z', finalizers } };
  const conditions = [{ type: 'Progressing', status: 'False', message: 'timed out' }];
  const { run } = controllerOf(server, of, undefined, ({ object }) => ({
    ...object,
    status: { availableReplicas: 2, conditions },
  }));
  const newest = {
    metadata: { namespace: 'kubeocean-system', name: 'new' },
    status: { containerStatuses: [{ name: 'c', image: 'c:v9', state: { waiting: { reason: 'ErrImagePull' } } }] },
  };
  let told: Condition[] = [];
  server.answer = (request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify({ metadata: {}, items: [newest] }));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    return request.on('end', () => {
      told = (JSON.parse(Buffer.concat(chunks).toString()) as ClusterBinding).status?.conditions ?? [];
      response.end(JSON.stringify(of));
    });
  };
  await run();
  for (const type of ['SyncerReady', 'ProxierReady']) {
    expect(told.find((one) => one.type === type)).toMatchObject({
      status: 'True',
      reason: 'RolloutStuck',
      message: expect.stringContaining('image c:v9 of pod new cannot be pulled') as string,
    });
  }
});

it('a binding that is being deleted gets a syncer anew where none is left, and tells of a Secret without which none starts', async () => {
  const { metadata, ...rest } = binding('a');
  const finalizers = [Finalizer.bindingManager, Finalizer.bindingSyncer];
  const of = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:00Z', finalizers } };
  const { run, ensured } = controllerOf(server, of);
  let told: Condition[] = [];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      told = (JSON.parse(Buffer.concat(chunks).toString()) as ClusterBinding).status?.conditions ?? [];
      response.end(JSON.stringify(of));
    });
  };
  await run();
  const said = (type: string) => told.find((one) => one.type === type);
  expect(ensured).toContain(`kubeocean-syncer-${of.spec.clusterID}`);
  expect(said('Connected')).toMatchObject({ status: 'False', reason: 'SecretMissing' });
  expect(said('Ready')).toMatchObject({ status: 'False', reason: 'Unbinding' });
});

/** @param others finalizers beside ours */
function givenUp(name: string, others: readonly string[] = []): ClusterBinding {
  const { metadata, ...rest } = binding(name);
  const deletion = {
    deletionTimestamp: '2026-01-02T00:00:00Z',
    finalizers: [...others, Finalizer.bindingManager, Finalizer.bindingSyncer],
    annotations: { [Annotation.abandon]: 'true' },
  };
  return { ...rest, metadata: { ...metadata, ...deletion } };
}

it('what an abandoned binding leaves is found by what is told, however long its name', async () => {
  const name = 'a'.repeat(64);
  const { told, run } = controllerOf(server, givenUp(name));
  await run();
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^Warning Abandoned: /);
  expect(told[0]).toContain(`kubectl delete nodes -l kubeocean.io/cluster-binding=${labelValue(name)} (after`);
  expect(told[0]).toContain('the finalizer kubeocean.io/volume is taken off');
});

it('a binding that is being deleted ends when nothing of it is left, and keeps the finalizers of others', async () => {
  const { metadata, ...rest } = binding('a');
  const finalizers = ['theirs', Finalizer.bindingManager];
  const of = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:00Z', finalizers } };
  let left = 2;
  const { run } = controllerOf(server, of, undefined, undefined, () => left);
  const written: KubeObject[] = [];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      written.push(JSON.parse(Buffer.concat(chunks).toString()) as KubeObject);
      response.end(JSON.stringify(of));
    });
  };
  expect(await run()).toEqual({ againInMs: 5000 });
  expect(written).toEqual([]);
  left = 0;
  expect(await run()).toBeUndefined();
  expect(written).toMatchObject([{ metadata: { uid: metadata.uid, finalizers: ['theirs'] } }]);
});

it('a binding that is given up does not end while its syncer runs, which removes what it made', async () => {
  const { told, calls, run } = controllerOf(server, givenUp('a'), undefined, ({ object }) => ({
    ...object,
    status: { availableReplicas: 1 },
  }));
  expect(await run()).toMatchObject({ againInMs: 0 });
  expect(told.filter((event) => event.includes('Abandoned'))).toEqual([]);
  expect(calls).toEqual(['PATCH /apis/cloud.tencent.com/v1beta1/clusterbindings/a/status']);
});

it('a binding that is given up ends once its syncer has not run for the whole time, without a break', async () => {
  const of = givenUp('a', ['theirs']);
  let [availableReplicas, clock] = [0, 0];
  const { told, run } = controllerOf(
    server,
    of,
    undefined,
    ({ object }) => ({ ...object, status: { availableReplicas } }),
    undefined,
    { monotonic: () => clock, abandonAfterMs: 60_000 },
  );
  const written: KubeObject[] = [];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PATCH') written.push(JSON.parse(Buffer.concat(chunks).toString()) as KubeObject);
      response.end(JSON.stringify(request.method === 'GET' ? { metadata: {}, items: [] } : of));
    });
  };
  for (const [at, replicas] of [
    [0, 0],
    [59_999, 0],
    [60_000, 1],
    [61_000, 0],
    [120_999, 0],
  ] as const) {
    [clock, availableReplicas] = [at, replicas];
    expect(await run()).toEqual({ againInMs: 5000 });
  }
  expect(told.filter((event) => event.includes('Abandoned'))).toEqual([]);
  clock = 121_000;
  expect(await run()).toBeUndefined();
  expect(told.filter((event) => event.includes('Abandoned'))).toHaveLength(1);
  expect(written.at(-1)?.metadata).toMatchObject({
    uid: of.metadata.uid,
    finalizers: ['theirs', Finalizer.bindingManager],
  });
});

it('a binding that is given up once more must have been without its syncer anew', async () => {
  const of = givenUp('a');
  const annotations = of.metadata.annotations;
  let clock = 0;
  const { told, run } = controllerOf(server, of, undefined, undefined, undefined, {
    monotonic: () => clock,
    abandonAfterMs: 60_000,
  });
  expect(await run()).toEqual({ againInMs: 5000 });
  clock = 10_000;
  of.metadata.annotations = {};
  await run();
  clock = 70_000;
  of.metadata.annotations = annotations ?? {};
  expect(await run()).toEqual({ againInMs: 5000 });
  expect(told.filter((event) => event.includes('Abandoned'))).toEqual([]);
});

it.each<[string, ClusterBinding]>([
  ['a finalizer', binding('a')],
  ['a status', { ...binding('a'), metadata: { ...binding('a').metadata, finalizers: [Finalizer.bindingManager] } }],
])('does not write %s once leadership has ended during the run', async (_, of) => {
  let asked = 0;
  const { calls, run } = controllerOf(server, of, () => ++asked === 1);
  await expect(run()).rejects.toMatchObject({ code: 'NOT_SENT' });
  expect(calls).toEqual([]);
});

it.each<[string, boolean]>([
  ['is told and begins nothing of a new binding', false],
  ['is told of one that serves pods, which goes on being kept up', true],
])('a node selector that no agent reads %s', async (_, isEstablished) => {
  const term = { matchExpressions: [{ key: 'a', operator: 'Gt' as const, values: ['b'] }] };
  const { metadata, ...rest } = binding('a', { nodeSelector: { nodeSelectorTerms: [term] } });
  const of: ClusterBinding = {
    ...rest,
    metadata: { ...metadata, finalizers: [Finalizer.bindingManager] },
    status: { phase: 'Pending', ...(isEstablished && { lastSyncTime: '2026-01-02T00:00:00Z' }) },
  };
  const { run, told, ensured } = controllerOf(server, of, undefined, undefined, undefined, {
    checks: { current: () => ({ worker: { user: 'u' } }) } as unknown as ControllerOptions['checks'],
  });
  await run();
  expect(told).toEqual([expect.stringMatching(/^Warning NodeSelectorInvalid: .*Gt needs exactly one integer/)]);
  expect(ensured.some((name) => name.startsWith('kubeocean-syncer'))).toBe(isEstablished);
});

it.each<[string, Partial<KubeObject['metadata']>, number]>([
  ['is told of the spec that it is about', {}, 1],
  ['is not told of another spec that came meanwhile', { generation: 2 }, 0],
  ['is not told of another binding of that name', { uid: 'another' }, 0],
])('what was found %s', async (_, change, writes) => {
  const { metadata, ...rest } = binding('a');
  const of: ClusterBinding = {
    ...rest,
    metadata: { ...metadata, finalizers: [Finalizer.bindingManager] },
    status: { phase: 'Pending' },
  };
  const bindings = new Map([['a', of]]);
  const { run } = controllerOf(server, of, undefined, ({ object }) => object, undefined, {
    bindings: bindings as unknown as ControllerOptions['bindings'],
    checks: { current: () => ({ worker: { user: 'u' } }) } as unknown as ControllerOptions['checks'],
  });
  let written = 0;
  server.answer = (request, response) => {
    if (request.method === 'PATCH') written++;
    // It looks why no pod runs.
    else bindings.set('a', { ...of, metadata: { ...of.metadata, ...change } });
    response.end(JSON.stringify(request.method === 'PATCH' ? of : { metadata: {}, items: [] }));
  };
  await run();
  expect(written).toBe(writes);
});
