import type { ServerResponse } from 'node:http';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createVnodeLeases, untilNextTurn } from './leases.ts';

test.each([
  [0, 10_000],
  [1, 9_999],
  [9_999.5, 0.5],
  [10_000, 10_000],
  [12_500, 7_500],
])('after %d ms of this process the next turn is in %d ms', (now, left) => {
  expect(untilNextTurn(now)).toBe(left);
});

test('syncers that were started in the same moment take their turns apart', () => {
  expect([0, 2500, 9999].map((phase) => untilNextTurn(0, phase))).toEqual([10_000, 2500, 9999]);
  expect([0, 2500, 9999].map((phase) => untilNextTurn(12_500, phase))).toEqual([7500, 10_000, 7499]);
});

test('whatever was renewed within one turn is renewed at the same moment next', () => {
  const within = fc.double({ min: 0, max: 9_999, noNaN: true });
  fc.assert(
    fc.property(fc.nat(1_000_000), within, within, (turn, one, other) => {
      const next = [one, other].map((ms) => turn * 10_000 + ms + untilNextTurn(turn * 10_000 + ms));
      expect(next[0]).toBeCloseTo((turn + 1) * 10_000, 3);
      expect(next[1]).toBeCloseTo((turn + 1) * 10_000, 3);
    }),
  );
});

test('eight Leases are renewed at a time, and each once in its turn, however often it is started', async () => {
  // By chance a turn might begin anew while this one is looked at.
  vi.spyOn(Math, 'random').mockReturnValue(0.99);
  onTestFinished(() => void vi.restoreAllMocks());
  const server = await TestServer.start();
  const waiting: ServerResponse[] = [];
  const renewed: string[] = [];
  let most = 0;
  server.answer = (request, response) => {
    renewed.push(request.url?.split('/').at(-1) ?? '');
    waiting.push(response);
    most = Math.max(most, waiting.length);
  };
  const vnodes = new Store<KubeObject>();
  for (let n = 0; n < 30; n++) vnodes.set({ metadata: { name: `v${n}`, uid: `u${n}` } });
  const context = {
    home: new KubeClient(server.transport()),
    stores: { vnodes },
    leadership: { isCurrent: () => true, leaseTime: () => new Date(0) },
    queue: () => ({}),
  } as unknown as SyncerContext;
  // However slow this machine is, no renewal is late: more of them at a time would then be right.
  const options = { nodeOf: (name: string) => vnodes.get(name), paused: () => false, clock: () => 0 };
  const leases = createVnodeLeases(context, options);
  leases.start();
  leases.start();
  while (renewed.length < 30) {
    const now = Math.min(8, 30 - renewed.length);
    await vi.waitFor(() => expect(waiting).toHaveLength(now), { timeout: 10_000 });
    for (const response of waiting.splice(0)) response.end('{}');
  }
  expect(most).toBe(8);
  expect(new Set(renewed).size).toBe(30);
  for (const response of waiting) response.end('{}');
  await leases.stop();
  server.stop();
});

test.each([
  ['waits for its pods, is renewed', ['kubeocean.io/vnode'], 1],
  ['is going for good, is not', ['somebody.else/finalizer'], 0],
])('the Lease of a vnode that is deleted and %s', async (_, finalizers, times) => {
  const server = await TestServer.start();
  let renewals = 0;
  server.answer = (_request, response) => {
    renewals++;
    response.end('{}');
  };
  const vnodes = new Store<KubeObject>();
  const vnode = { metadata: { name: 'v', uid: 'u', finalizers, deletionTimestamp: '2026-11-21T06:00:00Z' } };
  vnodes.set(vnode);
  const looked = Promise.withResolvers<void>();
  const context = {
    home: new KubeClient(server.transport()),
    stores: { vnodes },
    leadership: { isCurrent: () => true, leaseTime: () => new Date(0) },
    queue: () => ({ observe: () => looked.resolve() }),
  } as unknown as SyncerContext;
  const leases = createVnodeLeases(context, { nodeOf: (name) => vnodes.get(name), paused: () => false });
  leases.start();
  await looked.promise;
  expect(renewals).toBe(times);
  await leases.stop();
  server.stop();
});

test('a renewal bears the time of the leadership, which never goes back, and not that of the clock', async () => {
  const server = await TestServer.start();
  const written = Promise.withResolvers<string>();
  server.answer = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      written.resolve(body);
      response.end('{}');
    });
  };
  const vnodes = new Store<KubeObject>();
  vnodes.set({ metadata: { name: 'v', uid: 'u' } });
  const context = {
    home: new KubeClient(server.transport()),
    stores: { vnodes },
    leadership: { isCurrent: () => true, leaseTime: () => new Date('2026-11-21T07:00:00Z') },
    now: () => new Date('2026-11-21T06:00:00Z'),
    queue: () => ({}),
  } as unknown as SyncerContext;
  const leases = createVnodeLeases(context, { nodeOf: (name) => vnodes.get(name), paused: () => false });
  leases.start();
  expect(await written.promise).toContain('"renewTime":"2026-11-21T07:00:00.000000Z"');
  await leases.stop();
  server.stop();
});
