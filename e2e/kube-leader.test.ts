/** Leader election on a real API server: one leads, a successor follows soon, and nobody leads who cannot renew. */
import { join } from 'node:path';
import {
  type KubeClient,
  type LeaderElectionOptions,
  type Leadership,
  type Lease,
  Leases,
  runAsLeader,
} from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { startChild } from './harness/child.ts';
import { type ApiServer, cleanup, startApiServer, uniqueName, waitFor } from './harness/index.ts';
import { makeNamespace } from './kube/objects.ts';

let server: ApiServer;
let admin: KubeClient;
let namespace: string;

beforeAll(async () => {
  server = await startApiServer();
  admin = server.client();
  namespace = await makeNamespace(admin);
});

interface Candidate {
  /** Set while it leads. */
  leadership: Leadership | undefined;
  leads: () => boolean;
  /** A clean exit. */
  stop(): Promise<void>;
  /** Resolves when it ended, with the error it ended with. */
  ended: Promise<Error | undefined>;
  errors: unknown[];
}

function candidate(name: string, identity: string, options: Partial<LeaderElectionOptions> = {}): Candidate {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const self: Candidate = {
    leadership: undefined,
    leads: () => self.leadership !== undefined,
    async stop() {
      stop.abort();
      await self.ended;
    },
    ended: Promise.resolve(undefined),
    errors,
  };
  const election = { namespace, name, identity, onError: (error: unknown) => errors.push(error), ...options };
  self.ended = runAsLeader(server.client(), election, stop.signal, async (leadership) => {
    self.leadership = leadership;
    const { promise, resolve } = Promise.withResolvers<void>();
    leadership.signal.addEventListener('abort', () => resolve());
    if (leadership.signal.aborted) resolve();
    await promise;
    self.leadership = undefined;
  }).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  cleanup(() => self.stop());
  return self;
}

function lease(name: string): Promise<Lease> {
  return admin.get<Lease>(Leases, namespace, name);
}

test('one leads; on its clean exit the next leads at once, and the transitions rise', async () => {
  const name = uniqueName('lease');
  const first = candidate(name, 'first');
  await waitFor('the first to lead', first.leads);
  expect(first.leadership?.transitions).toBe(0);
  expect(first.leadership?.isCurrent()).toBe(true);
  const second = candidate(name, 'second');
  // A candidate that could lead would do so within its next try.
  await waitFor('the first to renew', async () => {
    const { spec } = await lease(name);
    return spec?.renewTime !== spec?.acquireTime;
  });
  expect(second.leads()).toBe(false);
  const began = performance.now();
  await first.stop();
  await waitFor('the second to lead', second.leads);
  // Not only when the Lease is over, some 15 s later.
  expect(performance.now() - began).toBeLessThan(5000);
  expect(second.leadership?.transitions).toBe(1);
  expect(first.leads()).toBe(false);
  await second.stop();
  expect((await lease(name)).spec?.holderIdentity ?? '').toBe('');
});

test('a killed leader is succeeded within 20 s, and not before its Lease is over', async () => {
  const name = uniqueName('lease');
  const main = join(import.meta.dirname, 'kube/candidate.ts');
  const node = join(import.meta.dirname, '../node_modules/.bin/node');
  const leader = startChild([node, main, server.kubeconfig, namespace, name]);
  cleanup(() => leader.kill());
  const led = () => {
    if (leader.exit !== undefined) throw new Error(leader.lines.join('\n'));
    return leader.lines.includes('leading');
  };
  // Node reads it from source.
  await waitFor('the process to lead', led, { timeoutMs: 75_000 });
  const successor = candidate(name, 'successor');
  const { spec } = await lease(name);
  expect(spec?.holderIdentity).toBe(`process-${leader.pid}`);
  await leader.kill();
  const killed = performance.now();
  await waitFor('the successor to lead', successor.leads, { timeoutMs: 25_000 });
  const seconds = (performance.now() - killed) / 1000;
  expect(seconds).toBeLessThan(20);
  // 15 s after the last renewal, which was at most 4 s before the end.
  expect(seconds).toBeGreaterThan(10);
  await successor.stop();
});

test('a leader whose Lease another holds stops leading and ends with an error that names it', async () => {
  const name = uniqueName('lease');
  const leader = candidate(name, 'leader', { renewSeconds: 0.2 });
  await waitFor('it to lead', leader.leads);
  await admin.patch(Leases, namespace, name, { spec: { holderIdentity: 'thief' } });
  const error = await leader.ended;
  expect(error?.message).toBe(`the Lease ${namespace}/${name} is held by thief`);
  expect(leader.leads()).toBe(false);
  // It did not take the Lease back from the thief on its way out.
  expect((await lease(name)).spec?.holderIdentity).toBe('thief');
});

test('a leader whose Lease is deleted stops leading', async () => {
  const name = uniqueName('lease');
  const leader = candidate(name, 'leader', { renewSeconds: 0.2 });
  await waitFor('it to lead', leader.leads);
  await admin.delete(Leases, namespace, name);
  expect((await leader.ended)?.message).toContain('was deleted');
});

test('who cannot renew does not lead past the deadline, and another leads when the server is back', async () => {
  const name = uniqueName('lease');
  const times = { leaseDurationSeconds: 4, renewDeadlineSeconds: 2, renewSeconds: 0.3 };
  const leader = candidate(name, 'leader', times);
  await waitFor('it to lead', leader.leads);
  const { leadership } = leader;
  await server.stop('KILL');
  const killed = performance.now();
  await waitFor('the leadership to be doubtful', () => leadership?.isCurrent() === false, { everyMs: 5 });
  // A whole second before its Lease is over.
  expect(performance.now() - killed).toBeLessThan(3000);
  const error = await leader.ended;
  expect(error?.message).toContain('could not be renewed in time');
  const successor = candidate(name, 'successor', times);
  await server.start();
  await waitFor('the successor to lead', successor.leads, { timeoutMs: 60_000 });
  await successor.stop();
});

test('leaving while a renewal is under way still frees the Lease', async () => {
  const name = uniqueName('lease');
  for (let round = 0; round < 20; round++) {
    const leader = candidate(name, `leader-${round}`, { renewSeconds: 0.001 });
    await waitFor('it to lead', leader.leads, { everyMs: 1 });
    await leader.stop();
    expect((await lease(name)).spec?.holderIdentity ?? '').toBe('');
  }
});

test.each(['new', 'released'])('leaving while a %s Lease is being taken frees it again', async (state) => {
  const name = uniqueName('lease');
  if (state === 'released') {
    const before = candidate(name, 'before');
    await waitFor('one to lead before', before.leads);
    await before.stop();
  }
  const stop = new AbortController();
  const client = server.client();
  let taken = 0;
  // The server has taken the Lease when the order to stop comes: whoever breaks off then never learns of it.
  function stopsMeanwhile<Send>(send: Send): Send {
    const sends = send as (...args: unknown[]) => Promise<unknown>;
    const instead = async (kind: unknown, object: unknown, options?: { signal?: AbortSignal }): Promise<unknown> => {
      const { signal, ...rest } = options ?? {};
      const answer = await sends(kind, object, rest);
      taken++;
      stop.abort();
      signal?.throwIfAborted();
      return answer;
    };
    return instead as Send;
  }
  client.create = stopsMeanwhile(client.create.bind(client));
  client.replace = stopsMeanwhile(client.replace.bind(client));
  let led = false;
  const lead = (): Promise<void> => {
    led = true;
    return Promise.resolve();
  };
  await runAsLeader(client, { namespace, name, identity: 'leaving' }, stop.signal, lead);
  expect(taken).toBe(1);
  expect(led).toBe(false);
  expect((await lease(name)).spec?.holderIdentity).toBeFalsy();
});

test('of five candidates that come and go, never two lead at once', async () => {
  const name = uniqueName('lease');
  const candidates = new Set<Candidate>();
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, [...candidates].filter((one) => one.leadership?.isCurrent()).length);
  }, 1);
  try {
    for (let i = 0; i < 5; i++) candidates.add(candidate(name, `first-${i}`, { renewSeconds: 0.1 }));
    for (let round = 0; round < 8; round++) {
      const leader = await waitFor('a leader', () => [...candidates].find((one) => one.leads()));
      candidates.add(candidate(name, `later-${round}`, { renewSeconds: 0.1 }));
      await leader.stop();
    }
  } finally {
    clearInterval(looking);
  }
  expect(most).toBe(1);
  expect((await lease(name)).spec?.leaseTransitions).toBeGreaterThanOrEqual(7);
  await Promise.all([...candidates].map((one) => one.stop()));
});
