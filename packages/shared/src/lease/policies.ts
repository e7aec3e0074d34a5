/** A policy as the allocator sees it at one moment: valid or not, open or not, and until when. */
import {
  MaxGracefulReclaimSeconds,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicySpec,
  type ResourceLeasingPolicyStatus,
} from '../api/policy.ts';
import { limitsProblem } from './limits.ts';
import { nodeSelectorProblem } from './selector.ts';
import { insideWindows, nextTransition, windowsProblem } from './windows.ts';

export interface JudgedPolicy {
  policy: ResourceLeasingPolicy;
  /** What applies: its spec when valid, otherwise the last valid one that is remembered, otherwise nothing. */
  spec?: ResourceLeasingPolicySpec;
  /** Why its spec is not valid. */
  problem?: string;
  /** Whether a window is open; false without `spec`. */
  inside: boolean;
  /** The next closing and the next opening. */
  closesAt?: Date;
  opensAt?: Date;
}

/** Why a policy's spec is not valid, in words for its status; undefined when it is. The CRD refuses most of it first. */
export function policyProblem(spec: ResourceLeasingPolicySpec, defaultTimeZone: string): string | undefined {
  const grace = spec.gracefulReclaimPeriodSeconds ?? 0;
  if (!spec.cluster) return 'spec.cluster is missing; name the ClusterBinding';
  if (!Number.isInteger(grace) || grace < 0 || grace > MaxGracefulReclaimSeconds) {
    return `gracefulReclaimPeriodSeconds must be a whole number from 0 to ${MaxGracefulReclaimSeconds}`;
  }
  const selector = nodeSelectorProblem(spec.nodeSelector);
  return (
    (selector && `nodeSelector: ${selector}`) ??
    limitsProblem(spec.resourceLimits) ??
    windowsProblem(spec.timeWindows, spec.timeZone ?? defaultTimeZone)
  );
}

/**
 * A spec that stands in a status as the last valid one, where no schema checks it; undefined when it cannot be used. Whoever
 * wrote it by hand must not stop the one who reads it.
 */
export function rememberedSpec(
  status: ResourceLeasingPolicyStatus | undefined,
  defaultTimeZone: string,
): ResourceLeasingPolicySpec | undefined {
  const spec = status?.lastValidSpec;
  if (typeof spec?.cluster !== 'string') return undefined;
  const lists: unknown[] = [spec.timeWindows ?? [], spec.resourceLimits ?? []];
  if (!lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === 'object' && item)))
    return undefined;
  return policyProblem(spec, defaultTimeZone) === undefined ? spec : undefined;
}

/** Judges a policy at `now`. `lastValid` is its last valid spec, if somebody remembers one. */
export function judgePolicy(
  policy: ResourceLeasingPolicy,
  lastValid: ResourceLeasingPolicySpec | undefined,
  now: Date,
  defaultTimeZone: string,
): JudgedPolicy {
  const problem = policyProblem(policy.spec, defaultTimeZone);
  const spec = problem === undefined ? policy.spec : lastValid;
  const reason = problem === undefined ? {} : { problem };
  if (!spec) return { policy, inside: false, ...reason };
  const { inside, next, after } = openingOf(spec, now, spec.timeZone ?? defaultTimeZone);
  const [closesAt, opensAt] = inside ? [next, after] : [after, next];
  return { policy, spec, inside, ...reason, ...(closesAt && { closesAt }), ...(opensAt && { opensAt }) };
}

/** Whether a window is open from one moment on, and its next two changes. */
interface Opening {
  zone: string;
  from: Date;
  inside: boolean;
  next: Date | undefined;
  after: Date | undefined;
}

const DayMs = 86_400_000;
/** Of specs, which are never changed in place: each look asks, and offsets of zones are dear to ask for. */
const known = new WeakMap<ResourceLeasingPolicySpec, Opening>();

function openingOf(spec: ResourceLeasingPolicySpec, now: Date, zone: string): Opening {
  const before = known.get(spec);
  if (before?.zone === zone && before.from <= now && now < (before.next ?? new Date(before.from.getTime() + DayMs))) {
    return before;
  }
  const next = nextTransition(spec.timeWindows, now, zone);
  const after = next && nextTransition(spec.timeWindows, next, zone);
  const opening = { zone, from: now, inside: insideWindows(spec.timeWindows, now, zone), next, after };
  known.set(spec, opening);
  return opening;
}

/** Older policies come first; of equal age the name decides. */
export function olderPolicyFirst(a: ResourceLeasingPolicy, b: ResourceLeasingPolicy): number {
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}
