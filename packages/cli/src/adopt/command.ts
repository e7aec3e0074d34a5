/** `kubeocean adopt BINDING`: takes over what gocrane/kubeocean left of a binding, without ending a pod. */
import type { OptionTable } from '@kubeocean/shared/daemon';
import { isConflict, isNotFound, type KubeClient, messageOf, sleep } from '@kubeocean/shared/kube';
import { connect, defaultKubeconfig } from '../cluster.ts';
import { type Command, OUTPUT_OPTION, refuseBadName } from '../command.ts';
import { Failure } from '../failure.ts';
import type { Plan, Step } from './found.ts';
import { planAdoption } from './plan.ts';
import { runningProcesses } from './processes.ts';
import { readFound, readSystemPods } from './read.ts';
import { planText } from './text.ts';

const OPTIONS = {
  kubeconfig: {
    type: 'string',
    description: 'kubeconfig of the computing cluster; empty: $KUBECONFIG, otherwise ~/.kube/config',
  },
  'worker-kubeconfig': {
    type: 'string',
    description: 'kubeconfig of the worker cluster, of one of its administrators',
  },
  yes: { type: 'boolean', default: false, description: 'do it; without it nothing is changed, only told' },
  ...OUTPUT_OPTION,
} as const satisfies OptionTable;

/** Milliseconds within which the pods of processes that were stopped must be gone: their grace is 10 s. */
const STOP_MS = 90_000;
/** Others go on writing statuses meanwhile. */
const TRIES = 10;
/** To whoever reads why it ended there: from then on the vnodes' Leases run out, and pods on them are evicted. */
const STOPPED =
  'the processes of gocrane/kubeocean are stopped already: nobody looks after vnodes that are not taken over, until this has been run again';

export const adoptCommand: Command<typeof OPTIONS> = {
  name: 'adopt',
  usage: 'BINDING',
  arguments: 1,
  summary:
    'takes over what gocrane/kubeocean made for a ClusterBinding: its processes are stopped, its vnodes and running pods go on as ours. Without --yes it only tells what it would do. May be repeated at any time.',
  options: OPTIONS,
  async run([name = ''], options, io) {
    refuseBadName(name, 'ClusterBinding');
    const homePath = options.kubeconfig || defaultKubeconfig(io.env);
    const workerPath = options['worker-kubeconfig'];
    if (!homePath || !workerPath) {
      throw new Failure('both clusters are needed: give --kubeconfig (computing cluster) and --worker-kubeconfig');
    }
    const home = connect(homePath, 'computing');
    try {
      const worker = connect(workerPath, 'worker');
      try {
        const clients = { computing: home.client, worker: worker.client };
        const found = await readFound(home, worker, name);
        let plan = planAdoption(found);
        if (options.yes && plan.problems.length > 0) throw new Failure(plan.problems);
        if (options.yes) {
          const { clusterID } = found.binding.spec;
          plan = await carryOut(plan, clusterID, clients, async () =>
            planAdoption(await readFound(home, worker, name)),
          );
        }
        io.out(
          options.output === 'json'
            ? `${JSON.stringify({ binding: name, done: options.yes, ...plan }, undefined, 2)}\n`
            : planText(name, plan, options.yes),
        );
      } finally {
        worker.close();
      }
    } finally {
      home.close();
    }
  },
};

type Clients = Record<Step['cluster'], KubeClient>;

/** Stops the processes, looks again, as they were at work until then, and takes the rest of the steps. @returns all that was done */
async function carryOut(plan: Plan, clusterID: string, clients: Clients, again: () => Promise<Plan>): Promise<Plan> {
  const done: Step[] = [];
  let rest = plan;
  for (let tries = 1; ; tries++) {
    const stopping = rest.steps.filter(({ awaitPods }) => awaitPods !== undefined);
    for (const step of stopping) {
      await take(step, clients);
      done.push(step);
    }
    // Also where there was nothing to stop: a run before this one, or somebody by hand, may have deleted the Deployments.
    await stopped(clients.computing, clusterID, stopping);
    try {
      rest = await again();
      if (rest.problems.length > 0) throw new Failure(rest.problems);
      // Its manager may have made a Deployment anew before it ended, which is stopped and waited for as well; so are pods of one
      // that was deleted before it had any.
      const deployments = rest.steps.filter(({ awaitPods }) => awaitPods !== undefined).map((step) => step.name);
      const [restarted] = [...deployments, ...rest.waiting];
      if (restarted !== undefined)
        throw new Changed(`computing: ${restarted} is made again and again: stop what makes it first`);
      for (const step of rest.steps) {
        await take(step, clients);
        done.push(step);
      }
      return { ...rest, steps: done };
    } catch (error) {
      if (error instanceof Changed && tries < TRIES) continue;
      if (!(error instanceof Failure)) throw error;
      throw new Failure([...error.message.split('\n'), STOPPED], { cause: error });
    }
  }
}

/** Somebody wrote the object since it was read: what is to be done is found out anew. */
class Changed extends Failure {}

async function take(step: Step, clients: Clients): Promise<void> {
  const { verb, resource, namespace, name, uid, patch, gracePeriodSeconds } = step;
  const client = clients[step.cluster];
  try {
    if (verb === 'delete') {
      await client.delete(resource, namespace, name, {
        uid,
        propagationPolicy: 'Background',
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      });
    } else if (patch) {
      await client.patch(resource, namespace, name, patch.body, { type: patch.type });
    }
  } catch (error) {
    if (isNotFound(error)) return;
    const what = `${step.cluster}: ${verb} ${resource.kind} ${namespace ? `${namespace}/` : ''}${name}`;
    const words = `${what}: ${messageOf(error)}; the steps before it are done: run it again`;
    throw isConflict(error) ? new Changed(words, { cause: error }) : new Failure(words, { cause: error });
  }
}

/** Waits until nothing of its processes runs any more. @throws Failure when something does not end in time */
async function stopped(home: KubeClient, clusterID: string, stopping: readonly Step[]): Promise<void> {
  const deadline = performance.now() + STOP_MS;
  const selectors = stopping.map(({ awaitPods }) => awaitPods ?? {});
  for (;;) {
    const pods = await readSystemPods(home).catch((error: unknown) => {
      throw new Failure(
        `cannot see whether the pods of gocrane/kubeocean's processes are gone: ${messageOf(error)}; run it again`,
        { cause: error },
      );
    });
    const [left] = runningProcesses(pods, clusterID, selectors);
    if (!left) return;
    if (performance.now() > deadline) {
      throw new Failure(
        `pod ${left.metadata.namespace}/${left.metadata.name} of gocrane/kubeocean does not go; no more was changed than that its Deployments were deleted: delete the pod, then run this again`,
      );
    }
    await sleep(500);
  }
}
