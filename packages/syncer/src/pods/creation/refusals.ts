/**
 * What the worker has refused of pods that were never run, until they are asked for again. A pause holds whatever wakes
 * the pod meanwhile: its own status, by which it was told, is such a thing. Memory only; after a restart each is asked
 * for once.
 */
import { hash } from 'node:crypto';
import type { LeasedNode } from '@kubeocean/shared/api';
import { parseResources, type Quantity, raise, type Resources } from '@kubeocean/shared/lease';
import { carriedOf } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

/** Pause after the first refusal, doubled by each further one. */
const REFUSED_FIRST_MS = 1000;
const REFUSED_LONGEST_MS = 300_000;
/** The same where the worker failed to answer for itself: that may be over in a moment. */
const FAILED_FIRST_MS = 100;
const FAILED_LONGEST_MS = 10_000;
/** The same while something is missing that most often is told of when it comes. */
const MISSING_FIRST_MS = 15_000;
const MISSING_LONGEST_MS = 120_000;

interface Entry {
  count: number;
  /** Milliseconds, monotonic. */
  until: number;
  /** What was refused, as a hash. */
  asked: string;
  phase: string | undefined;
  /** The most that was lent when it was refused. */
  lent: Map<string, Quantity>;
  /** Since when something is missing. Milliseconds, monotonic. */
  missingSince?: number;
  told?: { reason: string; shape: string; message: string };
}

export interface Refusals {
  /** Milliseconds until the pod is asked for again; 0 = now. Ends early when the pod or its lease has become another. */
  left(home: Pod, record: LeasedNode): number;
  /** Notes a refusal, or that the worker `failed` to say. @returns how often that was so by now, and the pause */
  refused(home: Pod, record: LeasedNode, failed?: boolean): { count: number; waitMs: number };
  /**
   * Notes that something is missing which the pod needs.
   * @returns milliseconds until that is looked for again, unless the pod is woken: as long again as it was missing so far
   */
  missing(home: Pod): number;
  /**
   * Notes what the pod's user is told.
   * @returns the words to tell: those of the last time where only numbers, addresses and the like are others
   */
  words(home: Pod, reason: string, message: string): string;
  /** The pod is gone, or was taken. */
  delete(uid: string): void;
  /** Each pod is asked for at once: the binding says something else. */
  clear(): void;
}

/**
 * @param carriedPrefixes of labels and annotations that come along
 * @param clock milliseconds, monotonic
 */
export function createRefusals(
  carriedPrefixes: () => readonly string[],
  clock: () => number = () => performance.now(),
): Refusals {
  const entries = new Map<string, Entry>();

  /** All of a pod that was never run by which the worker may judge it otherwise. */
  function askedText({ spec, metadata: { labels, annotations } }: Pod): string {
    const carried = carriedOf(annotations, { carriedPrefixes: carriedPrefixes() });
    return hash('sha256', JSON.stringify([spec, labels, carried]), 'base64url');
  }

  /** Of this very pod as it is asked for now; another one begins anew. */
  function entryOf(home: Pod): Entry {
    const asked = askedText(home);
    const known = entries.get(home.metadata.uid ?? '');
    if (known?.asked === asked) return known;
    const entry: Entry = { count: 0, until: 0, asked, phase: undefined, lent: new Map() };
    entries.set(home.metadata.uid ?? '', entry);
    return entry;
  }

  return {
    left(home, record) {
      const known = entries.get(home.metadata.uid ?? '');
      if (!known || known.until <= clock()) return 0;
      if (known.asked !== askedText(home) || known.phase !== record.status?.phase) return 0;
      return hasGrown(known.lent, parseResources(record.status?.allocatable)) ? 0 : known.until - clock();
    },
    refused(home, { status }, failed = false) {
      const entry = entryOf(home);
      entry.count++;
      entry.phase = status?.phase;
      raise(entry.lent, parseResources(status?.allocatable));
      const [first, longest] = failed ? [FAILED_FIRST_MS, FAILED_LONGEST_MS] : [REFUSED_FIRST_MS, REFUSED_LONGEST_MS];
      const waitMs = Math.min(first * 2 ** Math.min(entry.count - 1, 30), longest);
      entry.until = clock() + waitMs;
      return { count: entry.count, waitMs };
    },
    missing(home) {
      const entry = entryOf(home);
      entry.missingSince ??= clock();
      return Math.min(Math.max(clock() - entry.missingSince, MISSING_FIRST_MS), MISSING_LONGEST_MS);
    },
    words(home, reason, message) {
      const entry = entryOf(home);
      const shape = shapeOf(message);
      const { told } = entry;
      if (told?.reason === reason && told.shape === shape) return told.message;
      entry.told = { reason, shape, message };
      return message;
    },
    delete: (uid) => void entries.delete(uid),
    clear: () => entries.clear(),
  };
}

/** Whether more of anything is lent than there was. */
export function hasGrown(before: Resources, now: Resources): boolean {
  return [...now].some(([name, { nanos }]) => nanos > (before.get(name)?.nanos ?? 0n));
}

/** The same for messages that differ only in what differs each time: ports, times, counts, identifiers. */
export function shapeOf(message: string): string {
  return message
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '#')
    .replaceAll(/\b\w*\d\w*\b/g, '#');
}
