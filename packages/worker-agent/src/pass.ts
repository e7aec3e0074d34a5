/** One look at everything: allocate, plan, write. */
import type { LeasedNode, ResourceLeasingPolicySpec } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  type EventRecorder,
  keyOf,
  type KubeClient,
  type KubeObject,
  type Leadership,
  messageOf,
} from '@kubeocean/shared/kube';
import { type Allocation, allocate, policyProblem, type ReclaimTiming, type Tenant } from '@kubeocean/shared/lease';
import { ClaimFreshness } from './claims/freshness.ts';
import { planGuards } from './guard/open-nodes.ts';
import { guardProblem, withholdNew } from './guard/policies.ts';
import { writeGuard } from './guard/writer.ts';
import { policyStatus } from './policies/status.ts';
import { overlapProblem, overlapsByNode, type parseRanges, withOverlaps } from './network/overlap.ts';
import { earlierProblem, guardedSince } from './pods/earlier.ts';
import { findOutOfPlace } from './pods/out-of-place.ts';
import { findUnfollowed } from './pods/unfollowed.ts';
import { planPolicy, writePolicy } from './policies/writer.ts';
import type { Reclaimer } from './reclaim/executor.ts';
import { type Lease, planReclaim, type PodStep } from './reclaim/plan.ts';
import { planRetractions } from './reclaim/retract.ts';
import { tellPods, tellShrunk, tellStages, type Told, type Written } from './reclaim/tell.ts';
import { planRecords } from './records/plan.ts';
import { writeRecord } from './records/writer.ts';
import { Settling } from './settling.ts';
import type { AgentStores } from './stores.ts';

/**
 * Milliseconds for which a pod must be out of place before it goes: room that is on its way, records being written and
 * claims made anew have come by then.
 */
const SETTLE_MS = { beyond: 2000, strays: 30_000, unfollowed: 30_000 };
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
  /** Of the computing clusters, as far as the owner told us. */
  computingRanges: ReturnType<typeof parseRanges>;
  events: EventRecorder;
  log: Logger;
  reclaimer: Reclaimer;
  timing: ReclaimTiming;
  /** Longest termination grace of a pod whose lease ends, in seconds. */
  maxGraceSeconds: number;
  now(): Date;
  /** Told of events that were recorded. */
  onTold(told: Told): void;
  /** Asks for another look. */
  wake(): void;
}

/** Looks and writes; keeps in memory what a look needs of the ones before. */
export class Passes {
  private readonly options: PassOptions;
  private readonly freshness = new ClaimFreshness();
  private lastValid = new Map<string, ResourceLeasingPolicySpec>();

  private readonly settling = {
    beyond: new Settling(SETTLE_MS.beyond),
    strays: new Settling(SETTLE_MS.strays),
    unfollowed: new Settling(SETTLE_MS.unfollowed),
  };
  private staleAtLastLook = 0;
  private unguarded: string | undefined;
  private earlier: string | undefined;

  constructor(options: PassOptions) {
    this.options = options;
    // A renewal changes nothing that is lent, so it asks for a look only when it ends a silence.
    for (const store of options.stores.claims) {
      store.onChange(() => {
        const { since } = this.freshness.observe(this.claims(), performance.now(), options.now());
        if (since.size < this.staleAtLastLook) options.wake();
      });
    }
  }

  private claims(): KubeObject[] {
    return this.options.stores.claims.flatMap((store) => [...store.values()]);
  }

  /** What applies to policies that are not valid: remembered, or as it was written by whoever led before. */
  private lastValidSpecs(): Map<string, ResourceLeasingPolicySpec> {
    const specs = new Map(this.lastValid);
    for (const { metadata, status } of this.options.stores.policies.values()) {
      const written = status?.lastValidSpec;
      if (!written || !metadata.uid || specs.has(metadata.uid)) continue;
      if (policyProblem(written, this.options.defaultTimeZone) === undefined) specs.set(metadata.uid, written);
    }
    return specs;
  }

  /** Steps for pods that have been out of place, or followed by nobody, for long enough. */
  private stepsOutOfPlace(
    allocated: Allocation,
    records: readonly LeasedNode[],
    claims: readonly KubeObject[],
    now: Date,
  ): { misplaced: Map<string, PodStep>; unfollowed: Map<string, PodStep>; nextInMs: number | undefined } {
    const { stores, tenants, maxGraceSeconds } = this.options;
    const pods = () => stores.pods.values();
    const found = findOutOfPlace({ open: allocated.open, records, pods: pods(), tenants, maxGraceSeconds });
    const unfollowed = findUnfollowed(pods(), claims, tenants, now);
    const monotonic = performance.now();
    const beyond = this.settling.beyond.observe(found.beyond.keys(), monotonic);
    const strays = this.settling.strays.observe(found.strays.keys(), monotonic);
    const loose = this.settling.unfollowed.observe(unfollowed.keys(), monotonic);
    const waits = [beyond, strays, loose].flatMap(({ nextInMs }) => nextInMs ?? []);
    return {
      misplaced: new Map([...only(found.strays, strays.settled), ...only(found.beyond, beyond.settled)]),
      unfollowed: new Map(only(unfollowed, loose.settled)),
      nextInMs: waits.length > 0 ? Math.min(...waits) : undefined,
    };
  }

  /** The stores must be complete. Failed writes are logged and counted; the caller looks again. */
  async run(leadership: Leadership, now: Date): Promise<PassResult> {
    const { client, stores, tenants, defaultTimeZone, events, log, timing, maxGraceSeconds } = this.options;
    const claims = this.claims();
    const stale = this.freshness.observe(claims, performance.now(), now);
    this.staleAtLastLook = stale.since.size;
    const records = stores.records.flatMap((store) => [...store.values()]);
    const allocated = allocate({
      nodes: [...stores.nodes.values()],
      pods: [...stores.pods.values()],
      policies: [...stores.policies.values()],
      claims,
      records,
      tenants,
      now,
      defaultTimeZone,
      lastValid: this.lastValidSpecs(),
      staleSince: stale.since,
      timing,
    });
    this.lastValid = new Map(
      allocated.policies.flatMap(({ policy, spec }) => (spec ? [[policy.metadata.uid ?? '', spec]] : [])),
    );

    const byKey = new Map(records.map((record) => [keyOf(record), record]));
    const unguarded = guardProblem(stores.admissionPolicies.values(), stores.admissionPolicyBindings.values());
    if (unguarded !== this.unguarded) {
      if (unguarded === undefined) log.info('the admission policies are in force again');
      else log.warn({ problem: unguarded }, 'nothing more is lent: tenants are not held to it');
      this.unguarded = unguarded;
    }
    const guarded = unguarded === undefined ? allocated : withholdNew(allocated, (key) => byKey.has(key));
    const overlaps = overlapsByNode(stores.nodes.values(), this.options.computingRanges);
    const allocation = { ...guarded, open: withOverlaps(guarded.open, overlaps) };
    const guards = new Map(
      stores.guards.flatMap((store) => [...store.values()]).map((guard) => [guard.metadata.namespace, guard]),
    );
    const guardWrites = planGuards(
      tenants.map(({ namespace }) => namespace),
      allocation.open,
      (namespace) => guards.get(namespace),
    );
    const recordWrites = planRecords(allocation, (key) => byKey.get(key));
    const overlap = overlapProblem(overlaps);
    const since = guardedSince(stores.admissionPolicies.values());
    const earlier = earlierProblem(stores.pods.values(), tenants, since);
    if (earlier !== this.earlier && earlier !== undefined) log.warn({ problem: earlier }, 'pods from before the chart');
    this.earlier = earlier;
    const policyWrites = allocation.policies.flatMap(
      (outcome) => planPolicy(outcome.policy, policyStatus(outcome, now, { unguarded, overlap, earlier })) ?? [],
    );
    const leases = [
      ...allocation.closed,
      ...allocation.open.flatMap(({ namespace, name, status }): Lease[] => {
        const record = byKey.get(`${namespace}/${name}`);
        return record ? [{ record, status }] : [];
      }),
    ];
    const reclaim = planReclaim({
      leases,
      pods: stores.pods.values(),
      tenants,
      maxGraceSeconds,
      guardedSince: since,
    });
    const outOfPlace = this.stepsOutOfPlace(allocated, records, claims, now);
    const retractions = planRetractions(leases, stores.pods.values());
    this.options.reclaimer.take(
      new Map([...retractions, ...outOfPlace.misplaced, ...reclaim, ...outOfPlace.unfollowed]),
    );
    const { signal } = leadership;
    function onError(error: unknown): void {
      if (!signal.aborted) log.warn({ error: messageOf(error) }, 'a write failed and is tried again');
    }
    // First, so that a node is open for pods when its record says so, and shut before a record could be late to say it.
    const guarding = guardWrites.map((write) => () => writeGuard(client, write, log, signal));
    const guardFailures = await runAll(guarding, leadership, onError);
    const written: Written[] = [];
    const tasks = [
      ...recordWrites.map((write) => async () => {
        await writeRecord(client, write, log, signal);
        if (write.kind === 'status') written.push(write);
      }),
      ...policyWrites.map((write) => () => writePolicy(client, write, events, signal)),
    ];
    const failures = guardFailures + (await runAll(tasks, leadership, onError));
    const tellings = [tellStages(written, allocation), tellPods(written, stores.pods.values()), tellShrunk(written)];
    for (const told of tellings.flat()) {
      events.event(told.subject, told.type, told.reason, told.message);
      this.options.onTold(told);
    }
    const waits = [stale.nextInMs, outOfPlace.nextInMs].filter((ms) => ms !== undefined);
    const times = waits.map((ms) => now.getTime() + ms);
    if (allocation.nextChange) times.push(allocation.nextChange.getTime());
    return {
      open: allocation.open.length,
      writes: guarding.length + tasks.length,
      failures,
      nextChange: times.length > 0 ? new Date(Math.min(...times)) : undefined,
    };
  }
}

function only(steps: ReadonlyMap<string, PodStep>, keys: ReadonlySet<string>): [string, PodStep][] {
  return [...steps].filter(([key]) => keys.has(key));
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
