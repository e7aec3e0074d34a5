/**
 * Finds out that the worker is gone without a word (its host lost its power, the link was cut), so that its sessions end in
 * bounded time. TCP's own question whether the other side is there is not asked while bytes are on their way to it, and
 * clients send pings every five seconds; Linux then goes on sending for a quarter of an hour, and Node cannot set
 * TCP_USER_TIMEOUT. So while a session hears nothing, the worker's API server is asked something on a connection of its own.
 */
import { ApiError, ConnectionError, isCertificateError, type Transport } from '@kubeocean/shared/kube';

export interface WatchedSession {
  /** Something came from the worker, be it a ping. */
  heard: () => void;
  stop: () => void;
}

export interface WorkerWatch {
  /** Calls `gone` once, with the reason, when the worker has answered nobody for a while. */
  watch: (gone: (reason: string) => void) => WatchedSession;
}

export interface WorkerWatchOptions {
  /** Resolves when there is an answer of any kind, or nothing can be asked; rejects when there is none. */
  ask: () => Promise<unknown>;
  /** Milliseconds of silence in a session until the worker is asked, and between two questions. Default 10,000. */
  everyMs?: number;
  /** Milliseconds without any answer until sessions that hear nothing are ended. Default 35,000. */
  patienceMs?: number;
}

interface Entry {
  heardAt: number;
  gone: (reason: string) => void;
}

export function createWorkerWatch(options: WorkerWatchOptions): WorkerWatch {
  const { ask, everyMs = 10_000, patienceMs = 35_000 } = options;
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  /** When the worker answered last, or was asked first, and how many questions in a row it left unanswered since. */
  let silence: { since: number; missed: number } | undefined;

  async function look(): Promise<void> {
    const now = performance.now();
    if (![...entries].some(({ heardAt }) => now - heardAt >= everyMs)) {
      silence = undefined;
      return;
    }
    silence ??= { since: now, missed: 0 };
    try {
      await ask();
      silence = { since: performance.now(), missed: 0 };
      return;
    } catch {
      silence.missed++;
    }
    const silentMs = performance.now() - silence.since;
    // A single one proves nothing: the clock also went on if this process stood still, and the answer may lie in our kernel.
    if (silence.missed < 2 || silentMs < patienceMs) return;
    const reason = `worker has not answered for ${Math.round(silentMs / 1000)} s`;
    for (const entry of entries) {
      if (performance.now() - entry.heardAt < patienceMs || !entries.delete(entry)) continue;
      entry.gone(reason);
    }
  }

  async function lookAgain(): Promise<void> {
    await look();
    timer = undefined;
    if (entries.size > 0) begin();
    else silence = undefined;
  }

  function begin(): void {
    timer ??= setTimeout(() => void lookAgain(), everyMs).unref();
  }

  return {
    watch(gone) {
      const entry: Entry = { heardAt: performance.now(), gone };
      entries.add(entry);
      begin();
      return {
        heard: () => (entry.heardAt = performance.now()),
        stop: () => entries.delete(entry),
      };
    },
  };
}

/** How long one answer may take, in milliseconds. */
const ANSWER_MS = 10_000;
/** What keeps us from asking, and says nothing of the worker: no name server, no descriptors left. */
const OURS = new Set(['EAI_AGAIN', 'ENOTFOUND', 'EMFILE', 'ENFILE']);

/**
 * Asks an API server for its version, on a new connection: of the kept ones none may be alive although it is. Whoever
 * refuses the connection is there, and so is a certificate, be it one that we do not trust any more. What takes a connection
 * and then says nothing that TLS knows may be any box on the way.
 */
export async function askForLife(transport: Transport, timeoutMs = ANSWER_MS): Promise<void> {
  try {
    const answer = await transport.stream({ method: 'GET', path: '/version', timeoutMs, retry: false });
    answer.on('error', () => undefined).destroy();
  } catch (error) {
    if (error instanceof ApiError) return;
    if (isCertificateError(error)) return;
    // Not knowing is no reason to end anything.
    if (error instanceof ConnectionError && (error.code === 'ECONNREFUSED' || OURS.has(error.code))) return;
    throw error;
  }
}
