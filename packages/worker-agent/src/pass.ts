/** One look at everything: allocate, plan, write. */
import type { ResourceLeasingPolicySpec } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  type EventRecorder,
  keyOf,
  type KubeClient,
  type KubeObject,
  type Leadership,
  messageOf,
} from '@kubeocean/shared/kube';
import { allocate, type Tenant } from '@kubeocean/shared/lease';
import { ClaimFreshness } from './claims/freshness.ts';
import { policyStatus } from './policies/status.ts';
import { planPolicy, writePolicy } from './policies/writer.ts';
import { planRecords } from './records/plan.ts';
import { writeRecord } from './records/writer.ts';
import type { AgentStores } from './stores.ts';

/** Writes under way at once. */
const CONCURRENCY = 16;

export interface PassResult {
  open: number;
  writes: number;
  failures: number;
  /** When time alone may change the result. */
  nextChange: Date | undefined;
}

export interface PassOptions {
  client: KubeClient;
  stores: AgentStores;
  tenants: readonly Tenant[];
  defaultTimeZone: string;
  events: EventRecorder;
  log: Logger;
  /** Asks for another look. */
  wake(): void;
}

/** Looks and writes; keeps in memory what a look needs of the ones before. */
export class Passes {
  private readonly options: PassOptions;
  private readonly freshness = new ClaimFreshness();
  private lastValid = new Map<string, ResourceLeasingPolicySpec>();

  private staleAtLastLook = 0;

  constructor(options: PassOptions) {
    this.options = options;
    // A renewal changes nothing that is lent, so it asks for a look only when it ends a silence.
    for (const store of options.stores.claims) {
      store.onChange(() => {
        const { since } = this.freshness.observe(this.claims(), performance.now(), new Date());
        if (since.size < this.staleAtLastLook) options.wake();
      });
    }
  }

  private claims(): KubeObject[] {
    return this.options.stores.claims.flatMap((store) => [...store.values()]);
  }

  /** The stores must be complete. Failed writes are logged and counted; the caller looks again. */
  async run(leadership: Leadership, now: Date): Promise<PassResult> {
    const { client, stores, tenants, defaultTimeZone, events, log } = this.options;
    const claims = this.claims();
    const stale = this.freshness.observe(claims, performance.now(), now);
    this.staleAtLastLook = stale.since.size;
    const records = stores.records.flatMap((store) => [...store.values()]);
    const allocation = allocate({
      nodes: [...stores.nodes.values()],
      pods: [...stores.pods.values()],
      policies: [...stores.policies.values()],
      claims,
      records,
      tenants,
      now,
      defaultTimeZone,
      lastValid: this.lastValid,
      staleSince: stale.since,
    });
    this.lastValid = new Map(
      allocation.policies.flatMap(({ policy, spec }) => (spec ? [[policy.metadata.uid ?? '', spec]] : [])),
    );

    const byKey = new Map(records.map((record) => [keyOf(record), record]));
    const recordWrites = planRecords(allocation, (key) => byKey.get(key));
    const policyWrites = allocation.policies.flatMap(
      (outcome) => planPolicy(outcome.policy, policyStatus(outcome, now)) ?? [],
    );
    const { signal } = leadership;
    const tasks = [
      ...recordWrites.map((write) => () => writeRecord(client, write, log, signal)),
      ...policyWrites.map((write) => () => writePolicy(client, write, events, signal)),
    ];
    const failures = await runAll(tasks, leadership, (error) => {
      if (!signal.aborted) log.warn({ error: messageOf(error) }, 'a write failed and is tried again');
    });
    const staleAt = stale.nextInMs === undefined ? undefined : new Date(now.getTime() + stale.nextInMs);
    const times = [allocation.nextChange, staleAt].filter((time) => time !== undefined).map((time) => time.getTime());
    return {
      open: allocation.open.length,
      writes: tasks.length,
      failures,
      nextChange: times.length > 0 ? new Date(Math.min(...times)) : undefined,
    };
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
