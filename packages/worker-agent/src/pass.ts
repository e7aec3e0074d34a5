/** One pass: a look at everything, and the writes that it asks for. */
import type { LeasedNodeStatus, ResourceLeasingPolicyStatus } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  ApiError,
  createNews,
  type EventRecorder,
  type Json,
  keyOf,
  type KubeClient,
  type KubeObject,
  type Leadership,
  mayBeDone,
  messageOf,
  type ReadonlyStore,
  replacePatch,
} from '@kubeocean/shared/kube';
import { writeGuard } from './guard/writer.ts';
import { type Look, type LookOptions, Looks } from './look.ts';
import { type PolicyWrite, tellPolicy, writePolicy } from './policies/writer.ts';
import type { Reclaimer } from './reclaim/executor.ts';
import { overduePods } from './reclaim/overdue.ts';
import {
  type RefusedGuard,
  type RefusedWrite,
  tellPods,
  tellRefused,
  tellRefusedGuards,
  tellShrunk,
  tellStages,
  type Told,
  type Written,
} from './reclaim/tell.ts';
import { LeftPods } from './records/left.ts';
import { RefusedRecords } from './records/refused.ts';
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
  /** Lent pods that run past the deadline of their lease. */
  overdue: number;
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
  /** Passes in a row in which the API server refused to have a record written, or a LeaseGuard. */
  private readonly refusedPasses = { records: 0, guards: 0 };
  private readonly refusedRecords = new RefusedRecords();
  /** Statuses of which it is not known whether they were taken: what is stored by the next pass says so. */
  private unanswered: { written: Written[]; policies: PolicyWrite[] } = { written: [], policies: [] };
  private unguarded: string | undefined;
  private earlier: string | undefined;
  private readonly isNews = createNews();

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
    // Of what is stored as the look saw it: what it did not see is written again, and told of then.
    const written = this.taken();
    this.remark(look);
    reclaimer.take(look.steps);
    const { signal } = leadership;
    let failed = 0;
    let told = 0;
    const onError = (error: unknown) => {
      if (signal.aborted || ++failed > MOST_LOGGED) return;
      const { method, path } = error instanceof ApiError ? error : {};
      const cause = messageOf(error);
      if (!this.isNews(`${path ?? ''} ${cause}`)) return;
      told++;
      log.warn({ ...(path && { write: `${method} ${path}` }), error: cause }, 'a write failed and is tried again');
    };
    // First, so that a node is open for pods when its record says so, and shut before a record could be late to say it.
    const refusedGuards: RefusedGuard[] = [];
    const guarding = look.guardWrites.map((write) => async () => {
      try {
        await writeGuard(client, write, log, signal);
      } catch (error) {
        if (error instanceof ApiError) refusedGuards.push({ guard: write.guard, message: messageOf(error) });
        throw error;
      }
    });
    const guardFailures = await runAll(guarding, leadership, onError);
    const refused: RefusedWrite[] = [];
    const left = new LeftPods(client, signal);
    const { refusedRecords } = this;
    const { now: recordWrites, waiting } = refusedRecords.part(look.recordWrites);
    refused.push(...waiting);
    const tasks = [
      ...recordWrites.map((write) => async () => {
        try {
          const isMade = await writeRecord(client, write, log, signal, left);
          refusedRecords.made(write);
          if (isMade && write.kind === 'status') written.push(write);
        } catch (error) {
          if (error instanceof ApiError) {
            refused.push({ write, message: messageOf(error) });
            refusedRecords.refused(write, messageOf(error));
          }
          if (mayBeDone(error) && write.kind === 'status') this.unanswered.written.push(write);
          throw error;
        }
      }),
      ...look.policyWrites.map((write) => async () => {
        try {
          if (await writePolicy(client, write, signal)) tellPolicy(write, events);
        } catch (error) {
          if (mayBeDone(error)) this.unanswered.policies.push(write);
          throw error;
        }
      }),
    ];
    const failures = guardFailures + waiting.length + (await runAll(tasks, leadership, onError));
    if (failed > MOST_LOGGED && told > 0)
      log.warn({ more: failed - MOST_LOGGED }, 'more writes failed and are tried again');
    const { refusedPasses } = this;
    refusedPasses.records = refused.length > 0 ? refusedPasses.records + 1 : 0;
    refusedPasses.guards = refusedGuards.length > 0 ? refusedPasses.guards + 1 : 0;
    const tellings = [
      refusedPasses.records === TOLD_AFTER ? tellRefused(refused, look.allocation) : [],
      refusedPasses.guards === TOLD_AFTER ? tellRefusedGuards(refusedGuards, look.allocation) : [],
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
      writes: guarding.length + tasks.length + waiting.length,
      failures,
      overdue: overduePods(look.allocation, () => stores.pods.values()),
      nextChange: look.nextChange,
    };
  }

  /**
   * Of the last pass's writes without an answer, those that were taken all the same: nobody writes them again, so they are
   * told of now. @returns those of records; those of policies are told
   */
  private taken(): Written[] {
    const { stores, events } = this.options;
    const { written, policies } = this.unanswered;
    this.unanswered = { written: [], policies: [] };
    for (const write of policies) {
      if (isStored([stores.policies], write.policy, write.status)) tellPolicy(write, events);
    }
    return written.filter(({ record, status }) => isStored(stores.records, record, status));
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

/** Whether the object is known to have this status by now. */
function isStored(
  stores: readonly ReadonlyStore<KubeObject>[],
  object: KubeObject,
  status: LeasedNodeStatus | ResourceLeasingPolicyStatus,
): boolean {
  return stores.some((store) => {
    const known = store.get(keyOf(object));
    return (
      known?.metadata.uid === object.metadata.uid &&
      replacePatch(known?.['status'] as Json | undefined, status as Json) === undefined
    );
  });
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
