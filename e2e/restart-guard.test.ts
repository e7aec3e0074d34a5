/**
 * The deletion guard: home that suddenly has no pods any more (a backup was put back) empties the worker no faster than
 * the guard lets it, until a person approves. What users delete is never counted.
 */
import { type Condition, Pods } from '@kubeocean/shared/kube';
import { beforeAll, expect, onTestFailed, test } from 'vitest';
import { kubectl, uniqueName, waitFor } from './harness/index.ts';
import { FOREVER, nothingLeft, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';

/** More than the guard lets go in a minute, which is 20 of so few. */
const COUNT = 26;
const AT_ONCE = 20;
let rig: PodRig;

beforeAll(async () => {
  rig = await podRig('guard', { allocatable: { cpu: '100k', memory: '64Gi', pods: '200' } });
});

/** No node of the worker has room for them: pods without containers are as good here, and cost nothing. */
async function createMany(): Promise<void> {
  const prefix = uniqueName('g');
  const spec = rig.spec(FOREVER, {}, { resources: { requests: { cpu: '900' } } });
  await Promise.all(Array.from({ length: COUNT }, (_, at) => rig.create(`${prefix}-${at}`, spec)));
  await waitFor('all worker pods', async () => (await rig.copies(Pods)).length === COUNT, { timeoutMs: SLOW_MS });
}

async function guard(): Promise<Condition | undefined> {
  const { status } = await rig.binding();
  return status?.conditions?.find(({ type }) => type === 'DeletionGuard');
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
  const condition = await waitFor(
    'the guard',
    async () => {
      const said = await guard();
      return said?.status === 'True' && said.message?.startsWith(`${COUNT - AT_ONCE} pods`) && said;
    },
    { timeoutMs: SLOW_MS },
  );
  await waitFor('what may go gone', async () => (await rig.copies(Pods)).length <= COUNT - AT_ONCE);
  expect((await rig.copies(Pods)).length).toBe(COUNT - AT_ONCE);
  const [, approval = ''] = /(kubeocean\.io\/approve-deletions=\w+)$/.exec(condition.message ?? '') ?? [];
  expect(approval).not.toBe('');
  await kubectl('computing', ['annotate', 'clusterbinding', rig.bindingName, '--overwrite', approval]);
  await nothingLeft(rig);
  await waitFor('the guard at rest', async () => (await guard())?.status === 'False', { timeoutMs: SLOW_MS });
});
