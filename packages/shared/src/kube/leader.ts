/**
 * One of several replicas leads: the holder of a Lease. Candidates watch the Lease, so a clean exit hands over at once;
 * a dead leader is succeeded when its Lease has not been seen to change for its whole duration, measured on our own
 * monotonic clock (clocks of other machines are not trusted). Rules of client-go's tools/leaderelection.
 */
import type { KubeClient } from './client.ts';
import { ConnectionError, isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { createLeaseTimes } from './lease-times.ts';
import { createReflector } from './reflector.ts';
import { Leases } from './resources.ts';
import { sleep, untilAborted } from './sleep.ts';
import type { KubeObject } from './types.ts';

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    /** metav1.MicroTime */
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface LeaderElectionOptions {
  namespace: string;
  name: string;
  /** Unique to this process, such as the pod's name with a random part. */
  identity: string;
  /** A Lease not renewed for so long may be taken. Default 15. */
  leaseDurationSeconds?: number;
  /** A leader that could not renew for so long stops leading. Default 10. */
  renewDeadlineSeconds?: number;
  /** Between renewals. Default 4: each wakes every candidate. */
  renewSeconds?: number;
  /** Between tries, and after a renewal that failed. Default 2. */
  retrySeconds?: number;
  onError?: (error: unknown) => void;
}

export interface Leadership {
  /** Aborts when leadership is lost or given up. Everything that writes takes it. */
  readonly signal: AbortSignal;
  /**
   * True while the last renewal is younger than the renew deadline, by the monotonic clock and by the time of day: the first
   * stands still while the machine sleeps, and others have led meanwhile. Ask before a write that must not be made by two.
   */
  isCurrent(): boolean;
  /** How often the Lease has changed hands: rises with each leadership. */
  readonly transitions: number;
  /** Now, for a Lease that is renewed: later than all times that this and earlier leaders gave, whatever their clocks say. */
  leaseTime(): Date;
}

/** No try to renew is given less, in milliseconds. */
const LEAST_TRY_MS = 1000;

/** RFC 3339 with microseconds, as Leases want it. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

/**
 * Waits for leadership, runs `lead`, and releases the Lease when `lead` ends or the signal aborts. `lead` gets a signal
 * that aborts on loss and must then end soon; the promise rejects with an Error when leadership was lost.
 */
export async function runAsLeader(
  client: KubeClient,
  options: LeaderElectionOptions,
  signal: AbortSignal,
  lead: (leadership: Leadership) => Promise<void>,
): Promise<void> {
  const durationMs = (options.leaseDurationSeconds ?? 15) * 1000;
  const deadlineMs = (options.renewDeadlineSeconds ?? 10) * 1000;
  const renewMs = (options.renewSeconds ?? 4) * 1000;
  const retryMs = Math.min((options.retrySeconds ?? 2) * 1000, renewMs);
  // A connection that is dead must not take all the time there is: the next try opens another.
  const tryMs = Math.max(LEAST_TRY_MS, deadlineMs / 3);
  const times = createLeaseTimes();
  /** When the call began that took or renewed the Lease last: the server may have taken it at once. */
  let renewedAt = 0;
  /** The same moment by the time of day. */
  let renewedTime = 0;
  let lease: Lease | undefined = await acquire();
  if (!lease) return;
  if (signal.aborted) {
    // Told to stop while it took the Lease: a successor need not wait until it is over.
    await release();
    return;
  }

  const lost = new AbortController();
  const leadership: Leadership = {
    signal: AbortSignal.any([signal, lost.signal]),
    isCurrent: () =>
      !lost.signal.aborted && Math.max(performance.now() - renewedAt, Date.now() - renewedTime) < deadlineMs,
    transitions: lease.spec?.leaseTransitions ?? 0,
    leaseTime: () => times.next(),
  };
  const over = new AbortController();
  const renewing = renew(AbortSignal.any([over.signal, leadership.signal]));
  try {
    await lead(leadership);
  } finally {
    over.abort();
    await renewing;
    if (!lost.signal.aborted) await release();
  }
  if (lost.signal.aborted) throw lost.signal.reason as Error;

  async function acquire(): Promise<Lease | undefined> {
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    const reflector = createReflector<Lease>(client, {
      resource: Leases,
      namespace: options.namespace,
      fieldSelector: `metadata.name=${options.name}`,
      ...(options.onError && { onError: options.onError }),
    });
    let seenAt = performance.now();
    // One for each turn: what waits for a promise leaves something there until it resolves, which may take an outage of weeks.
    let turn = new AbortController();
    const wake = () => turn.abort();
    reflector.store.onChange(() => {
      seenAt = performance.now();
      wake();
    });
    // Once, and not with each wait: a candidate sees the Lease renewed for months, and what listens to its signal stays.
    ended.addEventListener('abort', wake, { once: true });
    const watching = reflector.run(ended);
    try {
      await Promise.race([reflector.store.synced, untilAborted(ended)]);
      while (!signal.aborted) {
        turn = new AbortController();
        let waitMs = retryMs;
        try {
          const known = reflector.store.get(`${options.namespace}/${options.name}`);
          const holder = known?.spec?.holderIdentity;
          // Ours already when the answer got lost by which we took it.
          const left =
            holder && holder !== options.identity
              ? seenAt + (known?.spec?.leaseDurationSeconds ?? 15) * 1000 - performance.now()
              : 0;
          if (left <= 0) {
            // Its holder may have given times since.
            times.follow(Date.parse(known?.spec?.renewTime ?? '') + performance.now() - seenAt);
            return await take(known);
          }
          waitMs = left;
        } catch (error) {
          if (!isConflict(error) && !isAlreadyExists(error)) options.onError?.(error);
        }
        await sleep(waitMs, turn.signal).catch(() => undefined);
      }
      return undefined;
    } finally {
      stop.abort();
      await watching;
    }
  }

  /** Not to be broken off: the server may have taken what we then do not know of. */
  async function take(known: Lease | undefined): Promise<Lease> {
    const now = microTime(times.next());
    const spec = {
      holderIdentity: options.identity,
      leaseDurationSeconds: durationMs / 1000,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: (known?.spec?.leaseTransitions ?? -1) + 1,
    };
    renewedAt = performance.now();
    renewedTime = Date.now();
    if (!known) {
      const metadata = { namespace: options.namespace, name: options.name };
      return client.create<Lease>(Leases, { metadata, spec }, { timeoutMs: 5000 });
    }
    return client.replace<Lease>(Leases, { ...known, spec: { ...known.spec, ...spec } }, { timeoutMs: 5000 });
  }

  async function renew(ended: AbortSignal): Promise<void> {
    let waitMs = Math.max(0, renewedAt + renewMs - performance.now());
    let newConnection = false;
    while (!ended.aborted) {
      await sleep(waitMs, ended).catch(() => undefined);
      if (ended.aborted) return;
      const [startedAt, startedTime] = [performance.now(), Date.now()];
      const leftMs = deadlineMs - (startedAt - renewedAt);
      waitMs = retryMs;
      try {
        lease = await client.replace<Lease>(
          Leases,
          { ...(lease as Lease), spec: { ...lease?.spec, renewTime: microTime(times.next()) } },
          { signal: ended, timeoutMs: Math.max(LEAST_TRY_MS, Math.min(tryMs, leftMs)), retry: false, newConnection },
        );
        [renewedAt, renewedTime] = [startedAt, startedTime];
        waitMs = renewMs;
        newConnection = false;
      } catch (error) {
        if (ended.aborted) return;
        options.onError?.(error);
        newConnection = error instanceof ConnectionError;
        // Another writer, an answer of ours that got lost, or a deletion (a Lease may be created by PUT, so that the
        // UID in it makes a conflict, not a 404): look who holds it now.
        if (isConflict(error) || isNotFound(error)) lease = (await stillOurs(ended)) ?? lease;
        // Counted from when the try began: after one that got no answer there is no time left to wait.
        waitMs = Math.max(0, startedAt + retryMs - performance.now());
      }
      if (performance.now() - renewedAt > deadlineMs) {
        lost.abort(new Error(`leadership of ${options.namespace}/${options.name} could not be renewed in time`));
      }
    }
  }

  async function stillOurs(ended: AbortSignal): Promise<Lease | undefined> {
    try {
      const current = await client.get<Lease>(Leases, options.namespace, options.name, {
        signal: ended,
        timeoutMs: tryMs,
        newConnection: true,
      });
      if (current.spec?.holderIdentity === options.identity) return current;
      lost.abort(
        new Error(`the Lease ${options.namespace}/${options.name} is held by ${current.spec?.holderIdentity}`),
      );
    } catch (error) {
      if (isNotFound(error)) lost.abort(new Error(`the Lease ${options.namespace}/${options.name} was deleted`));
      else if (!ended.aborted) options.onError?.(error);
    }
    return undefined;
  }

  /** Empties the holder, if it is still us: a successor that watches may begin at once. */
  async function release(): Promise<void> {
    for (let tries = 0; tries < 3; tries++) {
      try {
        const spec = { holderIdentity: '', renewTime: microTime(times.next()) };
        const patch = { metadata: { resourceVersion: lease?.metadata.resourceVersion }, spec };
        await client.patch(Leases, options.namespace, options.name, patch, { timeoutMs: 3000, newConnection: true });
        return;
      } catch (error) {
        if (!isConflict(error)) {
          options.onError?.(error);
          return;
        }
        // A renewal that we ended without its answer was taken all the same.
        const current = await stillOurs(AbortSignal.timeout(3000));
        if (!current) return;
        lease = current;
      }
    }
  }
}
