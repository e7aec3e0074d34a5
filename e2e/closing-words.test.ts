/**
 * What home says of a pod that its lease ends does not hang on a condition that others write too; words of a closing that
 * was called off are taken back; an agent that was suspended over a closing makes up for it at once. What the agent says of
 * nodes and of its cluster reaches home.
 */
import { setTimeout as after } from 'node:timers/promises';
import { Annotation } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, Leases, Namespaces, Nodes, Pods } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { endedByLease } from './closing/ended.ts';
import { watchReaction } from './closing/reaction.ts';
import { ClosingRig, FORCED, type HomePod, OBEYS } from './closing/rig.ts';
import { waitFor } from './harness/index.ts';
import { Budgets } from './worker-agent/rig.ts';

const rig = new ClosingRig();
const SLOW = { timeoutMs: 90_000, everyMs: 200 };
/** Takes its time to end, with exit code 0. */
const SLOWLY = 'trap "sleep 8; exit 0" TERM; sleep 1000000 & wait';

beforeAll(() => rig.setUp(FORCED));

beforeEach(async () => {
  onTestFailed(() => console.log(rig.lastWords()));
  await rig.beginDay();
});

/** A home pod that runs, which a budget of its user keeps from the syncer, so that it is the agent who ends it. */
async function startKept(name: string, script: string): Promise<void> {
  await rig.createPod(name, script, { terminationGracePeriodSeconds: 20 });
  const selector = { matchLabels: { app: name } };
  await rig.home.create(Budgets, { metadata: { name, namespace: rig.ns }, spec: { minAvailable: 1, selector } });
  await rig.phase(name, 'Running');
}

/** The counterpart, once it is as asked. */
function counterpart(name: string, what: string, is: (pod: HomePod) => boolean): Promise<HomePod> {
  return waitFor(
    `${name} ${what}`,
    async () => {
      const pod = await rig.counterpart(name);
      if (is(pod)) return pod;
      throw new Error(
        JSON.stringify({ ...pod.metadata, managedFields: undefined, conditions: pod.status?.conditions }),
      );
    },
    SLOW,
  );
}

function ignore(): void {
  // Best effort: what a failed try leaves behind.
}

function disruptionOf({ status }: HomePod) {
  return status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
}

test('a pod whose DisruptionTarget somebody set to False is ended by its lease all the same', async () => {
  const name = `reset-${rig.days}`;
  await startKept(name, SLOWLY);
  rig.at('20:00:00');
  await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Closing', reclaimStage: 'Notice' });
  rig.at('20:01:40');
  const { metadata } = await counterpart(
    name,
    'going, and the agent has said why for the second time, after the Eviction API',
    (pod) => pod.metadata.deletionTimestamp !== undefined && disruptionOf(pod)?.reason === 'LeaseClosed',
  );
  expect(metadata.annotations?.[Annotation.leaseClosed]).toContain('no time window');
  const reset = {
    status: { conditions: [{ type: 'DisruptionTarget', status: 'False', reason: 'ByHand', message: '' }] },
  };
  const { client } = rig.worker;
  await client.patch<KubeObject>(Pods, rig.binding, metadata.name, reset, { type: 'strategic', subresource: 'status' });
  const ended = await rig.phase(name, 'Failed');
  endedByLease(ended, rig.binding);
  await rig.forgetPod(name);
});

test('a pod that stays after all is not said to have been ended by its lease later', async () => {
  const name = `stays-${rig.days}`;
  await startKept(name, OBEYS);
  const { client } = rig.worker;
  await rig.holdInWorker(name);
  rig.at('20:00:00');
  await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Closing', reclaimStage: 'Notice' });
  rig.at('20:01:40');
  await counterpart(name, 'told', ({ metadata }) => metadata.annotations?.[Annotation.leaseClosed] !== undefined);
  // It does not go, so home does not say that it does: not even when the syncer has had the time to.
  await after(1000);
  expect(disruptionOf(await rig.pod(name))).toBeUndefined();
  rig.days++;
  rig.at('12:00:00');
  await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Active' });
  const kept = await counterpart(
    name,
    'untold',
    ({ metadata }) => metadata.annotations?.[Annotation.leaseClosed] === undefined,
  );
  expect(kept.metadata.deletionTimestamp).toBeUndefined();
  await client.delete(Pods, rig.binding, kept.metadata.name);
  expect((await rig.phase(name, 'Failed')).status?.reason).toBe('WorkerPodLost');
  await rig.forgetPod(name);
});

test('an agent that was suspended while the window closed closes it when it goes on', async () => {
  const name = `asleep-${rig.days}`;
  const agent = rig.worker.agent;
  await rig.createPod(name, OBEYS);
  await rig.phase(name, 'Running');
  rig.at('19:59:48');
  const setAt = performance.now();
  const node = rig.nodes[0] as string;
  await waitFor('notice', async () => (await rig.worker.record(node)).status?.noticedAt !== undefined, SLOW);
  agent?.pause();
  try {
    // Past the closing, by every clock there is.
    await after(15_000 - (performance.now() - setAt));
    expect((await rig.worker.record(node)).status?.phase).toBe('Active');
  } finally {
    agent?.resume();
  }
  await rig.worker.becomes(node, { phase: 'Closing', reclaimStage: 'Notice' }, 60_000);
  await rig.tainted('NoSchedule');
  rig.at('20:01:40');
  await waitFor('nothing lent runs', async () => (await rig.workerPods()).length === 0, SLOW);
  await rig.phase(name, 'Failed');
  await rig.forgetPod(name);
});

test('a cordon and a taint of a worker node show on its vnode within seconds', { timeout: 240_000 }, async () => {
  const node = rig.nodes[0] as string;
  const wanted = ['kubeocean.io/physical-node-unschedulable', 'test/dedicated'];
  const as = { unschedulable: true, taints: [{ key: 'test/dedicated', value: 'x', effect: 'NoSchedule' }] };
  const before = { unschedulable: null, taints: null };
  onTestFinished(() => rig.worker.client.patch(Nodes, '', node, { spec: before }).then(ignore, ignore));
  const reaction = await watchReaction(rig, node);
  const took: number[] = [];
  for (let round = 0; round < 5; round++) {
    took.push(await reaction.measure(as, wanted, true), await reaction.measure(before, wanted, false));
  }
  took.sort((a, b) => a - b);
  console.log(`shown on the vnode after ${took.map(Math.round).join(', ')} ms`);
  // docs/leasing.md says what it is on a quiet machine; this one may be doing much else.
  expect(took.at(-1)).toBeLessThan(10_000);
});

test('a node that is deleted takes its vnode along', async () => {
  const { client } = rig.worker;
  const name = `${rig.ns}-gone`;
  const amounts = { cpu: '1', memory: '1Gi', pods: '10' };
  const metadata = { name, labels: { 'kubernetes.io/hostname': name } };
  await client.create(Nodes, { metadata, spec: {}, status: { capacity: amounts, allocatable: amounts } });
  onTestFinished(() => client.delete(Nodes, '', name).then(ignore, ignore));
  await waitFor('its vnode', () => rig.vnode(name), SLOW);
  await client.delete(Nodes, '', name);
  await waitFor('no vnode', () => rig.vnode(name).then(() => false, isNotFound), SLOW);
});

test('a worker cluster that is another one by now makes the syncer start anew', async () => {
  const { client } = rig.worker;
  const heartbeat = () => client.get(Leases, rig.binding, 'kubeocean-agent');
  const said = async () => (await heartbeat()).metadata.annotations?.[Annotation.workerClusterUID];
  expect(await said()).toBe((await client.get(Namespaces, '', 'kube-system')).metadata.uid);
  const before = rig.syncer;
  const annotations = { [Annotation.workerClusterUID]: 'of-another' };
  await client.patch(Leases, rig.binding, 'kubeocean-agent', { metadata: { annotations } });
  await waitFor('end of the syncer', () => before.exit !== undefined, SLOW);
  expect(before.tail(5)).toContain('the worker cluster is another one by now');
  // The agent puts it right at its next beat.
  await waitFor('own UID', async () => (await said()) !== 'of-another', SLOW);
  await rig.startSyncer();
});
