/** Wires the manager: what is watched, and whose change makes which binding run. */
import { type ClusterBinding, ClusterBindings, KubeconfigKey, Namespace } from '@kubeocean/shared/api';
import { Counter, type Daemon, Gauge, Histogram, leadWhenElected, logWatch } from '@kubeocean/shared/daemon';
import {
  bareMetadata,
  createEventRecorder,
  createReflector,
  credentialsFor,
  isRarer,
  type KubeObject,
  type Leadership,
  messageOf,
  Secrets,
  WorkQueue,
  untilAborted,
} from '@kubeocean/shared/kube';
import { WorkerChecks } from './bindings/checks.ts';
import { BindingController } from './bindings/controller.ts';
import type { KubeconfigSecret } from './bindings/validate.ts';
import { startApprover } from './certificates/approver.ts';
import type { OPTIONS } from './options.ts';
import { settingsFrom } from './settings.ts';
import { Applier, createMadeStores } from './workloads/applier.ts';
import { ownersOf } from './workloads/made.ts';

/** Bindings worked on at once: one that waits for a worker that does not answer must not hold up the others. */
const WORKERS = 16;
/**
 * Longest answer of a worker, in bytes. One object is the most that it is asked for, of which none is longer than an etcd takes;
 * what a hostile worker sends must not take the memory by which all bindings are looked after.
 */
const WORKER_ANSWER = 2 * 1024 * 1024;

export async function runManager(daemon: Daemon<typeof OPTIONS>): Promise<void> {
  const { log, registry, options } = daemon;
  const settings = settingsFrom(options);
  const connected = daemon.connect(credentialsFor(options.kubeconfig), 'computing');
  const onError = (kind: string) => logWatch(log, { kind }, 'watch failed');
  const bindings = createReflector<ClusterBinding>(connected, {
    resource: ClusterBindings,
    onError: onError(ClusterBindings.kind),
  });
  const watching = bindings.run(daemon.signal);
  daemon.ready['bindings'] = () =>
    bindings.store.hasSynced ? undefined : 'the ClusterBindings have not been listed yet';

  const phases = new Gauge({
    name: 'kubeocean_bindings',
    help: 'ClusterBindings by phase',
    labelNames: ['phase'],
    registers: [],
    collect() {
      const count: Record<string, number> = { Pending: 0, Ready: 0, Failed: 0, Deleting: 0 };
      for (const { metadata, status } of bindings.store.values()) {
        const phase = metadata.deletionTimestamp ? 'Deleting' : (status?.phase ?? 'Pending');
        count[phase] = (count[phase] ?? 0) + 1;
      }
      for (const [phase, number] of Object.entries(count)) this.set({ phase }, number);
    },
  });
  registry.registerMetric(phases);
  const reconciles = new Counter({
    name: 'kubeocean_manager_reconciles_total',
    help: 'Runs for a binding by result',
    labelNames: ['result'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'kubeocean_manager_reconcile_seconds',
    help: 'Time a run for a binding took',
    buckets: [0.01, 0.05, 0.2, 1, 5, 20],
    registers: [registry],
  });

  async function lead(leadership: Leadership): Promise<void> {
    const home = connected.ledBy(leadership);
    const secrets = createReflector<KubeconfigSecret>(home, {
      resource: Secrets,
      namespace: Namespace.system,
      project: kubeconfigOf,
      onError: onError(Secrets.kind),
    });
    const made = createMadeStores(home, onError);
    const events = createEventRecorder(home, {
      component: 'kubeocean-manager',
      instance: daemon.instance,
      onError: (error) => log.warn({ error: messageOf(error) }, 'event not recorded'),
    });
    const controller = new BindingController({
      home,
      bindings: bindings.store,
      secrets: secrets.store,
      made,
      applier: new Applier(home, made),
      checks: new WorkerChecks({
        connect: (credentials) => daemon.connect(credentials, 'worker', WORKER_ANSWER),
        onNews: (name) => queue.add(name),
        monotonic: () => performance.now(),
        agentStaleMs: options['agent-stale-after'] * 1000,
      }),
      settings,
      events,
      log,
      leadership,
      now: () => new Date(),
      monotonic: () => performance.now(),
      abandonAfterMs: options['abandon-after'] * 1000,
    });
    const queue: WorkQueue = new WorkQueue((name) => controller.reconcile(name), {
      workers: WORKERS,
      onError: (binding, error, failures) =>
        log[isRarer(failures) ? 'warn' : 'debug']({ binding, failures, error: messageOf(error) }, 'run failed'),
      observe({ workSeconds, failed }) {
        reconciles.inc({ result: failed ? 'error' : 'ok' });
        seconds.observe(workSeconds);
      },
    });

    const stops = [
      bindings.store.onChange(({ key, previous, current }) => {
        queue.add(key);
        if (previous && previous.metadata.uid !== current?.metadata.uid) controller.forget(previous.metadata.uid ?? '');
        // The next in line for a clusterID may have it now, or must hear that it is taken.
        if (previous && current) return;
        const clusterID = (current ?? previous)?.spec.clusterID;
        for (const other of bindings.store.values()) {
          if (other.spec.clusterID === clusterID) queue.add(other.metadata.name);
        }
      }),
      secrets.store.onChange(({ key }) => {
        for (const { metadata, spec } of bindings.store.values()) {
          if (`${spec.secretRef.namespace}/${spec.secretRef.name}` === key) queue.add(metadata.name);
        }
      }),
      ...made.reflectors.map((reflector) =>
        reflector.store.onChange(({ previous, current }) => {
          for (const name of ownersOf(previous, current)) queue.add(name);
        }),
      ),
    ];
    const running = [secrets, ...made.reflectors].map((reflector) => reflector.run(leadership.signal));
    const aborted = untilAborted(leadership.signal);
    await Promise.race([
      Promise.all([bindings, secrets, ...made.reflectors].map((reflector) => reflector.store.synced)),
      aborted,
    ]);
    for (const name of bindings.store.keys()) queue.add(name);
    if (!leadership.signal.aborted) queue.start();
    const approver =
      settings.servingCertificate === 'csr'
        ? startApprover({ home, bindings: bindings.store, log, leadership, now: () => new Date() })
        : undefined;
    await aborted;
    for (const stop of stops) stop();
    await Promise.all([queue.stop(5000), approver?.stop(), ...running]);
    await events.stop();
  }

  await leadWhenElected(daemon, connected, lead);
  await watching;
}

/** Of a Secret only the kubeconfig is kept, and the names of its other keys for the message that says it is missing. */
function kubeconfigOf(secret: KubeObject): KubeconfigSecret {
  const data = (secret['data'] ?? {}) as Record<string, string>;
  const kept = Object.keys(data).map((key) => [key, key === KubeconfigKey ? data[key] : '']);
  return {
    metadata: bareMetadata(secret.metadata),
    data: Object.fromEntries(kept) as Record<string, string>,
  };
}
