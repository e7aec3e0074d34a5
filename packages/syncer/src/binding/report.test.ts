import { type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
import { ConnectionError, type KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { Peer } from '../volumes/peer.ts';
import { createBindingReport } from './report.ts';

let home: Peer;

beforeAll(async () => {
  home = await Peer.start();
});
afterAll(() => home.stop());

test('a message of the worker’s that is too long for a status is cut, and written once', async () => {
  const binding = home.put(ClusterBindings, sampleBinding());
  const report = createBindingReport({
    home: home.client(),
    binding: () => binding,
    uid: 'binding-uid',
    now: () => new Date(0),
    mayWrite: () => true,
    onError: (error) => expect.fail(String(error)),
  });
  for (let n = 0; n < 2; n++) {
    const message = `the worker\u009b says: ${'x'.repeat(40_000)}`;
    report.condition({ type: 'WorkerReachable', status: 'False', reason: 'Unreachable', message });
    await report.flush();
  }
  await report.stop();
  const [condition] = home.get<ClusterBinding>(ClusterBindings, '', binding.metadata.name)?.status?.conditions ?? [];
  expect(condition?.message).toMatch(/^the worker  says: x{100}/);
  expect(condition?.message?.length).toBeLessThan(32_768);
  expect(home.writes).toEqual(['PATCH example-cluster']);
});

test('what a leader finds that stood still is not written over the words of its successor', async () => {
  const binding = home.put(ClusterBindings, sampleBinding());
  home.writes.length = 0;
  let leads = false;
  const open = () =>
    createBindingReport({
      home: home.client(),
      binding: () => binding,
      uid: 'binding-uid',
      now: () => new Date(0),
      mayWrite: () => leads,
      onError: (error) => expect.fail(String(error)),
    });
  const silent = { type: 'WorkerReachable', status: 'False', reason: 'Unreachable', message: 'no answer' } as const;
  const lost = open();
  lost.condition(silent);
  await lost.flush();
  await lost.stop();
  expect(home.writes).toEqual([]);

  // A renewal that was late came yet.
  const late = open();
  late.condition(silent);
  await late.flush();
  leads = true;
  await late.stop();
  expect(home.writes).toEqual(['PATCH example-cluster']);
});

test('what was taken although its answer got lost is taken back when it is so no more', async () => {
  let shown: unknown;
  let answers = true;
  async function apply(_: unknown, { status }: KubeObject): Promise<void> {
    await Promise.resolve();
    shown = status;
    if (!answers) throw new ConnectionError('https://home', 'ECONNRESET', 'reset');
  }
  const report = createBindingReport({
    home: { apply } as unknown as KubeClient,
    binding: sampleBinding,
    uid: 'binding-uid',
    now: () => new Date(0),
    mayWrite: () => true,
    onError: (error) => expect.fail(String(error)),
  });
  report.facts({ pods: 10 });
  await report.flush();
  answers = false;
  report.facts({ pods: 11 });
  await expect(report.flush()).rejects.toThrow('reset');
  answers = true;
  report.facts({ pods: 10 });
  await report.stop();
  expect(shown).toMatchObject({ pods: 10 });
});
