/** One of our own processes, run from source beside the test. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from '../clusters/paths.ts';
import { startChild } from './child.ts';
import { cleanup } from './cleanup.ts';
import { waitFor } from './wait.ts';

/** Milliseconds until a process has begun to log: Node reads it from source, on machines that may be busy. */
const START_MS = 90_000;
/** What Node makes of our source is kept from start to start: half of what a start costs. */
const COMPILE_CACHE = join(tmpdir(), 'kubeocean-compile-cache');

export type PackageName = 'manager' | 'syncer' | 'proxier' | 'worker-agent';

export type LogLine = Record<string, unknown> & { level?: string; msg?: string };

export interface RunningProcess {
  readonly pid: number;
  /** JSON log lines so far; what is not JSON appears as `{msg}`. */
  logs(): LogLine[];
  /** Text of the last `count` lines, for messages. */
  tail(count?: number): string;
  /** Exit code or signal, undefined while it runs. */
  readonly exit: number | string | undefined;
  readonly ended: Promise<number | string>;
  /** Base URLs, once it has logged its ports. */
  health(): Promise<string>;
  metrics(): Promise<string>;
  /** Waits for `/readyz` to answer 200. Default 60 s. @throws Error with the reasons, or the log when it ended. */
  waitReady(timeoutMs?: number): Promise<void>;
  /** Waits for a log line. */
  waitLog(description: string, matches: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | string>;
  /** SIGKILL. */
  kill(): Promise<number | string>;
  /** SIGSTOP and SIGCONT: a process that hangs. */
  pause(): void;
  resume(): void;
}

/**
 * Starts `packages/<name>/src/main.ts` with free ports for health and metrics; `args` are its flags, `prefix` is the
 * command that starts the command. It is ended after the test file. It does not wait for readiness.
 */
export function startProcess(
  name: PackageName,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  prefix: readonly string[] = [],
): RunningProcess {
  const main = join(checkout, 'packages', name, 'src/main.ts');
  if (!existsSync(main)) throw new Error(`${main} does not exist`);
  const child = startChild(
    [
      ...prefix,
      join(checkout, 'node_modules/.bin/node'),
      main,
      '--metrics-bind-address=127.0.0.1:0',
      '--health-probe-bind-address=127.0.0.1:0',
      ...args,
    ],
    { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
  );
  cleanup(() => child.stop());

  function logs(): LogLine[] {
    return child.lines.map(parseLine);
  }
  function tail(count = 30): string {
    return child.lines.slice(-count).join('\n');
  }
  function failIfEnded(): void {
    if (child.exit !== undefined) throw new Error(`${name} ended with ${child.exit}:\n${tail()}`);
  }
  async function base(port: 'healthPort' | 'metricsPort'): Promise<string> {
    const started = await waitLog(`start of ${name}`, (line) => typeof line[port] === 'number', START_MS);
    return `http://127.0.0.1:${String(started[port])}`;
  }
  async function waitLog(
    description: string,
    matches: (line: LogLine) => boolean,
    timeoutMs = 60_000,
  ): Promise<LogLine> {
    const found = await waitFor(
      description,
      () => logs().find(matches) ?? (child.exit === undefined ? undefined : 'ended'),
      { timeoutMs },
    );
    if (typeof found !== 'string') return found;
    throw new Error(`${name} ended with ${child.exit} before "${description}":\n${tail()}`);
  }
  return {
    pid: child.pid,
    logs,
    tail,
    get exit() {
      return child.exit;
    },
    ended: child.ended,
    health: () => base('healthPort'),
    metrics: () => base('metricsPort'),
    async waitReady(timeoutMs = 60_000) {
      const url = `${await base('healthPort')}/readyz`;
      const ready = await waitFor(
        `${name} ready`,
        async () => {
          if (child.exit !== undefined) return 'ended';
          const response = await fetch(url);
          const text = await response.text();
          if (!response.ok) throw new Error(text.trim());
          return 'ready';
        },
        { timeoutMs },
      );
      if (ready === 'ended') failIfEnded();
    },
    waitLog,
    stop: () => child.stop(),
    kill: () => child.kill(),
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
  };
}

function parseLine(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as LogLine) : { msg: line };
  } catch {
    return { msg: line };
  }
}
