import { type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
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
    onError: (error) => expect.fail(String(error)),
  });
  for (let n = 0; n < 2; n++) {
    const message = `the worker says: ${'x'.repeat(40_000)}`;
    report.condition({ type: 'WorkerReachable', status: 'False', reason: 'Unreachable', message });
    await report.flush();
  }
  await report.stop();
  const [condition] = home.get<ClusterBinding>(ClusterBindings, '', binding.metadata.name)?.status?.conditions ?? [];
  expect(condition?.message).toMatch(/^the worker says: x{100}/);
  expect(condition?.message?.length).toBeLessThan(32_768);
  expect(home.writes).toEqual(['PATCH example-cluster']);
});
