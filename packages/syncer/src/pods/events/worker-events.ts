/**
 * Events of worker pods, told on their home pods: many a reason why a pod does not start (FailedMount, a pull that fails)
 * stands nowhere else. Warnings always, normal ones only with --mirror-normal-events. The name of a home event is made of
 * the worker event's UID, so nothing is told twice, not by a restart either; each pod has a budget of writes.
 */
import { createHash } from 'node:crypto';
import { Annotation } from '@kubeocean/shared/api';
import { logWatch } from '@kubeocean/shared/daemon';
import {
  createReflector,
  Events,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  keyOf,
  mayPass,
  type Outcome,
  WorkQueue,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../../context.ts';
import { mayWriteHome } from '../../gate.ts';
import { homeKeyOf, relationOf } from '../writes/ownership.ts';
import { lastSeen, shortened, timesOf, toHomeEvent, type WorkerEvent } from './to-home-event.ts';
import type { Pod } from '../types.ts';
import { wordsFor } from '../status/words.ts';

/** Writes for one pod before it is cut, and how long until another is allowed: twice what client-go's filter lets through. */
const BURST = 25;
const REFILL_MS = 150_000;
/** An event's count is raised at home at most this often. */
const COUNT_MS = 10_000;
/** Of those that are there already, older ones are not told by a syncer that has just started: they have been. */
const STALE_MS = 600_000;

export interface WorkerEvents {
  stop(): Promise<void>;
}

export function startWorkerEvents(context: SyncerContext, signal: AbortSignal): WorkerEvents {
  const { mountNamespace, settings, instance } = context;
  const { homePods, workerPods } = context.stores;
  const startedAt = context.now().getTime();
  const reflector = createReflector<WorkerEvent>(context.worker, {
    resource: Events,
    namespace: mountNamespace,
    fieldSelector: `involvedObject.kind=Pod${settings.mirrorNormalEvents ? '' : ',type!=Normal'}`,
    indexes: { pod: (event) => [event.involvedObject?.uid ?? ''] },
    project: (event) => shortened(event),
    onError: logWatch(context.log, {}, 'watching events of the worker'),
  });
  const queue = new WorkQueue(tell, {
    ...context.queue('events'),
    workers: 2,
    maxDelayMs: 60_000,
    // A namespace with thousands of pods that fail does not keep the pods of others waiting.
    ownerOf(key) {
      const { name = '' } = reflector.store.get(key)?.involvedObject ?? {};
      const worker = workerPods.get(`${mountNamespace}/${name}`);
      return worker?.metadata.annotations?.[Annotation.virtualPodNamespace] ?? '';
    },
  });
  /** What was told of an event: its count, and when. */
  const told = new Map<string, { count: number; at: number }>();
  const budgets = new Map<string, { left: number; at: number }>();

  function budgetOf(uid: string): { left: number } {
    const at = performance.now();
    const budget = budgets.get(uid) ?? { left: BURST, at };
    budget.left = Math.min(BURST, budget.left + (at - budget.at) / REFILL_MS);
    budget.at = at;
    budgets.set(uid, budget);
    return budget;
  }

  async function tell(key: string): Promise<Outcome> {
    const event = reflector.store.get(key);
    const subject = event && counterpart(event);
    if (!event || !subject) return undefined;
    const { home, worker } = subject;
    const { uid = '' } = event.metadata;
    const known = told.get(uid);
    if (known && known.count >= (event.count ?? 1)) return undefined;
    const wait = known ? known.at + COUNT_MS - performance.now() : 0;
    if (wait > 0) return { againInMs: wait };
    mayWriteHome(context);
    const budget = budgetOf(home.metadata.uid ?? '');
    if (budget.left < 1) return undefined;
    const words = wordsFor(home, context, worker);
    const name = `${home.metadata.name.slice(0, 200)}.${digest(uid)}`;
    const reporter = { component: 'kubeocean-syncer', instance };
    const made = toHomeEvent(event, home, name, words, reporter, context.now());
    budget.left--;
    try {
      await write(made, known !== undefined, event);
    } catch (error) {
      // Asked again and again, a home that does not answer would use up what its pods are to be told once it does.
      if (mayPass(error)) budget.left++;
      throw error;
    }
    told.set(uid, { count: event.count ?? 1, at: performance.now() });
    return undefined;
  }

  async function write(
    made: KubeObject & { metadata: { name: string; namespace: string } },
    isThere: boolean,
    event: WorkerEvent,
  ) {
    const { namespace, name } = made.metadata;
    const raise = () => context.home.patch(Events, namespace, name, timesOf(event, context.now()), { retry: false });
    try {
      await (isThere ? raise() : context.home.create(Events, made, { retry: false }));
    } catch (error) {
      if (!isThere && isAlreadyExists(error)) await raise();
      // Events live for an hour at home, whatever the worker keeps.
      else if (isThere && isNotFound(error)) await context.home.create(Events, made, { retry: false });
      else throw error;
    }
  }

  /** The pods that the event is about, when the worker pod really is a home pod's counterpart. */
  function counterpart(event: WorkerEvent): { home: Pod; worker: Pod } | undefined {
    const { name = '', uid } = event.involvedObject ?? {};
    const worker = workerPods.get(`${mountNamespace}/${name}`) as Pod | undefined;
    if (!worker || worker.metadata.uid !== uid) return undefined;
    const home = homePods.get(homeKeyOf(worker, context.bindingUID) ?? '') as Pod | undefined;
    return home && relationOf(worker, home, context.bindingUID) === 'same' ? { home, worker } : undefined;
  }

  const stops = [
    reflector.store.onChange(({ key, previous, current }) => {
      if (!current) told.delete(previous?.metadata.uid ?? '');
      // What comes later is news, whatever the time on it: the worker's clock may be far behind.
      else if (reflector.store.hasSynced || lastSeen(current) > startedAt - STALE_MS) queue.add(key);
    }),
    // An event may be told before its pod is.
    workerPods.onChange(({ previous, current }) => {
      if (previous || !current) return;
      for (const event of reflector.store.byIndex('pod', current.metadata.uid ?? '')) queue.add(keyOf(event));
    }),
    homePods.onChange(({ previous, current }) => {
      if (previous && !current) budgets.delete(previous.metadata.uid ?? '');
    }),
  ];
  queue.start();
  void reflector.run(signal);

  return {
    async stop() {
      for (const stop of stops) stop();
      await queue.stop();
    },
  };
}

function digest(uid: string): string {
  return createHash('sha256').update(`worker-event ${uid}`).digest('hex').slice(0, 16);
}
