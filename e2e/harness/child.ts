/** A child process of a test: its output kept, ended with the test whatever happens to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface Child {
  readonly pid: number;
  /** Lines of standard output and standard error, in the order they came; the oldest go first beyond 20,000. */
  readonly lines: readonly string[];
  /** Exit code, or the signal's name; undefined while it runs. */
  readonly exit: number | string | undefined;
  /** Resolves with {@link exit} when it has ended and all its output is read. */
  readonly ended: Promise<number | string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `patienceMs` (default 10,000). Resolves with the exit when it is gone. */
  stop(patienceMs?: number): Promise<number | string>;
  /** SIGKILL. */
  kill(): Promise<number | string>;
}

const MOST_LINES = 20_000;

/** Starts `argv`. The child dies with this process, even if this one is killed (prctl PR_SET_PDEATHSIG by setpriv). */
export function startChild(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Child {
  const bound = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', ...argv] : argv;
  // In a process group of its own: Ctrl-C is for us to hear, who may still need the child to put things in order.
  const child: ChildProcess = spawn(bound[0] as string, bound.slice(1), {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const lines: string[] = [];
  let exit: number | string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > MOST_LINES) lines.splice(0, lines.length - MOST_LINES);
    });
  }
  const { promise: ended, resolve } = Promise.withResolvers<number | string>();
  child.once('error', (error) => {
    lines.push(`cannot be started: ${error.message}`);
    exit ??= 127;
    resolve(exit);
  });
  child.once('close', (code, signal) => {
    exit = signal ?? code ?? 0;
    resolve(exit);
  });
  function signal(name: NodeJS.Signals): void {
    if (exit === undefined) child.kill(name);
  }
  return {
    pid: child.pid ?? -1,
    lines,
    get exit() {
      return exit;
    },
    ended,
    signal,
    stop(patienceMs = 10_000) {
      signal('SIGTERM');
      const insist = setTimeout(() => signal('SIGKILL'), patienceMs);
      return ended.finally(() => clearTimeout(insist));
    },
    kill() {
      signal('SIGKILL');
      return ended;
    },
  };
}
