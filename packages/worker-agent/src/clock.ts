/** The agent's idea of the time of day: the machine's, or in tests one that is set by a file. */
import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';

/** Milliseconds between looks at the file. */
const POLL_MS = 100;

export interface Clock {
  now(): Date;
  /** Calls `onSet` when the clock is set, until the signal aborts. */
  follow(onSet: () => void, signal: AbortSignal): void;
}

export const systemClock: Clock = { now: () => new Date(), follow: () => undefined };

/**
 * A clock that shows the RFC 3339 time in the file when the file was last changed, and goes on from there. So it shows
 * the same to a process that is started anew.
 * @throws Error when the file cannot be read or holds no time
 */
export function fileClock(path: string): Clock {
  let offsetMs = readOffsetMs(path);
  return {
    now: () => new Date(Date.now() + offsetMs),
    follow(onSet, signal) {
      watchFile(path, { interval: POLL_MS, persistent: false }, () => {
        offsetMs = readOffsetMs(path);
        onSet();
      });
      signal.addEventListener('abort', () => unwatchFile(path), { once: true });
    },
  };
}

function readOffsetMs(path: string): number {
  const text = readFileSync(path, 'utf8').trim();
  const time = Date.parse(text);
  if (Number.isNaN(time)) {
    throw new Error(`--test-clock-file: ${path} holds "${text}", which is no time like 2026-11-20T12:00:00Z`);
  }
  return time - statSync(path).mtimeMs;
}
