/**
 * Taking back what is lent: when each step begins. All of it follows from a record's `reclaimAt`, so an agent that is
 * started in the middle goes on where the last one was.
 */
import { Annotation } from '../api/constants.ts';
import type { LeasedNodeStatus, ReclaimStage } from '../api/leased-node.ts';
import type { KubeObject } from '../kube/types.ts';
import { rfc3339 } from './time.ts';

/** Longest time in which only the computing cluster evicts, so that the budgets its users set come first. */
const HeadStartMs = 30_000;

/** Seconds. */
export interface ReclaimTiming {
  /** From `reclaimAt` until pods are deleted past every disruption budget. */
  deadlineSeconds: number;
  /** Before a window closes, when pods are told that they will be evicted. */
  noticeSeconds: number;
}

export const DefaultReclaimTiming: ReclaimTiming = { deadlineSeconds: 600, noticeSeconds: 300 };

/** What the stage depends on beside the time. */
export interface ReclaimFacts {
  /** Lent pods on the node that have not ended. */
  unfinished: number;
  /** Lent pods that have ended, but whose end the computing cluster has not shown yet. */
  unsynced: number;
  /** Whether somebody is there to evict through the computing cluster first. */
  syncerFirst: boolean;
  timing: ReclaimTiming;
}

interface Times {
  at: number;
  /** When the agent begins if the syncer goes first: 30 s, or half the time to the deadline where that is less. */
  agentAt: number;
  deadline: number;
}

function timesOf(reclaimAt: string, timing: ReclaimTiming): Times {
  const at = Date.parse(reclaimAt);
  const length = timing.deadlineSeconds * 1000;
  return { at, agentAt: at + Math.min(HeadStartMs, length / 2), deadline: at + length };
}

/** The stage at `now` of a taking back that begins at `reclaimAt` (RFC 3339). */
export function reclaimStage(reclaimAt: string, facts: ReclaimFacts, now: Date): ReclaimStage {
  const { at, agentAt, deadline } = timesOf(reclaimAt, facts.timing);
  const time = now.getTime();
  if (time < at) return 'Notice';
  // Until the deadline the vnode keeps the pods whose end it has yet to show.
  if (facts.unfinished === 0 && (facts.unsynced === 0 || time >= deadline)) return 'Done';
  if (time >= deadline) return 'Deleting';
  return facts.syncerFirst && time < agentAt ? 'Syncer' : 'Evicting';
}

/** The fields of a record's status that tell of a taking back. */
export function reclaimStatus(
  reclaimAt: string,
  facts: ReclaimFacts,
  now: Date,
): Pick<LeasedNodeStatus, 'reclaimAt' | 'reclaimDeadline' | 'reclaimStage'> {
  return {
    reclaimAt,
    reclaimDeadline: rfc3339(new Date(timesOf(reclaimAt, facts.timing).deadline)),
    reclaimStage: reclaimStage(reclaimAt, facts, now),
  };
}

/** When time alone changes a status next: a stage begins, notice is due, or the window closes as it was announced. */
export function nextReclaimChange(status: LeasedNodeStatus, timing: ReclaimTiming, now: Date): Date | undefined {
  const times: number[] = [];
  if (status.reclaimAt) times.push(...Object.values(timesOf(status.reclaimAt, timing)));
  else if (status.phase === 'Active' && status.window?.closesAt) {
    const closesAt = Date.parse(status.window.closesAt);
    times.push(closesAt - timing.noticeSeconds * 1000, closesAt);
  }
  const next = Math.min(...times.filter((time) => time > now.getTime()));
  return Number.isFinite(next) ? new Date(next) : undefined;
}

/** Whether the worker's owner takes this policy's leases, or this node, back now. */
export function isTakenBack(object: KubeObject): boolean {
  return object.metadata.annotations?.[Annotation.reclaim] === 'now';
}

/** That the annotation says something which is not heeded, in words: its writer may believe that the node comes back. */
export function misreadReclaim(what: string, { metadata }: Pick<KubeObject, 'metadata'>): string | undefined {
  const value = metadata.annotations?.[Annotation.reclaim];
  if (value === undefined || value === 'now') return undefined;
  const said = JSON.stringify(value.slice(0, 64));
  return `the annotation ${Annotation.reclaim} of ${what} says ${said}, which does nothing: only "now" takes back`;
}
