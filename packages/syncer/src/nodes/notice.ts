/** What a vnode says beforehand of the end of its lease, so that schedulers and users can see it. Pure. */
import { Annotation, Label, type LeasedNodeStatus } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { LATEST } from './sanitize.ts';

export interface ClosingNotice {
  /** Seconds since 1970: node affinity's `Gt` and `Lt` compare integers. */
  labels: Record<string, string>;
  /** RFC 3339, for people. */
  annotations: Record<string, string>;
}

/**
 * When the lease closes that is open now, by our own clock; undefined when it is not open, or has no end.
 * @param aheadMs how far the worker's clock, by which the record goes, is ahead of ours
 */
function closesAt(status: LeasedNodeStatus | undefined, aheadMs: number): Date | undefined {
  if (status?.phase !== 'Active' || typeof status.window?.closesAt !== 'string') return undefined;
  const time = Date.parse(status.window.closesAt) - aheadMs;
  return time >= 0 && time <= LATEST ? new Date(time) : undefined;
}

/** When the lease of a vnode closes, as it says itself: by our own clock. */
export function closesAtOf(vnode: KubeObject | undefined): Date | undefined {
  const time = Date.parse(vnode?.metadata.annotations?.[Annotation.leaseClosesAt] ?? '');
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** By which clock a vnode is to tell of its closing. */
export interface ClosingFacts {
  /** How far the worker's clock is ahead of ours, in milliseconds. */
  workerAheadMs?: number;
  /** What it says by now, which stands while that is not known. */
  notice?: ClosingNotice;
}

/**
 * Who begins to lead has yet to compare the clocks: taken as they are, the times of the records could be others than the leader
 * before told, for some seconds, and each pod that may outlive them would be told twice.
 */
export function closingFacts(vnode: KubeObject | undefined, workerAheadMs: number | undefined): ClosingFacts {
  if (workerAheadMs !== undefined) return { workerAheadMs };
  const { labels, annotations } = vnode?.metadata ?? {};
  const [label, text] = [labels?.[Label.leaseCloses], annotations?.[Annotation.leaseClosesAt]];
  if (label === undefined || text === undefined) return {};
  return { notice: { labels: { [Label.leaseCloses]: label }, annotations: { [Annotation.leaseClosesAt]: text } } };
}

/** Label and annotation of a vnode whose lease is open and has an end. */
export function closingNotice(
  status: LeasedNodeStatus | undefined,
  { workerAheadMs = 0, notice }: ClosingFacts = {},
): ClosingNotice | undefined {
  const time = closesAt(status, workerAheadMs);
  if (!time) return undefined;
  if (notice) return notice;
  return {
    labels: { [Label.leaseCloses]: String(Math.floor(time.getTime() / 1000)) },
    annotations: { [Annotation.leaseClosesAt]: rfc3339(time) },
  };
}
