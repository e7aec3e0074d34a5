/**
 * The deletion guard: home that suddenly has no pods any more (a backup was put back) empties the worker no faster than
 * the guard lets it, until a person approves; so does a worker that suddenly has none. What users delete is never counted.
 */
import { type Condition, type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { beforeAll, expect, onTestFailed, test } from 'vitest';
import { afterTest, free, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { FOREVER, nothingLeft, type Pod, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';

/** More than the guard lets go in a minute, which is 20 of so few. */
const COUNT = 26;
const AT_ONCE = 20;
let rig: PodRig;

beforeAll(async () => {
  rig = await podRig('guard', { allocatable: { cpu: '100k', memory: '64Gi', pods: '200' } });
});

async function createAll(spec: Record<string, unknown>): Promise<void> {
  const prefix = uniqueName('g');
  await Promise.all(Array.from({ length: COUNT }, (_, at) => rig.create(`${prefix}-${at}`, spec)));
}

/** No node of the worker has room for them: pods without containers are as good here, and cost nothing. */
async function createMany(): Promise<void> {
  await createAll(rig.spec(FOREVER, {}, { resources: { requests: { cpu: '900' } } }));
  await waitFor('all worker pods', async () => (await rig.copies(Pods)).length === COUNT, { timeoutMs: SLOW_MS });
}

/** How many pods at home are in each phase. */
async function phases(): Promise<Record<string, number>> {
  const { items } = await rig.home.list<Pod>(Pods, { namespace: rig.homeNamespace });
  const counts: Record<string, number> = {};
  for (const { status } of items) counts[status?.phase ?? ''] = (counts[status?.phase ?? ''] ?? 0) + 1;
  return counts;
}

async function inPhases(expected: Record<string, number>): Promise<void> {
  await waitFor(
    JSON.stringify(expected),
    async () => {
      expect(await phases()).toEqual(expected);
      return true;
    },
    { timeoutMs: SLOW_MS, everyMs: 200 },
  );
}

async function guard(): Promise<Condition | undefined> {
  const { status } = await rig.binding();
  return status?.conditions?.find(({ type }) => type === 'DeletionGuard');
}

/** Waits until the guard holds back all but those that it lets go at once. @returns what it says */
function guardHolds(): Promise<Condition> {
  return waitFor(
    'the guard',
    async () => {
      const said = await guard();
      if (said?.status === 'True' && said.message?.startsWith(`${COUNT - AT_ONCE} pods`)) return said;
      throw new Error(JSON.stringify(said));
    },
    { timeoutMs: SLOW_MS },
  );
}

/** Lets go what the guard holds back, as it says. */
async function approve({ message }: Condition): Promise<void> {
  const [, approval = ''] = /(kubeocean\.io\/approve-deletions=\w+)$/.exec(message ?? '') ?? [];
  expect(approval).not.toBe('');
  await kubectl('computing', ['annotate', 'clusterbinding', rig.bindingName, '--overwrite', approval]);
}

async function guardRests(): Promise<void> {
  await waitFor('the guard at rest', async () => (await guard())?.status === 'False', { timeoutMs: SLOW_MS });
}

/** What the vnode offers of its cpu. */
async function cpuShown(): Promise<string | undefined> {
  type Shown = KubeObject & { status: { allocatable?: Record<string, string> } };
  return (await rig.home.get<Shown>(Nodes, '', rig.vnode)).status.allocatable?.['cpu'];
}

test('users delete as many as they like', async () => {
  onTestFailed(() => console.log(rig.syncer.tail(15)));
  await createMany();
  await kubectl('computing', ['-n', rig.homeNamespace, 'delete', 'pods', '--all', '--wait=false']);
  await waitFor(
    'all gone',
    async () => {
      expect((await guard())?.status).toBe('False');
      return (await rig.copies(Pods)).length === 0;
    },
    { timeoutMs: SLOW_MS },
  );
});

test('pods that home lost go no faster than the guard lets them, and on approval', async () => {
  onTestFailed(() => console.log(rig.syncer.tail(15)));
  if (rig.syncer.exit !== undefined) rig.start();
  await createMany();
  await rig.kill();
  await kubectl('computing', ['-n', rig.homeNamespace, 'delete', 'pods', '--all', '--force', '--grace-period=0']);
  rig.start();
  const condition = await guardHolds();
  await waitFor('what may go gone', async () => (await rig.copies(Pods)).length <= COUNT - AT_ONCE);
  expect((await rig.copies(Pods)).length).toBe(COUNT - AT_ONCE);
  // Home counts none of those that are held back: the vnode tells that their room is not free.
  await waitFor('their room taken off', async () => (await cpuShown()) === String(100_000 - 900 * (COUNT - AT_ONCE)));
  await approve(condition);
  await nothingLeft(rig);
  await waitFor('all that is lent', async () => (await cpuShown()) === '100k');
  await guardRests();
});

test('pods that the worker lost fail no faster than the guard lets them; the others go on as they were, until approval', {
  timeout: 240_000,
}, async () => {
  onTestFailed(() => console.log(rig.syncer.tail(15)));
  if (rig.syncer.exit !== undefined) rig.start();
  afterTest(async () => {
    const { items } = await rig.home.list(Pods, { namespace: rig.homeNamespace });
    await Promise.all(items.map(({ metadata }) => free(rig.home, Pods, rig.homeNamespace, metadata.name)));
  });
  const pause = { image: 'kubeocean.local/pause:1', imagePullPolicy: 'Never', command: ['/pause'] };
  await createAll(rig.spec('', { restartPolicy: 'Never', automountServiceAccountToken: false }, pause));
  await inPhases({ Running: COUNT });
  await rig.kill();
  // As they are in a worker that was put back from a backup: without a trace.
  const { worker, mountNamespace } = rig;
  await Promise.all((await rig.copies(Pods)).map((name) => free(worker, Pods, mountNamespace, name)));
  rig.start();
  const condition = await guardHolds();
  await inPhases({ Failed: AT_ONCE, Running: COUNT - AT_ONCE });
  await approve(condition);
  await inPhases({ Failed: COUNT });
  await guardRests();
  const { items } = await rig.home.list<Pod>(Pods, { namespace: rig.homeNamespace });
  expect(items.map(({ status }) => status?.reason)).toEqual(Array.from({ length: COUNT }, () => 'WorkerPodLost'));
});
