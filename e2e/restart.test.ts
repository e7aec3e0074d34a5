/**
 * The syncer killed (kill -9) at every step of a pod's life: just before the request that makes the step reaches the API
 * server, and just after it was done but before the syncer hears of it. Afterwards both sides agree, nothing has run
 * twice, and nothing is left over.
 */
import { beforeAll, describe, onTestFailed, test } from 'vitest';
import { type ApiProxy, type Hold, startApiProxy, uniqueName, waitFor } from './harness/index.ts';
import { nothingLeft, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';
import { rounds, type Step } from './restart/steps.ts';

/** Rounds that have not been seen to pass whole yet: KUBEOCEAN_UNTRIED=1 runs them. Take one out when it has. */
const UNTRIED = ['a pod on its way out', 'a pod that ends, changes or waits', 'a pod whose token is due'];
const tryAll = process.env['KUBEOCEAN_UNTRIED'] === '1';

let proxies: Record<Step['cluster'], ApiProxy>;
let rig: PodRig;

beforeAll(async () => {
  proxies = { computing: await startApiProxy('computing'), worker: await startApiProxy('worker-1') };
  rig = await podRig('restart', {
    kubeconfig: proxies.computing.kubeconfig,
    workerKubeconfig: proxies.worker.kubeconfig,
    flags: ['--worker-schedule-timeout=2'],
    allocatable: { cpu: '4k', memory: '64Gi', pods: '200' },
  });
});

/** A round of steps at which the syncer was killed once for all. */
interface Round {
  nameOf: (step: Step) => string;
  /** Steps whose pod did not come to its moment in time. */
  late: ReadonlySet<Step>;
}

/** Brings every step's pod to its moment, and kills. */
async function killAt(steps: readonly Step[]): Promise<Round> {
  const names = new Map(steps.map((step) => [step, uniqueName('p')]));
  const nameOf = (step: Step) => names.get(step) as string;
  if (rig.syncer.exit !== undefined) rig.start();
  await Promise.all(steps.map(async (step) => step.life.given?.(rig, nameOf(step))));
  const holds = new Map<Step, Hold>();
  for (const step of steps) {
    const matches: Parameters<ApiProxy['hold']>[1] = (seen) => step.request(seen, nameOf(step), rig);
    holds.set(step, proxies[step.cluster].hold(step.when, matches));
  }
  // Some lives begin with a syncer that was away.
  if (rig.syncer.exit !== undefined) rig.start();
  await Promise.all(steps.map(async (step) => step.life.trigger?.(rig, nameOf(step))));
  const missing = () => steps.filter((step) => isHeldAtAll(step) && !holds.get(step)?.isHeld);
  // What is late fails its own test only.
  await waitFor('every pod at its step', () => missing().length === 0, { timeoutMs: SLOW_MS }).catch(() => undefined);
  const late = new Set(missing());
  await rig.kill();
  for (const hold of holds.values()) hold.drop();
  rig.start();
  return { nameOf, late };
}

/** A step without a request of its own: the pod just is as its trigger left it. */
function isHeldAtAll(step: Step): boolean {
  return step.request.length > 0;
}

describe.each(Object.entries(rounds))('the syncer killed with %s', (round, steps) => {
  const untried = UNTRIED.includes(round) && !tryAll;
  let together: Promise<Round> | undefined;
  const tried = new Set<Step>();

  test.skipIf(untried).each(steps.map((step) => [step.title, step] as const))(
    '%s',
    async (_title, step) => {
      onTestFailed(() => console.log(rig.syncer.tail(15)));
      // A second try is a round of its own, with a new pod.
      const again = tried.has(step);
      tried.add(step);
      if (!again) together ??= killAt(steps);
      const { late, nameOf } = await (again ? killAt([step]) : (together as Promise<Round>));
      if (late.has(step)) throw new Error('the pod did not come to this moment');
      await step.life.outcome(rig, nameOf(step));
    },
    // The first of a round waits for all of its pods to come to their moments.
    3 * SLOW_MS,
  );
});

test('nothing is left of any of them', async () => {
  await nothingLeft(rig);
});
