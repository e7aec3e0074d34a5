/** The pods' side of the syncer. It reads from the start, and acts once it is told that everything else is known. */
import { randomBytes } from 'node:crypto';
import { Annotation, BindingCondition } from '@kubeocean/shared/api';
import { Gauge, logWatch } from '@kubeocean/shared/daemon';
import { createReflector, type KubeObject, messageOf, Services, sleep } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { startDependents } from '../dependents/index.ts';
import { createRepairs } from '../repairs.ts';
import { refusedMetric } from './refused-metric.ts';
import { createPodController, type PodController } from './controller.ts';
import { createDeletionGuard, type DeletionGuard, type GuardState } from './ending/deletion-guard.ts';
import { createHomeNetwork } from './translation/home-network.ts';
import { watchNetworkPolicies } from './events/network-policies.ts';
import { tellNotRunMeanwhile } from './creation/not-run-meanwhile.ts';
import { createPodPhases } from './phases.ts';
import { sweepEvery } from './sweep.ts';
import { startVolumes } from '../volumes/index.ts';
import { createRoom } from './placement/room.ts';
import { createServiceAddresses } from './translation/service-addresses.ts';
import { type PodState, takenBy } from './state.ts';
import { startWorkerEvents } from './events/worker-events.ts';

/** After so long, in milliseconds, a syncer that began has looked at every pod: one minute for 10,000. */
const LOOKED_AT_MS = 300_000;

export interface Pods {
  /** The binding says something else by now: pods that were not run are looked at again. */
  resync(): void;
  stop(): Promise<void>;
}

/**
 * @param ready resolves when all stores of the context have synced and the claim is held, or when it is all over: then
 * leadership has ended or `stop` was called. What else pods need to be known is listed meanwhile.
 */
export function startPods(context: SyncerContext, ready: Promise<unknown>): Pods {
  const stopping = new AbortController();
  const guard = guardOf(context);
  let controller: PodController | undefined;
  const stops: (() => Promise<void>)[] = [];

  async function start(): Promise<void> {
    const signal = AbortSignal.any([context.leadership.signal, stopping.signal]);
    const services = createReflector(context.home, {
      resource: Services,
      project: addressOnly,
      indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
      onError: logWatch(context.log, {}, 'watching Services'),
    });
    void services.run(signal);
    const repairs = createRepairs(context.registry);
    const onAppeared = (homeKey: string) => controller?.add(homeKey);
    const volumes = startVolumes(context, { signal, ready, onAppeared });
    stops.push(() => volumes.stop());
    const meanwhile = tellNotRunMeanwhile(context, ready);
    stops.push(() => meanwhile);
    const dependents = await startDependents(context, { signal, ready, repairs, onAppeared });
    if (!dependents) return;
    stops.push(() => dependents.stop());
    await Promise.all([services.store.synced, meanwhile]);
    if (signal.aborted) return;
    const known: Omit<PodState, 'room'> = {
      context,
      dependents,
      volumes,
      guard,
      network: createHomeNetwork(context.home, context.settings),
      networkPolicies: watchNetworkPolicies(context, signal),
      services: createServiceAddresses(services.store),
      carriedPrefixes: context.carriedPrefixes,
      phases: createPodPhases(context.registry),
      repairs,
      admitted: new Set(),
      kept: new Map(),
      created: new Map(),
      deleted: new Map(),
      released: new Set(),
    };
    const state: PodState = { ...known, room: createRoom((homeKey) => takenBy(known, homeKey)) };
    refusedMetric(context.registry, () => context.stores.homePods.values());
    controller = createPodController(state);
    controller.start();
    sleep(LOOKED_AT_MS, signal).then(
      () => guard.open(),
      () => undefined,
    );
    const swept = { pods: () => controller?.sweep(), copies: () => dependents.sweep() };
    void sweepEvery(context, context.settings.sweepIntervalSeconds * 1000, swept, repairs, signal);
    const events = startWorkerEvents(context, signal);
    stops.push(() => events.stop());
  }

  start().catch((error: unknown) => context.log.error({ error: messageOf(error) }, 'pods could not be started'));
  return {
    resync: () => controller?.resync(),
    async stop() {
      stopping.abort();
      await Promise.all([controller?.stop(), ...stops.map((stop) => stop())]);
    },
  };
}

/** Of a Service only what its environment variables say: clusters have many. */
function addressOnly({ metadata, ...service }: KubeObject): KubeObject {
  const { name, namespace = '', resourceVersion = '' } = metadata;
  const { clusterIP, ports } = (service['spec'] ?? {}) as { clusterIP?: string; ports?: Record<string, unknown>[] };
  const kept = ports?.map(({ name: of, port, protocol }) => ({
    ...(of !== undefined && { name: of }),
    port,
    protocol,
  }));
  return { metadata: { name, namespace, resourceVersion }, spec: { clusterIP, ports: kept } };
}

/** The deletion guard of this term, which says on the binding, and in a metric, that it waits for a person. */
export function guardOf(
  context: Pick<SyncerContext, 'stores' | 'binding' | 'bindingName' | 'report' | 'registry'>,
): DeletionGuard {
  const held = new Gauge({
    name: 'kubeocean_deletions_held',
    help: 'Pods that the deletion guard keeps from being deleted or failed until a person approves it',
    registers: [context.registry],
  });
  const before = context.binding().status?.conditions ?? [];
  const wasStopped = before.some(({ type, status }) => type === BindingCondition.deletionGuard && status === 'True');
  const guard = createDeletionGuard({
    wasStopped,
    population: () => context.stores.workerPods.size,
    approval: () => context.binding().metadata.annotations?.[Annotation.approveDeletions],
    clock: () => performance.now(),
    token: () => randomBytes(4).toString('hex'),
    onChange: report,
  });
  // What the syncer before said of it stands until it is known better.
  if (!wasStopped) report({ stopped: false });
  return guard;

  function report(state: GuardState): void {
    held.set(state.stopped ? state.waiting : 0);
    context.report.condition(
      state.stopped
        ? {
            type: BindingCondition.deletionGuard,
            status: 'True',
            reason: 'TooManyDeletions',
            message: `${state.waiting} pods would be deleted or failed although nobody asked for it; if that is right: kubectl annotate clusterbinding ${context.bindingName} --overwrite ${Annotation.approveDeletions}=${state.token}`,
          }
        : {
            type: BindingCondition.deletionGuard,
            status: 'False',
            reason: 'NothingHeld',
            message: 'no deletion is held back',
          },
    );
  }
}
