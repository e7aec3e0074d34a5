import type { ServerResponse } from 'node:http';
import { KubeClient, Pods } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { currentBinding, type Epochs, type EpochStep, nextStep } from './epoch.ts';
import { claimLease, type Claimant, judgeClaim } from './judge.ts';

const now = new Date('2026-11-21T06:00:00Z');

test.each<[string, string | undefined, Epochs, string | undefined, EpochStep]>([
  ['a leadership that begins', undefined, { epoch: 'a', previousEpoch: undefined }, 'a', 'raise'],
  ['a new binding', undefined, { epoch: undefined, previousEpoch: undefined }, undefined, 'raise'],
  ['the claim lags behind', 'b', { epoch: 'b', previousEpoch: 'a' }, 'a', 'pass on'],
  ['the claim is gone', 'b', { epoch: 'b', previousEpoch: undefined }, undefined, 'pass on'],
  ['both have it', 'b', { epoch: 'b', previousEpoch: 'a' }, 'b', 'tidy'],
  ['all is done', 'b', { epoch: 'b', previousEpoch: undefined }, 'b', 'renew'],
  ['another has raised it since', 'b', { epoch: 'c', previousEpoch: undefined }, 'c', 'superseded'],
])('%s', (_what, own, home, claim, step) => {
  expect(nextStep(own, home, claim)).toBe(step);
});

/** Both clusters, and the leaderships that raise the epoch step by step, each perhaps ended after any write. */
interface World {
  home: Epochs;
  claim: string | undefined;
}

function verdictOf({ home, claim }: World): string {
  const us: Claimant = { binding: sampleBinding(), bindingUID: 'binding-uid', homeUID: 'home', ...home };
  const lease = claim === undefined ? undefined : claimLease(us, claim, now);
  const verdict = judgeClaim(lease, us);
  return verdict.kind === 'refused' ? verdict.reason : verdict.kind;
}

/** One leadership: at most `writes` of its writes happen. */
function lead(world: World, own: string, writes: number): World {
  const theirs = world.claim;
  const steps: ((at: World) => World)[] = [
    (at) => ({ ...at, home: { epoch: own, previousEpoch: theirs } }),
    (at) => ({ ...at, claim: own }),
    (at) => ({ ...at, home: { epoch: own, previousEpoch: undefined } }),
  ];
  return steps.slice(0, writes).reduce((at, step) => step(at), world);
}

test('leaderships that end anywhere are never taken for a restored cluster; a restored one always is', () => {
  const ends = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(ends, fc.nat(), fc.constantFrom('home' as const, 'worker' as const), (writes, back, side) => {
      const history: World[] = [];
      let world: World = { home: { epoch: undefined, previousEpoch: undefined }, claim: undefined };
      for (const [at, count] of writes.entries()) {
        world = lead(world, `epoch-${at}`, count);
        expect(verdictOf(world)).toBe(world.claim === undefined ? 'create' : 'ours');
        history.push(world);
      }
      // All of it done, then one side is put back to what it was at some time before.
      const old = history[back % history.length] as World;
      world = lead(world, 'last', 3);
      const restored = side === 'home' ? { ...world, home: old.home } : { ...world, claim: old.claim };
      if (restored.claim !== undefined) expect(verdictOf(restored)).toBe('ForeignEpoch');
    }),
  );
});

test('home is asked for the binding though all its connections wait for answers that do not come', async () => {
  const server = await TestServer.start();
  const waiting: ServerResponse[] = [];
  server.answer = (request, response) => {
    if (request.url?.includes('/pods/')) waiting.push(response);
    else response.end(JSON.stringify(sampleBinding()));
  };
  const home = new KubeClient(server.transport());
  const most = 64;
  const stuck = Array.from({ length: most + 1 }, (_, at) => home.get(Pods, 'default', `p${at}`).catch(() => undefined));
  await vi.waitFor(() => expect(waiting).toHaveLength(most), { timeout: 10_000 });
  expect(await currentBinding(home, 'example-cluster')).toEqual(sampleBinding());
  expect(waiting).toHaveLength(most);
  server.reset();
  server.stop();
  await Promise.all(stuck);
}, 20_000);
