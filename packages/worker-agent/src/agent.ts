/** The agent's parts put together: stores that every replica keeps, and the loop of the one that leads. */
import { Counter, type Daemon, Gauge, Histogram, leadWhenElected } from '@kubeocean/shared/daemon';
import { createEventRecorder, credentialsFor, type Leadership, messageOf } from '@kubeocean/shared/kube';
import { windowsProblem } from '@kubeocean/shared/lease';
import { beat } from './heartbeat/heartbeat.ts';
import type { AGENT_OPTIONS } from './options.ts';
import { Passes } from './pass.ts';
import { createStores } from './stores.ts';
import { readTenants } from './tenants.ts';
import { Trigger } from './trigger.ts';

/** Milliseconds between the starts of two looks: a burst of pods costs a few, and nobody waits long. */
const INTERVAL_MS = 200;
const RETRY_MS = { first: 1000, last: 30_000 };

/** Runs one replica until its signal aborts. */
export async function runAgent(daemon: Daemon<typeof AGENT_OPTIONS>): Promise<void> {
  const { options, log, registry } = daemon;
  const zone = options['time-zone'];
  const zoneProblem = windowsProblem([], zone);
  if (zoneProblem) throw new Error(`--time-zone: ${zoneProblem}`);
  const tenants = readTenants(options['tenants-file']);
  const client = daemon.connect(credentialsFor(options.kubeconfig), 'worker');
  const trigger = new Trigger();
  const stores = createStores(client, tenants, log, () => trigger.set());
  const metrics = {
    passes: new Counter({
      name: 'kubeocean_agent_allocations_total',
      help: 'Times that everything was allocated anew',
      registers: [registry],
    }),
    seconds: new Histogram({
      name: 'kubeocean_agent_allocation_seconds',
      help: 'Time of an allocation with its writes',
      buckets: [0.001, 0.01, 0.1, 0.5, 2, 10],
      registers: [registry],
    }),
    writes: new Counter({
      name: 'kubeocean_agent_writes_total',
      help: 'Writes of records and policy statuses',
      registers: [registry],
    }),
    records: new Gauge({
      name: 'kubeocean_agent_leased_nodes',
      help: 'Records of leases that run',
      registers: [registry],
    }),
  };
  daemon.ready['stores'] = () => {
    const missing = stores.missing();
    return missing.length > 0 ? `not complete yet: ${missing.join(', ')}` : undefined;
  };
  log.info({ tenants: tenants.map((tenant) => tenant.namespace), zone }, 'tenants read');

  async function lead(leadership: Leadership): Promise<void> {
    const { signal } = leadership;
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => aborted.resolve(), { once: true });
    // Nothing is written, closed or deleted on the strength of an incomplete list.
    await Promise.race([stores.synced, aborted.promise]);
    if (signal.aborted) return;
    const events = createEventRecorder(client, {
      component: 'kubeocean-worker-agent',
      instance: daemon.instance,
      onError: (error) => log.warn({ error: messageOf(error) }, 'an event was not recorded'),
    });
    const passes = new Passes({
      client,
      stores,
      tenants,
      defaultTimeZone: zone,
      events,
      log,
      wake: () => trigger.set(),
    });
    const namespaces = tenants.map((tenant) => tenant.namespace);
    const beating = beat(client, namespaces, daemon.instance, log, signal);
    let retryMs = RETRY_MS.first;
    trigger.set();
    await trigger.run(
      async () => {
        const end = metrics.seconds.startTimer();
        const { open, writes, failures, nextChange } = await passes.run(leadership, new Date());
        end();
        metrics.passes.inc();
        metrics.writes.inc(writes);
        metrics.records.set(open);
        const again = failures > 0 ? new Date(Date.now() + retryMs) : undefined;
        retryMs = failures > 0 ? Math.min(retryMs * 2, RETRY_MS.last) : RETRY_MS.first;
        trigger.setAt(again && (!nextChange || again < nextChange) ? again : nextChange);
      },
      INTERVAL_MS,
      signal,
    );
    await beating;
    await events.flush();
  }

  await Promise.all([stores.run(daemon.signal), leadWhenElected(daemon, client, lead)]);
}
