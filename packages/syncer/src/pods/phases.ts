/**
 * How long a pod's way to Ready takes, in five parts, each from the end of the one before: *seen* (bound by home's
 * scheduler → the watch told us; its clock has seconds only), *translated* (→ everything it refers to is in the worker),
 * *accepted* (→ the worker's API server has the pod), *ready* (→ the worker's kubelet says Ready), *shown* (→ home's
 * status says so). A pod whose way began before this process is not counted.
 */
import { Histogram, type Registry } from '@kubeocean/shared/daemon';
import type { Pod } from './types.ts';

const PARTS = ['seen', 'translated', 'accepted', 'ready', 'shown'] as const;
export type PodPhase = (typeof PARTS)[number];

export interface PodPhases {
  /** A home pod that has no worker pod yet was seen. */
  seen(home: Pod): void;
  /** The next part of its way is over; said again, or out of order, it changes nothing. */
  reached(uid: string, part: Exclude<PodPhase, 'seen'>): void;
  forget(uid: string): void;
}

/**
 * @param clock milliseconds, monotonic
 * @param now milliseconds since 1970
 */
export function createPodPhases(
  registry: Registry,
  clock: () => number = () => performance.now(),
  now: () => number = Date.now,
): PodPhases {
  const seconds = new Histogram({
    name: 'kubeocean_pod_phase_seconds',
    help: 'How long each part of the way of pods to Ready took: seen, translated, accepted, ready, shown',
    labelNames: ['phase'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [registry],
  });
  for (const phase of PARTS) seconds.zero({ phase });
  /** The last part that is over and when it was, by UID of the home pod. */
  const ways = new Map<string, { part: number; at: number }>();

  return {
    seen(home) {
      const { uid = '' } = home.metadata;
      if (ways.has(uid)) return;
      ways.set(uid, { part: 0, at: clock() });
      const bound = home.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'True');
      const since = Date.parse(bound?.lastTransitionTime ?? home.metadata.creationTimestamp ?? '');
      if (!Number.isNaN(since)) seconds.observe({ phase: 'seen' }, Math.max(0, now() - since) / 1000);
    },
    reached(uid, part) {
      const way = ways.get(uid);
      const at = PARTS.indexOf(part);
      if (!way || way.part !== at - 1) return;
      const time = clock();
      seconds.observe({ phase: part }, (time - way.at) / 1000);
      ways.set(uid, { part: at, at: time });
    },
    forget: (uid) => void ways.delete(uid),
  };
}
