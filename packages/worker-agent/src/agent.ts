/** The agent's parts put together: stores that every replica keeps, and pods and the loop of the one that leads. */
import { type Daemon, leadWhenElected } from '@kubeocean/shared/daemon';
import { createEventRecorder, credentialsFor, type Leadership, messageOf, untilAborted } from '@kubeocean/shared/kube';
import { windowsProblem } from '@kubeocean/shared/lease';
import { fileClock, systemClock } from './clock.ts';
import { beat } from './heartbeat/heartbeat.ts';
import type { AGENT_OPTIONS } from './options.ts';
import { agentMetrics, lentMetric, policiesMetric } from './metrics.ts';
import { parseRanges } from './network/overlap.ts';
import { Passes } from './pass.ts';
import { Reclaimer } from './reclaim/executor.ts';
import { createStores } from './stores.ts';
import { runStats } from './stats/index.ts';
import { readTenants } from './tenants.ts';
import { Trigger } from './trigger.ts';

/** Of looks at everything: nobody waits for one longer than a second, and 500 pods that come at once cost a handful. */
const PACE = { least: 200, burst: 5, flood: 1000 };
const RETRY_MS = { first: 1000, last: 30_000 };

/** Runs one replica until its signal aborts. */
export async function runAgent(daemon: Daemon<typeof AGENT_OPTIONS>): Promise<void> {
  const { options, log, registry } = daemon;
  const zone = options['time-zone'];
  const zoneProblem = windowsProblem([], zone);
  if (zoneProblem) throw new Error(`--time-zone: ${zoneProblem}`);
  const computingRanges = parseRanges(options['computing-cidrs']);
  const tenants = readTenants(options['tenants-file']);
  const connected = daemon.connect(credentialsFor(options.kubeconfig), 'worker');
  const clock = options['test-clock-file'] ? fileClock(options['test-clock-file']) : systemClock;
  if (options['test-clock-file']) log.warn({ file: options['test-clock-file'] }, 'the clock is set by a file');
  const trigger = new Trigger(
    () => clock.now().getTime(),
    (byMs) => log.warn({ seconds: Math.round(byMs / 1000) }, 'the clock was set, or the machine slept'),
  );
  clock.follow(() => trigger.set(), daemon.signal);
  const stores = createStores(connected, tenants, log, () => trigger.set());
  const metrics = agentMetrics(registry);
  lentMetric(registry, () =>
    stores.records
      .flatMap((store) => [...store.values()])
      .filter(({ metadata }) => !stores.isGone(metadata.namespace ?? '')),
  );
  policiesMetric(registry, () => stores.policies.values());
  daemon.ready['stores'] = () => {
    const missing = stores.missing();
    return missing.length > 0 ? `not complete yet: ${missing.join(', ')}` : undefined;
  };
  log.info({ tenants: tenants.map((tenant) => tenant.namespace), zone }, 'tenants read');

  async function lead(leadership: Leadership): Promise<void> {
    const { signal } = leadership;
    const client = connected.ledBy(leadership);
    const watchingPods = stores.runPods(signal);
    // Nothing is written, closed or deleted on the strength of an incomplete list.
    await Promise.race([stores.synced, untilAborted(signal)]);
    if (signal.aborted) return;
    const events = createEventRecorder(client, {
      component: 'kubeocean-worker-agent',
      instance: daemon.instance,
      onError: (error) => log.warn({ error: messageOf(error) }, 'an event was not recorded'),
    });
    const reclaimer = new Reclaimer({
      client,
      events,
      log,
      leadership,
      now: () => clock.now(),
      observe: (step, result) => metrics.reclaimSteps.inc({ step, result }),
    });
    const passes = new Passes({
      client,
      stores,
      tenants,
      defaultTimeZone: zone,
      computingRanges,
      events,
      log,
      reclaimer,
      timing: { deadlineSeconds: options['reclaim-deadline'], noticeSeconds: options['notice-seconds'] },
      maxGraceSeconds: options['max-termination-grace'],
      now: () => clock.now(),
      onTold: ({ reason }) => metrics.reclaimEvents.inc({ reason }),
      wake: () => trigger.set(),
    });
    // A sign of life says that records are kept true.
    const namespaces = () =>
      tenants.map(({ namespace }) => namespace).filter((name) => !stores.isGone(name) && !stores.isFrozen(name));
    const recordsWritten = Promise.withResolvers<void>();
    const beating = beat({
      client,
      namespaces,
      recordsWritten: recordsWritten.promise,
      identity: daemon.instance,
      log,
      signal,
      prefixes: options['metadata-prefixes'],
      now: () => clock.now(),
    });
    let retryMs = RETRY_MS.first;
    trigger.set();
    await trigger.run(
      async () => {
        const end = metrics.seconds.startTimer();
        const { open, writes, failures, overdue, nextChange } = await passes.run(leadership, clock.now());
        end();
        if (failures === 0) recordsWritten.resolve();
        metrics.passes.inc();
        metrics.writes.inc(writes);
        metrics.writeFailures.inc(failures);
        metrics.records.set(open);
        metrics.overdue.set(overdue);
        const again = failures > 0 ? new Date(clock.now().getTime() + retryMs) : undefined;
        retryMs = failures > 0 ? Math.min(retryMs * 2, RETRY_MS.last) : RETRY_MS.first;
        trigger.setAt(again && (!nextChange || again < nextChange) ? again : nextChange);
      },
      PACE,
      signal,
    );
    await reclaimer.stop();
    await beating;
    await events.stop();
    await watchingPods;
  }

  await Promise.all([
    stores.run(daemon.signal),
    runStats(daemon, connected, tenants, stores),
    leadWhenElected(daemon, connected, lead),
  ]);
}
