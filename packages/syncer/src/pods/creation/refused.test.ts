/** What a pod's user is told, against a server of the tests' own. */
import type { LeasedNode } from '@kubeocean/shared/api';
import { ApiError, ConnectionError, KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRefusals } from './refusals.ts';
import { type Asking, refusedByServer } from './refused.ts';
import { FACTS, samplePod } from '../samples.ts';
import type { PodState } from '../state.ts';
import type { PodStatus } from '../types.ts';

let server: TestServer;
let patches: PodStatus[] = [];
const PODS = '/api/v1/namespaces/kubeocean-worker/pods';

beforeAll(async () => {
  server = await TestServer.start();
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      patches.push((JSON.parse(Buffer.concat(chunks).toString()) as { status: PodStatus }).status);
      response.end(JSON.stringify({ metadata: { name: 'web' } }));
    });
  };
});
afterAll(() => server.stop());

test.each([
  ['a refusal', 403, [1000, 2000, 4000]],
  ['a webhook that does not answer', 500, ['thrown', 'thrown', 'thrown']],
])('words that differ each time only in numbers are told once, and wake nobody: %s', async (_, code, outcomes) => {
  patches = [];
  const told = new Set<string>();
  const context = {
    ...FACTS,
    home: new KubeClient(server.transport()),
    leadership: { isCurrent: () => true },
    log: { debug: () => undefined },
    now: () => new Date(),
    homeEvents: {
      event: (_s: KubeObject, _t: string, reason: string, words: string) => told.add(`${reason}: ${words}`),
    },
  };
  const state = { context } as unknown as PodState;
  const record = { status: { phase: 'Active', allocatable: { cpu: '1' } } } as unknown as LeasedNode;
  const asking: Asking = { state, home: samplePod(), record, refusals: createRefusals(() => []) };
  for (const [at, expected] of outcomes.entries()) {
    const words = `read tcp 10.0.0.2:${30_000 + at}->10.96.0.7:443: connection reset`;
    const error = new ApiError(code, { message: words }, 'POST', PODS);
    const outcome = await refusedByServer(asking, samplePod(), error).catch(() => 'thrown');
    expect(outcome).toEqual(expected === 'thrown' ? expected : { againInMs: expected });
    expect(asking.refusals.left(asking.home, record)).toBeGreaterThan(0);
    // The watch tells of the patch.
    const status = patches.at(-1);
    if (status) asking.home = { ...asking.home, status };
  }
  expect(patches).toHaveLength(1);
  expect(told.size).toBe(code === 403 ? 1 : 0);
});

test.each<[what: string, failure: (server: string, n: number) => Error]>([
  ['takes too long', (at, n) => new ConnectionError(at, n % 2 ? 'ETIMEDOUT' : 'ECONNRESET', 'no answer')],
  ['is not served', () => new ApiError(503, {}, 'POST', PODS)],
])('a pod whose creation in the worker %s again and again says so, once', async (_, failure) => {
  patches = [];
  const client = new KubeClient(server.transport());
  const worker = new KubeClient(server.transport('/worker'));
  const context = {
    ...FACTS,
    home: client,
    worker,
    leadership: { isCurrent: () => true },
    log: { debug: () => undefined },
    now: () => new Date(),
  };
  const state = { context } as unknown as PodState;
  const record = { status: { phase: 'Active' } } as unknown as LeasedNode;
  const asking: Asking = { state, home: samplePod(), record, refusals: createRefusals(() => []) };
  const atHome = new ConnectionError(client.transport.server, 'ETIMEDOUT', 'no answer in time');
  for (let n = 0; n < 10; n++) await expect(refusedByServer(asking, samplePod(), atHome)).rejects.toBe(atHome);
  for (let n = 1; n <= 10; n++) {
    const error = failure(worker.transport.server, n);
    await expect(refusedByServer(asking, samplePod(), error)).rejects.toBe(error);
    // A moment's silence is none of the user's concern.
    expect(patches).toHaveLength(n < 6 ? 0 : 1);
    // The watch tells of the patch.
    const status = patches.at(-1);
    if (status) asking.home = { ...asking.home, status };
  }
  expect(patches[0]?.message).toMatch(/^the worker cluster does not answer:/);
});
