/** One pass: a look at everything, and the writes that it asks for. */
import type { Logger } from '@kubeocean/shared/daemon';
import { ApiError, type EventRecorder, type KubeClient, type Leadership, messageOf } from '@kubeocean/shared/kube';
import { writeGuard } from './guard/writer.ts';
import { type Look, type LookOptions, Looks } from './look.ts';
import { writePolicy } from './policies/writer.ts';
import type { Reclaimer } from './reclaim/executor.ts';
import {
  type RefusedWrite,
  tellPods,
  tellRefused,
  tellShrunk,
  tellStages,
  type Told,
  type Written,
} from './reclaim/tell.ts';
import { LeftPods } from './records/left.ts';
import { writeRecord } from './records/writer.ts';
import type { AgentStores } from './stores.ts';

/** Writes under way at once. */
const CONCURRENCY = 16;
/** Failed writes of a pass that are logged one by one: what keeps one often keeps a thousand, and all are tried at each pass. */
const MOST_LOGGED = 5;
/** Passes in a row with refused writes, after which the owner is told on the policy: seven seconds where nothing else happens. */
const TOLD_AFTER = 4;

export interface PassResult {
  open: number;
  writes: number;
  failures: number;
  /** When time alone may change the result. */
  nextChange: Date | undefined;
}

export interface PassOptions extends LookOptions {
  client: KubeClient;
  stores: AgentStores;
  events: EventRecorder;
  log: Logger;
  reclaimer: Reclaimer;
  now(): Date;
  /** Told of events that were recorded. */
  onTold(told: Told): void;
  /** Asks for another look. */
  wake(): void;
}

/** Looks and writes. */
export class Passes {
  private readonly options: PassOptions;
  private readonly looks: Looks;
  /** Passes in a row in which the API server refused to have a record written. */
  private refusedPasses = 0;
  private unguarded: string | undefined;
  private earlier: string | undefined;

  constructor(options: PassOptions) {
    this.options = options;
    this.looks = new Looks(options);
    // A renewal changes nothing that is lent, so it asks for a look only when it ends a silence.
    for (const store of options.stores.claims) {
      store.onChange(() => {
        if (this.looks.renewed(options.now(), performance.now())) options.wake();
      });
    }
  }

  /** The stores must be complete. Failed writes are logged and counted; the caller looks again. */
  async run(leadership: Leadership, now: Date): Promise<PassResult> {
    const { client, stores, events, log, reclaimer } = this.options;
    const look = this.looks.look(now, performance.now());
    this.remark(look);
    reclaimer.take(look.steps);
    const { signal } = leadership;
    let failed = 0;
    function onError(error: unknown): void {
      if (signal.aborted || ++failed > MOST_LOGGED) return;
      log.warn({ error: messageOf(error) }, 'a write failed and is tried again');
    }
    // First, so that a node is open for pods when its record says so, and shut before a record could be late to say it.
    const guarding = look.guardWrites.map((write) => () => writeGuard(client, write, log, signal));
    const guardFailures = await runAll(guarding, leadership, onError);
    const written: Written[] = [];
    const refused: RefusedWrite[] = [];
    const left = new LeftPods(client, signal);
    const tasks = [
      ...look.recordWrites.map((write) => async () => {
        try {
          await writeRecord(client, write, log, signal, left);
        } catch (error) {
          if (error instanceof ApiError) refused.push({ write, message: messageOf(error) });
          throw error;
        }
        if (write.kind === 'status') written.push(write);
      }),
      ...look.policyWrites.map((write) => () => writePolicy(client, write, events, signal)),
    ];
    const failures = guardFailures + (await runAll(tasks, leadership, onError));
    if (failed > MOST_LOGGED) log.warn({ more: failed - MOST_LOGGED }, 'more writes failed and are tried again');
    this.refusedPasses = refused.length > 0 ? this.refusedPasses + 1 : 0;
    const tellings = [
      this.refusedPasses === TOLD_AFTER ? tellRefused(refused, look.allocation) : [],
      tellStages(written, look.allocation),
      tellPods(written, stores.pods.values()),
      tellShrunk(written),
    ];
    for (const told of tellings.flat()) {
      events.event(told.subject, told.type, told.reason, told.message);
      this.options.onTold(told);
    }
    return {
      open: look.allocation.open.length,
      writes: guarding.length + tasks.length,
      failures,
      nextChange: look.nextChange,
    };
  }

  /** Logs what is wrong with the cluster when it begins or ends. */
  private remark({ unguarded, earlier }: Look): void {
    const { log } = this.options;
    if (unguarded !== this.unguarded) {
      if (unguarded === undefined) log.info('the admission policies are in force again');
      else log.warn({ problem: unguarded }, 'nothing more is lent: tenants are not held to it');
      this.unguarded = unguarded;
    }
    if (earlier !== this.earlier && earlier !== undefined) log.warn({ problem: earlier }, 'pods from before the chart');
    this.earlier = earlier;
  }
}

/** Runs tasks a few at a time while we lead; gives the number that failed or were not begun. */
async function runAll(
  tasks: readonly (() => Promise<void>)[],
  leadership: Leadership,
  onError: (error: unknown) => void,
): Promise<number> {
  let next = 0;
  let failures = 0;
  async function worker(): Promise<void> {
    for (let task = tasks[next++]; task; task = tasks[next++]) {
      if (!leadership.isCurrent()) {
        failures++;
        continue;
      }
      try {
        await task();
      } catch (error) {
        failures++;
        onError(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, tasks.length) }, worker));
  return failures;
}
