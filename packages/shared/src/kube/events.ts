/**
 * Events for people: `kubectl describe` shows them on the object they are about. The same event again raises a count
 * instead of making another; a flood about one object is cut. Failures to record, and what is left out of a flood about many
 * objects, are told and never stop the work.
 */
import { createHash } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { isNotFound } from './errors.ts';
import { printable } from './printable.ts';
import { isRarer } from './queue.ts';
import { Events } from './resources.ts';
import { endsWithin } from './sleep.ts';
import type { KubeObject } from './types.ts';

export interface EventSubject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; uid?: string };
}

export interface EventRecorder {
  /**
   * `reason` is one CamelCase word; `message` a sentence for a person, cut at 1,024 characters. It may quote what another cluster
   * says: nothing of it speaks to the reader's terminal.
   */
  event(subject: EventSubject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when all that was recorded is written or has failed. */
  flush(): Promise<void>;
}

/** Of whoever made the recorder. */
export interface OwnEventRecorder extends EventRecorder {
  /**
   * Writes what is left for two seconds at most, and nothing after that: a successor must not wait until an API server has
   * taken a thousand events one by one. What was not written is told. Never rejects.
   */
  stop(): Promise<void>;
}

interface Known {
  name: string;
  count: number;
}

interface Recorded {
  subject: EventSubject;
  type: string;
  reason: string;
  message: string;
}

/** Events of one object before it is cut, and how long until another is allowed (client-go's spam filter). */
const BURST = 25;
const REFILL_MS = 300_000;
/**
 * Objects, and events, that are remembered: more than one binding has pods. With fewer each of 10,000 pods that say the same
 * again and again would be forgotten by its turn: nothing would be cut, and each time another Event made.
 */
const REMEMBER = 16_384;
/** Events that may wait to be written: one for each pod of a large binding, such as the notice that a lease closes. */
const MOST_WAITING = 10_000;
const LAST_MS = 2000;

export interface EventRecorderOptions {
  /** Reporting component, such as `kubeocean-syncer`. */
  component: string;
  /** Reporting instance: the pod's name. */
  instance: string;
  now?: () => Date;
  /** Told of failures, ever fewer of those in a row, and of what is left out. */
  onError?: (error: unknown) => void;
}

export function createEventRecorder(client: KubeClient, options: EventRecorderOptions): OwnEventRecorder {
  const now = options.now ?? (() => new Date());
  const known = new Map<string, Known>();
  const buckets = new Map<string, { tokens: number; at: number }>();
  /** In the order they came; what is being written comes first. */
  const waiting = new Set<Recorded>();
  let writing: Promise<void> | undefined;
  let leftOut = 0;
  /** In a row. */
  let failures = 0;
  let stopped = false;

  function allowed(subject: string, at: number): boolean {
    const bucket = buckets.get(subject) ?? { tokens: BURST, at };
    bucket.tokens = Math.min(BURST, bucket.tokens + (at - bucket.at) / REFILL_MS);
    bucket.at = at;
    remember(buckets, subject, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  function leaveOut(): void {
    if (leftOut++ > 0) return;
    options.onError?.(new Error(`${MOST_WAITING} events wait to be written: those that come now are left out`));
  }

  /** A server that does not answer, does not answer for any of thousands. */
  function failed(error: unknown): void {
    failures++;
    if (isRarer(failures)) options.onError?.(error);
  }

  async function writeWaiting(): Promise<void> {
    // Not in the time of whoever records.
    await Promise.resolve();
    // Also what comes meanwhile.
    for (const recorded of waiting) {
      if (!stopped) await write(recorded).then(() => (failures = 0), failed);
      waiting.delete(recorded);
    }
    writing = undefined;
    if (leftOut > 0) options.onError?.(new Error(`${leftOut} events were left out, because too many waited`));
    leftOut = 0;
  }

  async function write({ subject, type, reason, message }: Recorded): Promise<void> {
    const time = now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
    const namespace = subject.metadata.namespace ?? 'default';
    const key = eventKey(subject, type, reason, message);
    const seen = known.get(key);
    if (seen) {
      seen.count++;
      try {
        await client.patch(Events, namespace, seen.name, { count: seen.count, lastTimestamp: time }, { retry: false });
        remember(known, key, seen);
        return;
      } catch (error) {
        // Events live for an hour; after that the same one is new.
        if (!isNotFound(error)) throw error;
        known.delete(key);
      }
    }
    const name = `${subject.metadata.name.slice(0, 200)}.${key}${Date.now().toString(16)}`;
    await client.create<KubeObject>(
      Events,
      {
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: subject.apiVersion,
          kind: subject.kind,
          name: subject.metadata.name,
          ...(subject.metadata.namespace && { namespace: subject.metadata.namespace }),
          ...(subject.metadata.uid && { uid: subject.metadata.uid }),
        },
        type,
        reason,
        message,
        count: 1,
        firstTimestamp: time,
        lastTimestamp: time,
        source: { component: options.component },
        reportingComponent: options.component,
        reportingInstance: options.instance,
      },
      { retry: false },
    );
    remember(known, key, { name, count: 1 });
  }

  return {
    event(subject, type, reason, message) {
      const at = performance.now();
      const { namespace = '', name, uid = '' } = subject.metadata;
      // A pod that bears the name of a loud one before it may be told of all the same.
      const who = `${subject.kind}/${namespace}/${name}/${uid}`;
      if (stopped || !allowed(who, at)) return;
      if (waiting.size >= MOST_WAITING) return leaveOut();
      const text = printable(message.length > 1024 ? `${message.slice(0, 1021).toWellFormed()}...` : message);
      waiting.add({ subject, type, reason, message: text });
      writing ??= writeWaiting();
    },
    flush: () => writing ?? Promise.resolve(),
    async stop() {
      const inTime = await endsWithin(LAST_MS, writing ?? Promise.resolve());
      stopped = true;
      if (!inTime) options.onError?.(new Error(`told to stop: ${waiting.size} events were not written in time`));
    },
  };
}

/** What makes two events the same one: everything a reader sees but the time. 16 hex digits. */
export function eventKey(subject: EventSubject, type: string, reason: string, message: string): string {
  const { namespace, name, uid } = subject.metadata;
  return createHash('sha256')
    .update(JSON.stringify([subject.kind, namespace ?? '', name, uid ?? '', type, reason, message]))
    .digest('hex')
    .slice(0, 16);
}

/** Keeps at most REMEMBER entries, the least recently used going first. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBER) map.delete(map.keys().next().value as string);
}
