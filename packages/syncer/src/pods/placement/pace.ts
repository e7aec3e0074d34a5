/**
 * How many worker pods may wait for the worker's scheduler at once. It takes pods in the order they came: whoever makes
 * thousands at once would have everybody after him wait for all of them, whatever our own queue does. So beyond some, those
 * that wait do so here, where namespaces take turns.
 */
import { isTerminal, type Pod } from '../types.ts';

export interface PaceOptions {
  /** Pods that may wait for a place. */
  most: number;
  /** Milliseconds after which a pod no longer counts: a scheduler that stands still holds nobody up for longer. */
  patienceMs: number;
  /** Told when pods may be made again because time has passed. */
  onReopen: () => void;
  /** Milliseconds, monotonic. */
  clock?: () => number;
}

/** Two seconds' work of a scheduler. */
export const USUAL_PACE = { most: 100, patienceMs: 10_000 } as const;

export class Pace {
  private readonly options: PaceOptions;
  /** When each pod that has no place yet was first told of, oldest first, by its key in the worker. */
  private readonly waiting = new Map<string, number>();
  /** Those that waited for longer than the patience: they count no more, however often they are told of. */
  private readonly overdue = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private readonly clock: () => number;

  constructor(options: PaceOptions) {
    this.options = options;
    this.clock = options.clock ?? (() => performance.now());
  }

  /** What the watch says of the pod; undefined: it is gone. */
  told(key: string, pod: Pod | undefined): void {
    if (!pod || !waitsForPlace(pod)) {
      this.waiting.delete(key);
      this.overdue.delete(key);
    } else if (!this.waiting.has(key) && !this.overdue.has(key)) {
      this.waiting.set(key, this.clock());
    }
  }

  /** Whether one more pod may be made. When not, `onReopen` will be called, unless {@link told} says so first. */
  allows(): boolean {
    const now = this.clock();
    for (const [key, since] of this.waiting) {
      const left = since + this.options.patienceMs - now;
      if (left <= 0) {
        this.waiting.delete(key);
        this.overdue.add(key);
      } else if (this.waiting.size < this.options.most) return true;
      else {
        this.wakeIn(left);
        return false;
      }
    }
    return true;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private wakeIn(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.options.onReopen();
    }, Math.ceil(ms)).unref();
  }
}

/** Nothing was said of it yet: neither a node nor that there is none. */
function waitsForPlace(pod: Pod): boolean {
  if (pod.spec.nodeName || pod.metadata.deletionTimestamp || isTerminal(pod)) return false;
  return !pod.status?.conditions?.some(({ type }) => type === 'PodScheduled');
}
