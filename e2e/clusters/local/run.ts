/** Running a short command to its end, and reading what it printed. */

import { spawn } from 'node:child_process';

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Text for the command's standard input. */
  input?: string;
  /** Return normally whatever the exit status. */
  anyExit?: boolean;
}

export interface RunResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs `argv` and waits for it. Throws with the command's own words when it fails. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const [program, ...args] = argv;
    const child = spawn(program!, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => reject(new Error(`cannot run ${program}: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => {
      const result = { status: code ?? 128, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
      if (result.status === 0 || options.anyExit) return resolve(result);
      const words = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
      reject(new Error(`${argv.join(' ').slice(0, 300)}: ${signal ? `ended by ${signal}` : `exit ${code}`}: ${words}`));
    });
    child.stdin.on('error', () => {}); // A command that ends without reading all its input is judged by its exit.
    child.stdin.end(options.input);
  });
}

/** Tries `attempt` until it returns something other than undefined. Throws after `deadline` ms with `what` and why. */
export async function waitFor<T>(
  what: string,
  deadline: number,
  attempt: () => Promise<T | undefined> | T | undefined,
  interval = 100,
): Promise<T> {
  const end = performance.now() + deadline;
  let last: unknown;
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what}: not within ${Math.round(deadline / 1000)} s${why}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
