/**
 * The syncer killed (kill -9) at every step of a pod's life: just before the request that makes the step reaches the API
 * server, and just after it was done but before the syncer hears of it. Afterwards both sides agree, nothing has run
 * twice, and nothing is left over.
 */
import { beforeAll, describe, onTestFailed, test } from 'vitest';
import { type ApiProxy, type Hold, startApiProxy, uniqueName, waitFor } from './harness/index.ts';
import { nothingLeft, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';
import { rounds, type Step } from './restart/steps.ts';

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

/** How each step of a round ended: its own failure, if it has one. */
type Round = ReadonlyMap<Step, Promise<unknown>>;

/** Brings every step's pod to its moment, kills once for all, and looks what the next syncer makes of each. */
async function killAt(steps: readonly Step[]): Promise<Round> {
  const names = new Map(steps.map((step) => [step, uniqueName('p')]));
  const nameOf = (step: Step) => names.get(step) as string;
  if (rig.syncer.exit !== undefined) rig.start();
  await Promise.all(steps.map(async (step) => step.life.given?.(rig, nameOf(step))));
  const away = steps.filter((step) => step.life.away);
  if (away.length > 0) await rig.kill();
  await Promise.all(away.map(async (step) => step.life.away?.(rig, nameOf(step))));
  const holds = new Map<Step, Hold>();
  for (const step of steps) {
    const matches: Parameters<ApiProxy['hold']>[1] = (seen) => step.request(seen, nameOf(step), rig);
    holds.set(step, proxies[step.cluster].hold(step.when, matches));
  }
  if (rig.syncer.exit !== undefined) rig.start();
  await Promise.all(steps.map(async (step) => step.life.trigger?.(rig, nameOf(step))));
  const missing = () => steps.filter((step) => isHeldAtAll(step) && !holds.get(step)?.isHeld);
  // What is late fails its own test only.
  await waitFor('every pod at its step', () => missing().length === 0, { timeoutMs: SLOW_MS }).catch(() => undefined);
  const late = new Set(missing());
  await rig.kill();
  for (const hold of holds.values()) hold.drop();
  rig.start();
  return new Map(steps.map((step) => [step, late.has(step) ? tooLate() : failureOf(step, nameOf(step))]));
}

function tooLate(): Promise<Error> {
  return Promise.resolve(new Error('the pod did not come to this moment'));
}

/** Undefined when all is as it must be. */
async function failureOf(step: Step, name: string): Promise<unknown> {
  try {
    await step.life.outcome(rig, name);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A step without a request of its own: the pod just is as its trigger left it. */
function isHeldAtAll(step: Step): boolean {
  return step.request.length > 0;
}

describe.each(Object.entries(rounds))('the syncer killed with %s', (_round, steps) => {
  let together: Promise<Round> | undefined;
  const tried = new Set<Step>();

  test.each(steps.map((step) => [step.title, step] as const))(
    '%s',
    async (_title, step) => {
      onTestFailed(() => console.log(rig.syncer.tail(15)));
      // A second try is a round of its own, with a new pod.
      const again = tried.has(step);
      tried.add(step);
      if (!again) together ??= killAt(steps);
      const round = await (again ? killAt([step]) : (together as Promise<Round>));
      const failure = await round.get(step);
      if (failure) throw failure;
    },
    // The first of a round waits for all of its pods to come to their moments.
    3 * SLOW_MS,
  );
});

test('nothing is left of any of them', async () => {
  await nothingLeft(rig);
});
