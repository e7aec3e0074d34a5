/**
 * Whether the worker's agent lives, judged by its heartbeat Lease: stale when it has not been *seen* to change for a time
 * on our own monotonic clock; timestamps of another machine count for nothing. Pure but for the times passed in.
 */
import { Annotation, Seconds } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

export type AgentState = 'Alive' | 'Stale' | 'Missing' | 'Unknown';

export interface Heartbeat {
  /** The Lease was seen new or changed (`renewed`), or seen to be gone. */
  seen(renewed: boolean, atMs: number): void;
  /** The worker answers again: silence before that says nothing of the agent. */
  contact(atMs: number): void;
  /** `listed`: whether the Leases have been listed at all. */
  state(listed: boolean, atMs: number): AgentState;
}

/** Keys begin with letters and digits and are never empty: neither is what they begin with. */
const PREFIX = /^[A-Za-z0-9][-A-Za-z0-9_./]*$/;

/** Beginnings of labels and annotations that the worker's owner lets home's pods bring along, as the agent says. */
export function carriedPrefixes(lease: KubeObject | undefined): string[] {
  const text = lease?.metadata.annotations?.[Annotation.metadataPrefixes] ?? '';
  return text.split(',').filter((prefix) => PREFIX.test(prefix));
}

/**
 * @param assumeStale what the binding said when we started: an agent that was stale then has to be seen alive first.
 * @param staleMs silence after which it counts as stale, in milliseconds
 */
export function createHeartbeat(assumeStale: boolean, staleMs = Seconds.staleAfter * 1000): Heartbeat {
  let exists = false;
  let changes = 0;
  let countingFrom = 0;
  return {
    seen(renewed, atMs) {
      exists = renewed;
      if (!renewed) changes = 0;
      else changes++;
      countingFrom = atMs;
    },
    contact(atMs) {
      countingFrom = Math.max(countingFrom, atMs);
    },
    state(listed, atMs) {
      if (!listed) return 'Unknown';
      if (!exists) return 'Missing';
      if (atMs - countingFrom > staleMs) return 'Stale';
      // The first sight of it is no sign of life by itself; but a running agent is the ordinary case.
      return changes <= 1 && assumeStale ? 'Stale' : 'Alive';
    },
  };
}
