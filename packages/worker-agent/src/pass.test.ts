/** A pass over real stores and an API server on loopback. */
import { createLogger } from '@kubeocean/shared/daemon';
import { type EventRecorder, isObject, type KubeObject, type ReadonlyStore, type Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, pod, policy, record, type World } from './look-fixtures.ts';
import { Passes } from './pass.ts';
import { Reclaimer } from './reclaim/executor.ts';

const now = new Date('2026-11-20T12:00:00Z');
let server: TestServer;
let stop = new AbortController();
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  server.reset();
});

/** Passes over the world, which tell what they log and what they say to people. */
async function passing(world: World, isCurrent = () => true) {
  const { client, options, stores } = await begin(server, stop.signal, world);
  const logged: unknown[] = [];
  const told: string[] = [];
  const log = createLogger('test', 'silent');
  log.warn = (fields: object) => void logged.push(fields);
  const leadership = { signal: stop.signal, transitions: 0, leaseTime: () => new Date(0), isCurrent };
  const events: EventRecorder = {
    event: ({ kind, metadata }, type, reason, message) =>
      void told.push(`${kind} ${metadata.name}: ${type} ${reason} ${message}`),
    flush: () => Promise.resolve(),
  };
  const own = { client, events, log, now: () => now };
  const reclaimer = new Reclaimer({ ...own, leadership, observe: () => undefined });
  const unused = { onTold: () => undefined, wake: () => undefined };
  const passes = new Passes({ ...options, ...own, ...unused, stores, reclaimer });
  return { pass: () => passes.run(leadership, now), stop: () => reclaimer.stop(), stores, logged, told };
}

/** What is asked to be written from now on; all of it is taken. */
function writes(): string[] {
  const asked: string[] = [];
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    asked.push(`${request.method} ${(request.url ?? '').split('?')[0]?.split('/v1beta1/')[1]}`);
    return response.end(JSON.stringify({ metadata: { name: 'x', uid: 'x' } }));
  };
  return asked;
}

const lending: World = { bindings: [['a'], []], policies: [policy('a', 1)], readable: true };

it('a node is open for pods before its record says so', async () => {
  const passes = await passing(lending);
  const asked = writes();
  expect(await passes.pass()).toMatchObject({ open: 1, failures: 0 });
  expect(asked.slice(0, 2).sort()).toEqual(
    ['north', 'south'].map((namespace) => `POST namespaces/${namespace}/leaseguards`),
  );
  expect(asked.slice(2).sort()).toEqual([
    'PATCH namespaces/north/leasednodes/a.n/status',
    'PATCH resourceleasingpolicies/p-a/status',
    'POST namespaces/north/leasednodes',
  ]);
  await passes.stop();
});

it('what leases come to is told once it is written', async () => {
  const { spec, ...rest } = policy('a', 1);
  const night = { ...rest, spec: { ...(spec as object), timeWindows: [{ start: '18:00' }], forceReclaim: true } };
  const world: World = { ...lending, policies: [night], records: [record('north', 'a')] };
  const passes = await passing(world);
  const asked = writes();
  await passes.pass();
  expect(asked).toContain('PATCH namespaces/north/leasednodes/a.n/status');
  expect(passes.told.filter((event) => event.includes('Reclaim'))).toEqual([
    'ResourceLeasingPolicy p-a: Normal ReclaimDone nothing lent runs on n any more: ' +
      'no time window of policy p-a is open; it opens again at 2026-11-20T18:00:00Z',
  ]);
  await passes.stop();
});

it('pods that run past the deadline of their lease are counted', async () => {
  const { spec, ...rest } = policy('a', 1);
  const night = { ...rest, spec: { ...(spec as object), timeWindows: [{ start: '18:00' }], forceReclaim: true } };
  const times = { reclaimAt: '2026-11-20T11:00:00Z', reclaimDeadline: '2026-11-20T11:10:00Z' };
  const status = { ceiling: { cpu: '8' }, phase: 'Closing', reason: 'WindowClosed', ...times };
  const pods = [pod('x', 'north', '1', { 'kubeocean.io/cluster-binding': 'a' })];
  const passes = await passing({ ...lending, policies: [night], records: [{ ...record('north', 'a'), status }], pods });
  writes();
  expect(await passes.pass()).toMatchObject({ overdue: 1 });
  await passes.stop();
});

it('nothing is written while another may lead, and what was not is counted, so that it is looked at again', async () => {
  const passes = await passing(lending, () => false);
  const asked = writes();
  expect(await passes.pass()).toMatchObject({ writes: 4, failures: 4 });
  expect(asked).toEqual([]);
  await passes.stop();
});

it('what keeps a thousand writes from being made is not logged a thousand times at each look', async () => {
  const names = Array.from({ length: 50 }, (_, at) => `b${at}`);
  const policies = names.map((name) => policy(name, 1));
  const passes = await passing({ bindings: [['a'], []], policies, readable: true });
  refuse(500, 'a webhook does not answer');
  // Statuses of 50 policies and the guards of two namespaces.
  expect((await passes.pass()).failures).toBe(52);
  expect([passes.logged.length, passes.logged.at(-1)]).toEqual([6, { more: 47 }]);
  expect(passes.logged[0]).toMatchObject({ write: expect.stringContaining('leaseguards') as string });
  // The second time is told, the third is not.
  for (let more = 0; more < 2; more++) await passes.pass();
  expect(passes.logged).toHaveLength(12);
  await passes.stop();
});

it('the owner is told on the policy when its records cannot be written, once that lasts', async () => {
  const passes = await passing({
    bindings: [['a', 'b'], []],
    policies: [policy('a', 1), policy('b', 2)],
    records: [record('north', 'b')],
    readable: true,
  });
  refuse(422, 'no such taint', 'leasednodes');
  const refused = () => passes.told.filter((event) => event.includes('RecordRefused'));
  for (let passed = 0; passed < 3; passed++) expect((await passes.pass()).failures).toBe(2);
  expect(refused()).toEqual([]);
  for (let passed = 0; passed < 3; passed++) await passes.pass();
  expect(refused().sort()).toEqual(
    ['a', 'b'].map(
      (name) =>
        `ResourceLeasingPolicy p-${name}: Warning RecordRefused the lease of node n waits: its LeasedNode cannot be written, which is tried again (no such taint)`,
    ),
  );
  await passes.stop();
});

it('records that are refused are not asked for at each look, but at once for another step, and when one is taken', async () => {
  const at = ['a', 'b', 'c', 'd'];
  const passes = await passing({
    bindings: [at, []],
    policies: at.map((name) => policy(name, 1)),
    records: [record('north', 'a')],
    readable: true,
  });
  const { answer } = server;
  const asked: string[] = [];
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    request.resume();
    const name = /leasednodes(.*)/.exec(request.url ?? '')?.[1];
    if (name !== undefined) asked.push(`${request.method} ${name.split('?')[0]}`);
    response.statusCode = name !== undefined ? 403 : 200;
    return response.end(
      JSON.stringify({ kind: 'Status', code: 403, message: 'no', metadata: { name: 'x', uid: 'x' } }),
    );
  };
  for (let passed = 0; passed < 5; passed++) expect(await passes.pass()).toMatchObject({ writes: 10, failures: 4 });
  expect(asked.toSorted()).toEqual(['PATCH /a.n/status', 'POST ', 'POST ', 'POST ']);
  // It is over now.
  asked.length = 0;
  const known = passes.stores.policies as unknown as Store<KubeObject>;
  known.remove('p-a');
  await passes.pass();
  expect(asked).toContain('PATCH /a.n/status');
  await passes.stop();
});

it('the owner is told on the policies that lend there when the LeaseGuard cannot be written, once that lasts', async () => {
  const passes = await passing({
    bindings: [['a', 'b'], ['c']],
    policies: [policy('a', 1), policy('b', 2), policy('c', 3)],
    records: [record('north', 'b')],
    readable: true,
  });
  refuse(403, 'no', '/north/leaseguards');
  const refused = () => passes.told.filter((event) => event.includes('GuardRefused'));
  for (let passed = 0; passed < 3; passed++) expect((await passes.pass()).failures).toBe(1);
  expect(refused()).toEqual([]);
  for (let passed = 0; passed < 3; passed++) await passes.pass();
  const text = `Warning GuardRefused the LeaseGuard north/kubeocean-lease cannot be written, which is tried again`;
  expect(refused().sort()).toEqual(
    ['a', 'b'].map(
      (name) => expect.stringMatching(`^ResourceLeasingPolicy p-${name}: ${text}: .* [(]no[)]$`) as string,
    ),
  );
  await passes.stop();
});

/** The API server refuses writes whose URL has that in it, and takes all others. */
function refuse(code: number, message: string, where = ''): void {
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    request.resume();
    response.statusCode = request.url?.includes(where) ? code : 200;
    return response.end(JSON.stringify({ kind: 'Status', code, message, metadata: { name: 'x', uid: 'x' } }));
  };
}

/** RFC 7386. */
function merged(value: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = isObject(value) ? { ...value } : {};
  for (const [field, to] of Object.entries(patch)) {
    if (to === null) delete result[field];
    else result[field] = merged(result[field], to);
  }
  return result;
}

/** All writes of a pass are taken and none is answered. @returns the patches of statuses, by the name of the object */
async function withoutAnswers(pass: () => Promise<unknown>): Promise<Map<string, unknown>> {
  const { answer } = server;
  const taken = new Map<string, unknown>();
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    return request.on('end', () => {
      const [, name] = /([^/]+)\/status/.exec(request.url ?? '') ?? [];
      if (name) taken.set(name, (JSON.parse(body) as { status: unknown }).status);
      response.destroy();
    });
  };
  await pass();
  server.answer = answer;
  return taken;
}

/** The watch tells of statuses that were written. */
function tell(stores: readonly ReadonlyStore<KubeObject>[], taken: ReadonlyMap<string, unknown>): void {
  for (const store of stores) {
    for (const object of store.values()) {
      const patch = taken.get(object.metadata.name);
      if (patch) (store as Store<KubeObject>).set({ ...object, status: merged(object['status'], patch) });
    }
  }
}

function night(): World {
  const { spec, ...rest } = policy('a', 1);
  const closed = { ...rest, spec: { ...(spec as object), timeWindows: [{ start: '18:00' }], forceReclaim: true } };
  return { ...lending, policies: [closed], records: [record('north', 'a')] };
}

const toldAtNight = [
  expect.stringMatching(/^ResourceLeasingPolicy p-a: Normal InactiveTimeWindow Inactive: /),
  expect.stringMatching(/^ResourceLeasingPolicy p-a: Normal ReclaimDone /),
];

it('what was written without an answer is told by the next pass, once', async () => {
  const passes = await passing(night());
  const taken = await withoutAnswers(passes.pass);
  expect(passes.told).toEqual([]);
  tell([...passes.stores.records, passes.stores.policies], taken);
  const asked = writes();
  await passes.pass();
  expect(asked.filter((what) => what.includes('status'))).toEqual([]);
  expect(passes.told.sort()).toEqual(toldAtNight);
  await passes.pass();
  expect(passes.told).toHaveLength(2);
  await passes.stop();
});

it('what was written without an answer, and is not known yet to be taken, is told once when it was written again', async () => {
  const passes = await passing(night());
  for (let n = 0; n < 2; n++) await withoutAnswers(passes.pass);
  expect(passes.told).toEqual([]);
  const asked = writes();
  await passes.pass();
  expect(asked).toContain('PATCH namespaces/north/leasednodes/a.n/status');
  expect(passes.told.sort()).toEqual(toldAtNight);
  await passes.stop();
});

it('nothing is told of a record that was gone before it could be written', async () => {
  const passes = await passing(night());
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    response.statusCode = request.url?.includes('leasednodes') ? 404 : 200;
    return response.end(JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', metadata: {} }));
  };
  expect(await passes.pass()).toMatchObject({ failures: 0 });
  expect(passes.told).toEqual([toldAtNight[0]]);
  await passes.stop();
});
