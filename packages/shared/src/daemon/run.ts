/** The frame of every process: options, logger, metrics, signals, an orderly end. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CredentialSource } from '../kube/credentials.ts';
import { KubeClient } from '../kube/client.ts';
import { type Coalescing, coalesceWakeUps } from '../kube/coalescing.ts';
import { runAsLeader, type Leadership } from '../kube/leader.ts';
import { createLeaseTimes } from '../kube/lease-times.ts';
import { messageOf } from '../kube/errors.ts';
import { Transport } from '../kube/transport.ts';
import { resourceOfPath } from './call-resource.ts';
import { collectProcessMetrics } from './process-metrics.ts';
import { startHealthServers, type ReadyCheck } from './health.ts';
import { createFailureLog, createLogger, type Logger } from './logger.ts';
import {
  type COMMON_OPTIONS,
  helpText,
  type LEADER_OPTIONS,
  OptionError,
  type OptionTable,
  type OptionValues,
  parseOptions,
} from './options.ts';

export const VERSION = '0.1.0';

/** Time for an orderly stop: less than the 30 s after which a kubelet kills (terminationGracePeriodSeconds). */
export const STOP_SECONDS = 25;

/** What a process is given to work with. */
export interface Daemon<T extends OptionTable> {
  name: string;
  options: OptionValues<T>;
  log: Logger;
  registry: Registry;
  /** Aborts at SIGTERM or SIGINT. */
  signal: AbortSignal;
  /** Name of this replica: the pod's name, or the host's. */
  instance: string;
  /** Namespace of this pod. */
  namespace: string;
  /** Add the reasons for which this process is not ready. */
  ready: Record<string, ReadyCheck>;
  /**
   * A client whose calls are counted in this process's metrics under `cluster`.
   * @param mostBytes longest answer that is read; default as for {@link Transport}
   */
  connect(credentials: CredentialSource, cluster: string, mostBytes?: number): KubeClient;
}

export interface DaemonDefinition<T extends OptionTable> {
  name: string;
  /** One line for `--help`. */
  summary: string;
  options: T;
  /** Seconds an orderly stop may take, for a process whose pod is given longer than the usual 30. Default 25. */
  stopSeconds?: (options: OptionValues<T>) => number;
  /** For a process that may have thousands of calls and events a minute, none of which is urgent. Default: never rests. */
  coalescing?: Coalescing;
  /** Works until the signal aborts. An error ends the process with code 1. */
  run(daemon: Daemon<T>): Promise<void>;
}

/** Thrown out of a daemon's `run` when it must go on as if just started: nothing of what it was may write any more. */
export class BeginAnew extends Error {}

/**
 * Runs a process to its end and exits: 0 after an orderly stop, 1 after an error, 2 for a bad command line. On
 * {@link BeginAnew} the program takes its own place instead, with the same process id and command line.
 */
export async function runDaemon<T extends OptionTable & typeof COMMON_OPTIONS>(
  definition: DaemonDefinition<T>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<never> {
  const { name } = definition;
  let options: OptionValues<T>;
  try {
    const parsed = parseOptions(definition.options, argv);
    if (parsed === 'help') {
      process.stdout.write(helpText(name, definition.summary, definition.options));
      process.exit(0);
    }
    options = parsed;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exit(2);
  }
  const common = options as OptionValues<typeof COMMON_OPTIONS>;
  const log = createLogger(name, common['log-level']);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) {
        log.warn({ signal }, 'told to stop twice: ending at once');
        process.exit(1);
      }
      log.info({ signal }, 'stopping');
      stop.abort();
      const seconds = definition.stopSeconds?.(options) ?? STOP_SECONDS;
      setTimeout(() => {
        log.error({ seconds }, 'not stopped in time: ending at once');
        process.exit(1);
      }, seconds * 1000).unref();
    });
  }
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ error, event, cause: messageOf(error) }, 'ended by an error that nobody caught');
      process.exit(1);
    });
  }
  if (definition.coalescing) coalesceWakeUps(definition.coalescing);
  const registry = new Registry();
  collectProcessMetrics(registry);
  const ready: Record<string, ReadyCheck> = {};
  let code = 0;
  try {
    const servers = await startHealthServers({
      healthAddress: common['health-probe-bind-address'],
      metricsAddress: common['metrics-bind-address'],
      registry,
      ready,
    });
    log.info({ version: VERSION, node: process.version, timeZoneData: process.versions['tz'], ...servers }, 'started');
    await definition.run({
      name,
      options,
      log,
      registry,
      signal: stop.signal,
      instance: process.env['POD_NAME'] ?? hostname(),
      namespace: process.env['POD_NAMESPACE'] ?? 'kubeocean-system',
      ready,
      connect: connector(registry, name),
    });
    await servers.close();
  } catch (error) {
    if (error instanceof BeginAnew && !stop.signal.aborted) {
      log.warn({ cause: error.message }, 'begins anew');
      beginAnew(log);
    }
    log.fatal({ error, cause: messageOf(error) }, 'ended by an error');
    code = 1;
  }
  log.info('stopped');
  process.exit(code);
}

/**
 * Puts a fresh start of the same program in the place of this process (execve(2)): no memory, connection or timer of the
 * old one is left, just as after an exit, but no kubelet has to start it, which would wait up to five minutes
 * (CrashLoopBackOff). Returns only when that could not be done.
 */
function beginAnew(log: Logger): void {
  try {
    const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.execve?.(process.execPath, argv, process.env);
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'cannot begin anew, ends instead');
  }
}

function connector(registry: Registry, name: string): Daemon<OptionTable>['connect'] {
  const calls = new Counter({
    name: 'kubeocean_api_calls_total',
    help: 'Calls to API servers by cluster, method, resource and answer (0: none came)',
    labelNames: ['cluster', 'method', 'resource', 'code'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'kubeocean_api_call_seconds',
    help: 'Time until the headers of the answer',
    labelNames: ['cluster', 'method'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  return (credentials, cluster, mostBytes) =>
    new KubeClient(
      new Transport(credentials, {
        userAgent: `kubeocean-${name}/${VERSION}`,
        ...(mostBytes !== undefined && { mostBytes }),
        observe(call) {
          const resource = resourceOfPath(call.path);
          calls.inc({ cluster, method: call.method, resource, code: String(call.code) });
          seconds.observe({ cluster, method: call.method }, call.seconds);
        },
      }),
    );
}

/**
 * Runs `lead` while this replica leads, as the leader-election flags say. Without election it leads at once.
 * @throws BeginAnew when leadership is lost: a new process stands for it again, and nothing of the old leader goes on.
 */
export async function leadWhenElected<T extends OptionTable & typeof LEADER_OPTIONS>(
  daemon: Daemon<T>,
  client: KubeClient,
  lead: (leadership: Leadership) => Promise<void>,
): Promise<void> {
  const options = daemon.options as OptionValues<typeof LEADER_OPTIONS>;
  const leading = new Gauge({
    name: 'kubeocean_leading',
    help: '1 while this replica leads, 0 while it stands by',
    labelNames: ['process'],
    registers: [daemon.registry],
  });
  leading.set({ process: daemon.name }, 0);
  const led = async (leadership: Leadership) => {
    leading.set({ process: daemon.name }, 1);
    await lead(leadership).finally(() => leading.set({ process: daemon.name }, 0));
  };
  if (!options['leader-elect']) {
    const times = createLeaseTimes();
    const { signal } = daemon;
    await led({ signal, isCurrent: () => true, transitions: 0, leaseTime: () => times.next() });
    return;
  }
  const tellFailure = createFailureLog(daemon.log);
  const election = {
    namespace: options['leader-election-namespace'] || daemon.namespace,
    name: options['leader-election-id'] || daemon.name,
    identity: `${daemon.instance}_${randomBytes(4).toString('hex')}`,
    onError: (error: unknown) => tellFailure({}, error, 'leader election'),
  };
  daemon.log.info({ lease: `${election.namespace}/${election.name}` }, 'waiting to lead');
  let held: Leadership | undefined;
  try {
    await runAsLeader(client, election, daemon.signal, async (leadership) => {
      held = leadership;
      daemon.log.info({ identity: election.identity, transitions: leadership.transitions }, 'leading');
      await led(leadership);
    });
  } catch (error) {
    // `lead` may stumble over the end of its signal in words of its own; why it ended is what counts.
    if (!held?.signal.aborted || daemon.signal.aborted) throw error;
    throw new BeginAnew(messageOf(held.signal.reason), { cause: error });
  }
}
