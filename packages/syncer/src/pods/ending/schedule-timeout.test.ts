/** Pods that the worker does not place, against a server of the tests' own. */
import type { LeasedNodeStatus } from '@kubeocean/shared/api';
import { type Condition, KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { RefusedDeletions } from './refused-deletions.ts';
import { FACTS, samplePod } from '../samples.ts';
import { watchScheduling } from './schedule-timeout.ts';
import type { PodState } from '../state.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod, PodStatus } from '../types.ts';
import { Unplaced } from '../placement/unplaced.ts';

const home = samplePod();
let server: TestServer;
let calls: string[];
let told: string[];

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  calls = [];
  told = [];
  server.answer = (request, response) => {
    request.resume();
    calls.push(`${request.method} ${new URL(request.url ?? '', 'https://server').pathname.split('/').at(-2)}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ metadata: { name: 'x' } }));
  };
});
afterEach(() => server.reset());
afterAll(() => server.stop());

function workerPod(status: PodStatus = { phase: 'Pending' }, spec: object = {}): Pod {
  const pod = toWorkerPod(home, FACTS);
  const metadata = { ...pod.metadata, uid: 'w', resourceVersion: '5' };
  return { ...pod, metadata, spec: { ...pod.spec, ...spec }, status };
}

function watcher(timeoutSeconds: number, status?: LeasedNodeStatus) {
  const client = new KubeClient(server.transport());
  const context = {
    ...FACTS,
    worker: client,
    mayWriteWorker: () => true,
    settings: { workerScheduleTimeoutSeconds: timeoutSeconds },
    stores: { records: { byIndex: () => (status ? [{ spec: { nodeName: 'node1' }, status }] : []) } },
    log: { warn: () => undefined },
    homeEvents: {
      event: (_subject: object, _type: string, reason: string, message: string) =>
        void told.push(`${reason}: ${message}`),
    },
  };
  const memory = { unplaced: new Unplaced(), deletions: new RefusedDeletions() };
  return (worker: Pod) => watchScheduling({ context, deleted: new Map() } as unknown as PodState, memory, home, worker);
}

test('a pod that no scheduler has looked at is deleted when its time is over, and told why', async () => {
  // So short that it is over at the first look.
  expect(await watcher(-1)(workerPod())).toEqual({});
  expect(calls).toEqual(['DELETE pods']);
  expect(told).toEqual([expect.stringMatching(/^WorkerUnschedulable: .* no scheduler there has looked at it/)]);
});

test('until then it is looked at when it is worth a word, and when its time is over', async () => {
  const { againInMs = 0 } = await watcher(300)(workerPod());
  expect(againInMs).toBeGreaterThan(29_000);
  expect(againInMs).toBeLessThan(30_101);
  const { againInMs: sooner = 0 } = await watcher(10)(workerPod());
  expect(sooner).toBeLessThan(10_101);
  expect([calls, told]).toEqual([[], []]);
});

test('without a limit it is told as well, and never deleted', async () => {
  expect((await watcher(0)(workerPod())).againInMs).toBeGreaterThan(29_000);
  const refused: Condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' };
  expect(await watcher(0)(workerPod({ phase: 'Pending', conditions: [refused] }))).toEqual({});
  expect([calls, told]).toEqual([[], ['WorkerUnschedulable: the worker cluster cannot place the pod: no room']]);
});

test('a pod that has a node is left alone', async () => {
  expect(await watcher(-1)(workerPod({ phase: 'Pending' }, { nodeName: 'node1' }))).toEqual({});
  expect([calls, told]).toEqual([[], []]);
});

test.each<[string, LeasedNodeStatus, string[]]>([
  ['its window has closed', { phase: 'Closing', reason: 'WindowClosed' }, ['DELETE pods']],
  ['its lease is over', { phase: 'Closed', reason: 'NodeGone' }, ['DELETE pods']],
  ['its policy is gone for a moment', { phase: 'Closing', reason: 'PolicyGone' }, []],
  ['its lease is open', { phase: 'Active' }, []],
])(
  'a pod that waits for its node does not get it any more once that takes no new pods: %s',
  async (_, status, ends) => {
    await watcher(0, status)(workerPod());
    expect(calls).toEqual(ends);
    expect(told.map((event) => event.split(':')[0])).toEqual(ends.map(() => 'LeaseClosed'));
    calls = [];
    await watcher(0, status)(workerPod({ phase: 'Pending' }, { nodeName: 'node1' }));
    expect(calls).toEqual([]);
  },
);
