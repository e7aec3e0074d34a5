/**
 * One look at everything: what is lent, what is to be written for it, and which pods have to go. No input or output but
 * the stores; what a look needs of the ones before is remembered. What it costs is measured by scripts/agent-look.ts.
 */
import { type LeasedNode, type ResourceLeasingPolicySpec, Seconds } from '@kubeocean/shared/api';
import { keyOf, type KubeObject } from '@kubeocean/shared/kube';
import {
  type Allocation,
  allocate,
  countPods,
  type DesiredRecord,
  isOpen,
  isSettling,
  type ReclaimTiming,
  rememberedSpec,
  type Tenant,
} from '@kubeocean/shared/lease';
import { ClaimFreshness, type StaleClaims } from './claims/freshness.ts';
import { frozenWords, standInClaims, withoutFrozen } from './frozen-tenants.ts';
import { type GuardWrite, planGuards } from './guard/open-nodes.ts';
import { guardProblem, withholdNew } from './guard/policies.ts';
import { overlapProblem, overlapsByNode, type parseRanges, withOverlaps } from './network/overlap.ts';
import { earlierProblem, guardedSince } from './pods/earlier.ts';
import { findOutOfPlace, type OutOfPlace } from './pods/out-of-place.ts';
import { findUnfollowed } from './pods/unfollowed.ts';
import { policyStatus } from './policies/status.ts';
import { planPolicy, type PolicyWrite } from './policies/writer.ts';
import { type Lease, planReclaim, type PodStep } from './reclaim/plan.ts';
import { planRetractions } from './reclaim/retract.ts';
import { planRecords, type RecordWrite } from './records/plan.ts';
import { Settling } from './settling.ts';
import type { AgentStores } from './stores.ts';

/**
 * Milliseconds for which a pod must be out of place before it goes: room that is on its way, records being written and
 * claims made anew have come by then. Pods lose their finalizer no sooner than a lease ends for want of its claim.
 */
const SETTLE_MS = { beyond: 2000, strays: 30_000, unfollowed: Seconds.staleAfter * 1000 };

export interface LookOptions {
  stores: LookedAt;
  tenants: readonly Tenant[];
  defaultTimeZone: string;
  /** Of the computing clusters, as far as the owner told us. */
  computingRanges: ReturnType<typeof parseRanges>;
  timing: ReclaimTiming;
  /** Longest termination grace of a pod whose lease ends, in seconds. */
  maxGraceSeconds: number;
}

/** What a look reads. */
export type LookedAt = Pick<
  AgentStores,
  | 'nodes'
  | 'pods'
  | 'policies'
  | 'records'
  | 'claims'
  | 'guards'
  | 'admissionPolicies'
  | 'admissionPolicyBindings'
  | 'isGone'
  | 'isFrozen'
  | 'whyFrozen'
>;

export interface Look {
  allocation: Allocation;
  /** Of LeaseGuards; they are carried out before the others. */
  guardWrites: GuardWrite[];
  recordWrites: RecordWrite[];
  policyWrites: PolicyWrite[];
  /** What is to be done with pods, by UID. */
  steps: Map<string, PodStep>;
  /** Why nothing new is lent: the admission policies are not in force. */
  unguarded: string | undefined;
  /** Pods from before the chart, in words. */
  earlier: string | undefined;
  /** When time alone may change the result. */
  nextChange: Date | undefined;
}

/** Looks, and keeps in memory what a look needs of the ones before. */
export class Looks {
  private readonly options: LookOptions;
  private readonly freshness = new ClaimFreshness();
  private lastValid = new Map<string, ResourceLeasingPolicySpec>();
  private readonly settling = {
    beyond: new Settling(SETTLE_MS.beyond),
    strays: new Settling(SETTLE_MS.strays),
    unfollowed: new Settling(SETTLE_MS.unfollowed),
  };
  private staleAtLastLook = 0;

  constructor(options: LookOptions) {
    this.options = options;
  }

  /** Takes note of renewals of claims; says whether one ended a silence since the last look, which asks for another. */
  renewed(now: Date, monotonic: number): boolean {
    return this.observe(this.claims(), now, monotonic).since.size < this.staleAtLastLook;
  }

  /** The stores must be complete. `monotonic` is in milliseconds. */
  look(now: Date, monotonic: number): Look {
    const { stores, defaultTimeZone, timing, maxGraceSeconds } = this.options;
    const present = this.tenants();
    const [frozen, tenants] = partition(present, ({ namespace }) => stores.isFrozen(namespace));
    const frozenNames = new Set(frozen.map(({ namespace }) => namespace));
    const claims = this.claims();
    const stale = this.observe(claims, now, monotonic);
    this.staleAtLastLook = stale.since.size;
    const records = stores.records.flatMap((store) => [...store.values()]).filter((record) => !this.isGone(record));
    // The one time that all pods are gone over; what follows looks at those it concerns.
    const usage = countPods(stores.pods.values(), present);
    const lent = [...usage.lent()].filter(({ namespace }) => !frozenNames.has(namespace));
    const policies = [...stores.policies.values()];
    const lastValid = this.lastValidSpecs();
    const everything = allocate({
      nodes: [...stores.nodes.values()],
      pods: usage,
      policies,
      claims: [...claims, ...standInClaims(frozen, { policies, lastValid, claims, records })],
      records,
      tenants: present,
      now,
      defaultTimeZone,
      lastValid,
      staleSince: stale.since,
      readers: stale.readers,
      timing,
    });
    this.lastValid = new Map(
      everything.policies.flatMap(({ policy, spec }) => (spec ? [[policy.metadata.uid ?? '', spec]] : [])),
    );
    const allocated = withoutFrozen(everything, frozenNames);

    const byKey = new Map(records.map((record) => [keyOf(record), record]));
    const unguarded = guardProblem(stores.admissionPolicies.values(), stores.admissionPolicyBindings.values());
    const guarded = unguarded === undefined ? allocated : withholdNew(allocated, (key) => isOpen(byKey.get(key)));
    const overlaps = overlapsByNode(stores.nodes.values(), this.options.computingRanges);
    const allocation = { ...guarded, open: withOverlaps(guarded.open, overlaps) };
    const since = guardedSince(stores.admissionPolicies.values());
    const earlier = earlierProblem(lent, since);
    const nodeOf = (name: string) => stores.nodes.get(name);
    const remarks = { unguarded, overlap: overlapProblem(overlaps), earlier, nodeOf };
    const frozenOf = (namespace = '') =>
      frozenNames.has(namespace) ? frozenWords(namespace, stores.whyFrozen(namespace)) : undefined;
    const leases = leasesOf(allocated, allocation, byKey);
    const reclaim = planReclaim({ leases, pods: lent, tenants, maxGraceSeconds, guardedSince: since });
    const unfollowed = findUnfollowed(lent, claims, now);
    const outOfPlace = this.settled(
      findOutOfPlace({
        open: [...allocated.open, ...settlingOf(allocated)],
        records,
        pods: lent,
        tenants,
        maxGraceSeconds,
      }),
      unfollowed.steps,
      monotonic,
    );
    const retractions = planRetractions(leases, lent);
    const times = [stale.nextInMs, outOfPlace.nextInMs].flatMap((ms) => (ms === undefined ? [] : now.getTime() + ms));
    if (allocation.nextChange) times.push(allocation.nextChange.getTime());
    if (unfollowed.nextAt !== undefined) times.push(unfollowed.nextAt);
    return {
      allocation,
      guardWrites: this.guardWrites(allocation, tenants),
      recordWrites: planRecords(allocation, (key) => byKey.get(key)),
      policyWrites: allocation.policies.flatMap(
        (outcome) =>
          planPolicy(
            outcome.policy,
            policyStatus(outcome, now, { ...remarks, frozen: frozenOf(outcome.claim.served?.namespace) }),
          ) ?? [],
      ),
      steps: new Map([...retractions, ...outOfPlace.misplaced, ...reclaim, ...outOfPlace.unfollowed]),
      unguarded,
      earlier,
      nextChange: times.length > 0 ? new Date(Math.min(...times)) : undefined,
    };
  }

  /** Of a namespace that cannot be read no renewal is seen: that is our own silence, and it is forgotten. */
  private observe(claims: readonly KubeObject[], now: Date, monotonic: number): StaleClaims {
    const { stores } = this.options;
    const readable = claims.filter(({ metadata }) => !stores.isFrozen(metadata.namespace ?? ''));
    return this.freshness.observe(readable, monotonic, now);
  }

  private claims(): KubeObject[] {
    const claims = this.options.stores.claims.flatMap((store) => [...store.values()]);
    return claims.filter((claim) => !this.isGone(claim));
  }

  /** What the stores last knew of a namespace that was deleted while we ran. */
  private isGone({ metadata }: KubeObject): boolean {
    return metadata.namespace !== undefined && this.options.stores.isGone(metadata.namespace);
  }

  private tenants(): readonly Tenant[] {
    const { tenants, stores } = this.options;
    return tenants.filter(({ namespace }) => !stores.isGone(namespace));
  }

  private guardWrites({ open }: Allocation, tenants: readonly Tenant[]): GuardWrite[] {
    const guards = new Map(
      this.options.stores.guards
        .flatMap((store) => [...store.values()])
        .map((guard) => [guard.metadata.namespace, guard]),
    );
    const namespaces = tenants.map(({ namespace }) => namespace);
    return planGuards(namespaces, open, (namespace) => guards.get(namespace));
  }

  /** What applies to policies that are not valid: remembered, or as it was written by whoever led before. */
  private lastValidSpecs(): Map<string, ResourceLeasingPolicySpec> {
    const specs = new Map(this.lastValid);
    for (const { metadata, status } of this.options.stores.policies.values()) {
      if (!metadata.uid || specs.has(metadata.uid)) continue;
      const written = rememberedSpec(status, this.options.defaultTimeZone);
      if (written) specs.set(metadata.uid, written);
    }
    return specs;
  }

  /** Steps for pods that have been out of place, or followed by nobody, for long enough. */
  private settled(
    found: OutOfPlace,
    unfollowed: ReadonlyMap<string, PodStep>,
    monotonic: number,
  ): { misplaced: Map<string, PodStep>; unfollowed: Map<string, PodStep>; nextInMs: number | undefined } {
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
}

/**
 * The leases that there are records of, with what each is to say.
 * @param allocated what would be lent
 * @param allocation the same without what is withheld
 */
function leasesOf(allocated: Allocation, allocation: Allocation, records: ReadonlyMap<string, LeasedNode>): Lease[] {
  const open = new Map(allocation.open.map((desired) => [keyOfRecord(desired), desired.status]));
  return [
    ...allocation.closed,
    ...allocated.open.flatMap((desired): Lease[] => {
      const key = keyOfRecord(desired);
      const record = records.get(key);
      // Of one that is closed, and not to be opened anew, what it says goes on.
      const status = open.get(key) ?? record?.status;
      return record && status ? [{ record, status }] : [];
    }),
  ];
}

/**
 * Leases that seem to be over, which may be for a moment: pods may hold there what they could before. Otherwise a tenant that
 * takes its claim away again and again would be held to nothing.
 */
function settlingOf({ closed }: Allocation): DesiredRecord[] {
  return closed
    .filter(({ status }) => isSettling(status) && status.ceiling !== undefined)
    .map(({ record: { metadata, spec }, status }) => {
      const { namespace, name, labels = {} } = metadata;
      return { namespace, name, labels, spec, status };
    });
}

function keyOfRecord({ namespace, name }: DesiredRecord): string {
  return `${namespace}/${name}`;
}

/** Those that are so, and those that are not. */
function partition<T>(list: readonly T[], isSo: (item: T) => boolean): [T[], T[]] {
  return [list.filter(isSo), list.filter((item) => !isSo(item))];
}

function only(steps: ReadonlyMap<string, PodStep>, keys: ReadonlySet<string>): [string, PodStep][] {
  return [...steps].filter(([key]) => keys.has(key));
}
