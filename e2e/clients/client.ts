/** A client program that runs beside the test: what it wrote so far, and what it is told on standard input. */
import { spawn } from 'node:child_process';
import { waitFor } from '../harness/index.ts';
import { onTestFinished } from 'vitest';

export interface Client {
  readonly pid: number;
  /** Everything on standard output so far. */
  out(): string;
  err(): string;
  write(text: string): void;
  /** Waits for text on standard output. Default 60 s. @throws Error with both outputs. */
  waitOut(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Exit code, or 128 when a signal ended it. */
  readonly ended: Promise<number>;
  kill(): Promise<number>;
}

/** Starts a program; it is killed when the test is over. */
export function startClient(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Client {
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: 'pipe', env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  let exit: number | undefined;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  child.stdin.on('error', () => undefined);
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  child.once('error', (error) => {
    err += error.message;
    resolve((exit ??= 127));
  });
  child.once('close', (code) => resolve((exit ??= code ?? 128)));
  const kill = () => {
    child.kill('SIGKILL');
    return ended;
  };
  onTestFinished(async () => void (await kill()));
  return {
    pid: child.pid ?? -1,
    out: () => out,
    err: () => err,
    write: (text) => void child.stdin.write(text),
    async waitOut(pattern, timeoutMs = 60_000) {
      return waitFor(
        `${String(pattern)} from ${argv.slice(0, 12).join(' ')}`,
        () => {
          const found = pattern.exec(out);
          if (found) return found;
          if (exit !== undefined) return { failed: `ended with ${exit}` };
          throw new Error(`stdout: ${out.slice(-800)}\nstderr: ${err.slice(-800)}`);
        },
        { timeoutMs },
      ).then((found) => {
        if ('failed' in found)
          throw new Error(`${argv.join(' ')} ${found.failed}: ${out.slice(-800)}\n${err.slice(-800)}`);
        return found;
      });
    },
    ended,
    kill,
  };
}

/**
 * Starts a shell command on a terminal of its own (`script`, util-linux), rows × columns as given. `tty()` is the path of
 * the terminal, for `stty -F`.
 */
export function startOnTerminal(
  command: string,
  size: { rows: number; cols: number },
): Client & { tty(): Promise<string> } {
  const inner = `stty rows ${size.rows} cols ${size.cols}; echo "TERMINAL=$(tty)"; exec ${command}`;
  const client = startClient(['script', '-qefc', inner, '/dev/null'], { SHELL: '/bin/sh' });
  return {
    ...client,
    async tty() {
      return (await client.waitOut(/TERMINAL=(\S+)/))[1] as string;
    },
  };
}
