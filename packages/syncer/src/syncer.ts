/** The syncer put together: waits for its binding and for leadership, then runs claim, vnodes, pods and unbinding. */
import { ChartName, type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
import { createFailureLog, type Daemon, leadWhenElected, logWatch } from '@kubeocean/shared/daemon';
import {
  createEventRecorder,
  createReflector,
  credentialsFor,
  endsWithin,
  inputTaken,
  type KubeClient,
  type Leadership,
  messageOf,
  printable,
  type ReadonlyStore,
  sleep,
  untilAborted,
  workerCredentials,
} from '@kubeocean/shared/kube';
import { firstLook } from './binding/first-look.ts';
import { addFinalizer, followFinalizer } from './binding/finalizer.ts';
import { createWorkerHealth, type WorkerHealth } from './binding/health.ts';
import { createBindingReport } from './binding/report.ts';
import { reportUnused } from './binding/unused.ts';
import { removalOf, unbind } from './binding/unbinding.ts';
import { carriedPrefixes } from './claim/heartbeat.ts';
import { followWorkerIdentity, workerUIDOf } from './claim/worker-identity.ts';
import { createClaimKeeper } from './claim/keeper.ts';
import type { SyncerContext } from './context.ts';
import { credentialExpiryMetric } from './credential-expiry.ts';
import { createSyncerMetrics } from './metrics.ts';
import { createNodesController } from './nodes/controller.ts';
import { settingsOf, type SYNCER_OPTIONS } from './options.ts';
import { type Pods as RunningPods, startPods } from './pods/index.ts';
import { createReflectors } from './stores.ts';
import { createReachability } from './worker.ts';

/** The next leader sees for itself what is so: it must not wait until an API server has taken our last report. */
const LAST_WORDS_MS = 2000;

type SyncerDaemon = Daemon<typeof SYNCER_OPTIONS>;

/** Runs until the signal aborts. @throws Error when leadership is lost or the binding was replaced: start again. */
export async function runSyncer(daemon: SyncerDaemon): Promise<void> {
  const bindingName = daemon.options['cluster-binding-name'];
  const home = daemon.connect(credentialsFor(daemon.options.kubeconfig), 'computing');
  const bindings = createReflector<ClusterBinding>(home, {
    resource: ClusterBindings,
    fieldSelector: `metadata.name=${bindingName}`,
    onError: logWatch(daemon.log, {}, 'binding'),
  });
  const watching = bindings.run(daemon.signal);
  daemon.ready['binding'] = () =>
    bindings.store.hasSynced ? undefined : 'the computing cluster has not answered for the binding yet';
  const id = daemon.options['leader-election-id'] || `kubeocean-syncer-${bindingName}`;
  const elected = { ...daemon, options: { ...daemon.options, 'leader-election-id': id } };
  await leadWhenElected(elected, home, (leadership) =>
    lead(daemon, home.ledBy(leadership), bindings.store, leadership),
  );
  await watching;
}

async function lead(
  daemon: SyncerDaemon,
  home: KubeClient,
  bindings: ReadonlyStore<ClusterBinding>,
  leadership: Leadership,
): Promise<void> {
  const { log, registry } = daemon;
  const { signal } = leadership;
  const now = () => new Date();
  const bindingName = daemon.options['cluster-binding-name'];
  const first = await firstLook(home, bindings, bindingName, log, signal);
  if (!first) return;
  const { homeUID } = first;
  // Nothing is waited for until its changes are followed.
  let last = first.binding;
  const bindingUID = last.metadata.uid ?? '';
  const { clusterID, mountNamespace } = last.spec;
  const binding = () => last;
  const metrics = createSyncerMetrics(registry, log);
  const settings = settingsOf(daemon.options, daemon.namespace);
  const credentials = workerCredentials(daemon.options['worker-kubeconfig'], (error) =>
    log.warn({ error: error.message }, 'the new worker kubeconfig is not usable; the old one stays in force'),
  );
  credentialExpiryMetric(registry, credentials);
  const worker = daemon.connect(credentials, 'worker').ledBy(leadership);
  const reachability = createReachability(performance.now(), daemon.options['worker-unreachable-after'] * 1000);
  const onWorkerContact = () => reachability.contact(performance.now());
  // Made last, of everything before it; told of from the beginning.
  const late: { health?: WorkerHealth } = {};
  const reflectors = createReflectors({
    home,
    worker,
    bindingName,
    bindingUID,
    clusterID,
    mountNamespace,
    systemNamespace: settings.systemNamespace,
    onWorkerContact,
    onError(cluster, kind, ...failure) {
      const [error] = failure;
      logWatch(log, { cluster, kind }, 'list or watch failed; it goes on by itself')(...failure);
      if (cluster === 'worker') reachability.failed(error);
      if (kind === 'leasednodes') late.health?.recordsError(error);
    },
  });
  const heartbeat = () => reflectors.heartbeat.store.get(`${mountNamespace}/${ChartName.agent}`);
  const tellFailure = createFailureLog(log);
  const report = createBindingReport({
    home,
    binding,
    uid: bindingUID,
    now,
    mayWrite: () => leadership.isCurrent(),
    onError: (error) => tellFailure({}, error, 'status of the binding could not be written; tried again'),
  });
  const homeEvents = createEventRecorder(home, {
    component: 'kubeocean-syncer',
    instance: daemon.instance,
    onError: (error) => log.warn({ error: messageOf(error) }, 'event could not be written'),
  });
  const context: SyncerContext = {
    binding,
    bindingName,
    bindingUID,
    clusterID,
    mountNamespace,
    homeUID,
    home,
    worker,
    homeEvents,
    instance: daemon.instance,
    log,
    registry,
    now,
    leadership,
    mayWriteWorker: () => claim.held && leadership.isCurrent() && reachability.unreachable(performance.now()) !== true,
    confirmWorker: () => claim.confirm(),
    settings,
    carriedPrefixes: () => carriedPrefixes(heartbeat()),
    stores: {
      vnodes: reflectors.vnodes.store,
      records: reflectors.records.store,
      homePods: reflectors.homePods.store,
      workerPods: reflectors.workerPods.store,
    },
    report,
    queue: metrics.queue,
  };
  const claim = createClaimKeeper(context, {
    onTurn: (error) => (error === undefined ? reachability.accepted(performance.now()) : reachability.failed(error)),
    releasing: () => removalOf(last) !== 'none',
    onSuperseded: (error) => failed.reject(error),
    watched: () => workerUIDOf(heartbeat()),
  });
  followWorkerIdentity(reflectors.heartbeat.store, (error) => failed.reject(error));
  const nodes = createNodesController(context, {
    slices: reflectors.slices.store,
    worker: () => (late.health as WorkerHealth).view(),
    removal: () => removalOf(last),
  });
  late.health = createWorkerHealth(context, {
    reachability,
    heartbeats: reflectors.heartbeat.store,
    claim,
    nodes: () => nodes,
    metrics,
    agentStaleSeconds: daemon.options['agent-stale-after'],
  });

  const failed = Promise.withResolvers<never>();
  // Somebody is always listening, even while we still wait for the stores.
  failed.promise.catch(() => undefined);
  const pods: RunningPods[] = [];
  const unwatch = bindings.onChange(({ current }) => {
    if (!current) {
      log.info('the binding is gone; waiting to be stopped');
      return;
    }
    if (current.metadata.uid !== bindingUID) {
      failed.reject(new Error(`the binding ${bindingName} was replaced by another of the same name: starting over`));
      return;
    }
    const changed = meaning(last) !== meaning(current);
    last = current;
    if (changed) {
      claim.nudge();
      nodes.resync();
      for (const part of pods) part.resync();
      reportUnused(context);
    }
  });
  const unguard = followFinalizer(bindings, bindingUID, guard);
  reportUnused(context);
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  const running = Object.values(reflectors).map((reflector) => reflector.run(scope));
  try {
    await Promise.race([failed.promise, work()]);
  } finally {
    over.abort();
    unwatch();
    unguard();
    await Promise.all([...pods.map((part) => part.stop()), nodes.stop()]);
    await Promise.all([endsWithin(LAST_WORDS_MS, report.stop()), homeEvents.stop()]);
    await Promise.all(running);
  }

  async function work(): Promise<void> {
    const { vnodes, homePods, slices, records, workerPods } = reflectors;
    // Home counts the seconds since the last renewal. It may refuse the finalizer, and its pods may take minutes to list.
    const renewing = orEnd(vnodes.store.synced).then(() => (scope.aborted ? undefined : nodes.renewLeases()));
    await guard(last);
    if (scope.aborted) return;
    running.push(claim.run(scope), showVersion());
    const atHome = orEnd(Promise.all([vnodes.store.synced, homePods.store.synced, slices.store.synced]));
    const inWorker = [records, workerPods, reflectors.heartbeat].map(({ store }) => store.synced);
    const known = orEnd(Promise.all([atHome, ...inWorker, claim.firstKnown]));
    pods.push(startPods(context, known));
    await renewing;
    await retried('labels of vnodes', () => nodes.takeBack());
    await atHome;
    if (scope.aborted) return;
    late.health?.look(performance.now());
    nodes.start();
    running.push(lookAgain(), unbind(context, { claim, nodes, everClaimed, workerAnswers }, scope));
    await known;
    if (scope.aborted) return;
    if (claim.held) log.info('all stores are complete and the claim is held');
    else log.warn({ reason: claim.refusal }, 'all stores are complete; nothing is written to the worker');
    await untilAborted(scope);
  }

  function guard(found: ClusterBinding): Promise<void> {
    return retried('finalizer', () => addFinalizer(home, found));
  }

  function workerAnswers(): boolean {
    return reachability.unreachable(performance.now()) === false;
  }

  function everClaimed(): boolean {
    return claim.held || last.status?.epoch !== undefined;
  }

  async function lookAgain(): Promise<void> {
    let answered = workerAnswers();
    while (!scope.aborted) {
      if (late.health?.look(performance.now())) nodes.resync();
      const answers = workerAnswers();
      // Pods that were held back meanwhile need not wait any longer.
      if (answers && !answered) for (const part of pods) part.resync();
      answered = answers;
      await sleep(500, scope).catch(() => undefined);
      await inputTaken();
    }
  }

  async function showVersion(): Promise<void> {
    while (!scope.aborted) {
      let waitMs = 600_000;
      try {
        const call = { method: 'GET', path: '/version', signal: scope, timeoutMs: 10_000 } as const;
        const { gitVersion } = await worker.transport.call<{ gitVersion: string }>(call);
        report.facts({ workerVersion: printable(gitVersion.slice(0, 64)) });
      } catch {
        // The condition WorkerReachable tells of it; this is only for show.
        waitMs = 30_000;
      }
      await sleep(waitMs, scope).catch(() => undefined);
    }
  }

  async function retried(what: string, act: () => Promise<void>): Promise<void> {
    const tellAgain = createFailureLog(log);
    for (let waitMs = 1000; !scope.aborted; waitMs = Math.min(2 * waitMs, 10_000)) {
      try {
        return await act();
      } catch (error) {
        tellAgain({ what }, error, 'tried again');
        await sleep(waitMs, scope).catch(() => undefined);
      }
    }
  }

  function orEnd(work: Promise<unknown>): Promise<unknown> {
    return Promise.race([work, untilAborted(scope)]);
  }
}

/** What of a binding concerns the worker and the vnodes: not its status, which we write ourselves. */
function meaning({ metadata, spec }: ClusterBinding): string {
  return JSON.stringify([spec, metadata.annotations, metadata.deletionTimestamp, metadata.finalizers]);
}
