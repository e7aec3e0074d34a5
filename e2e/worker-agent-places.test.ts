/**
 * Lent pods that are where or more than they may be, less lent than pods hold, a policy that is not valid while the agent
 * is started anew, and pods that nobody follows any more: on real nodes, with claims and pods made by hand.
 */
import { Annotation, claimName, Finalizer, LeasedNodes } from '@kubeocean/shared/api';
import { isAlreadyExists, isNotFound, Leases, Nodes, Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { kubectl, waitFor } from './harness/index.ts';
import { Rig } from './worker-agent/rig.ts';

const rig = new Rig('worker-1');
const flags = ['--notice-seconds=0', '--reclaim-deadline=4'];
/** Longer than the longest time for which the agent makes sure. */
const settled = { timeoutMs: 90_000 };
let node: string;
let other: string;

function lend(cpu: string, more: object = {}, by = rig): Promise<void> {
  return by.setPolicy({
    nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }] },
    resourceLimits: [{ resource: 'cpu', quantity: cpu }],
    ...more,
  });
}

async function allocatable(cpu: string): Promise<void> {
  await waitFor(`cpu ${cpu} lent`, async () => (await rig.record(node)).status?.allocatable?.['cpu'] === cpu);
}

async function condition(type: string, expected: object): Promise<void> {
  await waitFor(`${type} becoming ${JSON.stringify(expected)}`, async () => {
    expect((await rig.policy()).status?.conditions?.find((each) => each.type === type)).toMatchObject(expected);
    return true;
  });
}

beforeAll(async () => {
  [node, other] = (await rig.client.list(Nodes)).items.map(({ metadata }) => metadata.name) as [string, string];
  await begin(rig);
});

/** Lends some of the one node, by an agent of the rig's own. */
async function begin(by: Rig): Promise<Rig> {
  await by.setUp();
  by.setClock('2026-11-20T12:00:00Z');
  await lend('200m', {}, by);
  await by.startAgent(...flags);
  await by.becomes(node, { phase: 'Active' });
  return by;
}

/** A lent pod that runs. */
async function running(by: Rig, name: string, finalizers: string[] = []): Promise<void> {
  await by.createPod(name, { node, cpu: '50m', finalizers });
  await by.running(name);
}

// The agent makes sure for half a minute before it does either: both at once, each in a namespace of its own.
test.concurrent('a pod on a node that is not lent is deleted, after a while', async () => {
  const strays = await begin(new Rig('worker-1'));
  await running(strays, 'lent');
  await strays.createPod('stray', { node: other });
  const event = await waitFor('the event', () => strays.event('Pod', 'stray', /^NotLent/), settled);
  expect(event).toContain(`node ${other} is not lent to ${strays.name}`);
  await strays.gone('stray');
  expect((await strays.pod('lent')).metadata.deletionTimestamp).toBeUndefined();
});

test.concurrent('a claim that the owner releases leaves nothing behind: pods are taken back, finalizers taken off, records removed', async () => {
  const released = await begin(new Rig('worker-1'));
  await Promise.all([
    running(released, 'first', [Finalizer.homeSync]),
    running(released, 'ended', [Finalizer.homeSync, 'example.com/of-another']),
  ]);
  await released.client.patch(Leases, released.name, claimName(released.name), {
    metadata: { annotations: { [Annotation.release]: 'true' } },
  });
  await released.becomes(node, { phase: 'Closed', reason: 'Released' });
  await waitFor('the end of first', () => released.pod('first').then(() => false, isNotFound), settled);
  await waitFor(
    'our finalizer gone, the other left',
    async () => {
      expect((await released.pod('ended')).metadata.finalizers).toEqual(['example.com/of-another']);
      return true;
    },
    settled,
  );
  await released.letGo('ended');
  await released.gone('ended');
  await waitFor('no records', async () => {
    const { items } = await released.client.list(LeasedNodes, { namespace: released.name });
    return items.length === 0;
  });
  expect((await released.client.list(Pods, { namespace: released.name })).items).toEqual([]);
});

describe('more pods than are lent', () => {
  test('are deleted, the newest, and say why; those before stay', async () => {
    // A second try finds the pods of the first.
    const there = (error: unknown) => expect(error).toSatisfy(isAlreadyExists);
    await rig.createPod('first', { node, cpu: '150m', finalizers: [Finalizer.homeSync] }).catch(there);
    await rig.running('first');
    await rig.createPod('second', { node, cpu: '100m', finalizers: [Finalizer.homeSync] }).catch(there);
    const words = `node ${node} has no room left for it in what is lent to ${rig.name} (cpu 200m,`;
    expect(await rig.event('Pod', 'second', /^LeaseExceeded/)).toContain(words);
    const { metadata, status } = await rig.pod('second');
    expect(metadata.deletionTimestamp).toBeDefined();
    expect(metadata.annotations?.[Annotation.leaseClosed]).toContain(words);
    // The kubelet that ends the pod may have put its own False over the agent's True by now (seen); the words stay in the annotation.
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'DisruptionTarget' }));
    await rig.letGo('second');
    await rig.gone('second');
    expect((await rig.pod('first')).metadata.deletionTimestamp).toBeUndefined();
  });
});

describe('less lent than pods hold', () => {
  test('is said on record and policy; nobody is ended for it, also not by an agent started anew', async () => {
    await lend('50m');
    // It may still say what it said of the pod too many.
    await waitFor('the record to say so', async () => {
      expect((await rig.record(node)).status).toMatchObject({
        phase: 'Active',
        reason: 'Shrunk',
        message: expect.stringContaining('cpu 150m of 50m; they stay') as string,
        allocatable: { cpu: '50m' },
        ceiling: { cpu: '150m' },
      });
      return true;
    });
    await condition('Fits', { status: 'False', reason: 'Shrunk', message: expect.stringContaining('cpu 150m of 50m') });
    await rig.event('ResourceLeasingPolicy', rig.name, /^Shrunk/);
    await rig.event('LeasedNode', `${rig.name}.${node}`, /^Shrunk/);
    const { stdout } = await kubectl('worker-1', ['-n', rig.name, 'get', 'ln', `${rig.name}.${node}`]);
    expect(stdout).toMatch(/50m .*Shrunk/);
    await rig.agent?.kill();
    await rig.startAgent(...flags);
    // One more does not fit in, although it asks for less than what is lent.
    await rig.createPod('third', { node, cpu: '10m' });
    await rig.event('Pod', 'third', /^LeaseExceeded/);
    await rig.gone('third');
    expect((await rig.pod('first')).metadata.deletionTimestamp).toBeUndefined();
  });

  test('heals when more is lent', async () => {
    await lend('300m');
    await rig.becomes(node, { phase: 'Active', reason: undefined });
    await condition('Fits', { status: 'True' });
    await rig.event('ResourceLeasingPolicy', rig.name, /^PodsFit/);
  });
});

describe('a policy that is not valid', () => {
  test('keeps its last valid spec through a restart of the agent: its limits, and its window on time', async () => {
    await lend('300m', { timeWindows: [{ start: '08:00', end: '19:59' }], timeZone: 'UTC' });
    await waitFor('the window', async () => (await rig.policy()).status?.closesAt === '2026-11-20T20:00:00Z');
    // Its form is that of a zone, so the API server takes it.
    await lend('9', { timeWindows: [{ start: '08:00', end: '22:59' }], timeZone: 'Mars/Olympus' });
    await condition('Valid', { status: 'False', message: expect.stringContaining('Mars/Olympus') });
    await rig.agent?.kill();
    await rig.startAgent(...flags);
    expect((await rig.policy()).status).toMatchObject({ phase: 'Failed', lastValidSpec: { timeZone: 'UTC' } });
    await allocatable('300m');
    rig.setClock('2026-11-20T20:00:00Z');
    await rig.becomes(node, { phase: 'Closing', reason: 'WindowClosed' });
    rig.setClock('2026-11-20T12:00:00Z');
    await rig.becomes(node, { phase: 'Active' });
    await allocatable('300m');
    expect((await rig.pod('first')).metadata.deletionTimestamp).toBeUndefined();
  });

  test('is valid again once it is corrected', async () => {
    await lend('400m');
    await allocatable('400m');
    await waitFor('no spec kept', async () => (await rig.policy()).status?.lastValidSpec === undefined);
    await condition('Valid', { status: 'True' });
  });
});
