/** Running commands as named steps: a line when one begins, its time and, when it failed, its output. */
import { spawn } from 'node:child_process';

export interface StepResult {
  name: string;
  ok: boolean;
  seconds: number;
  output: string;
}

export interface StepOptions {
  /** Shows the output as it comes instead of only on failure. */
  live?: boolean;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end; never throws for its exit code. */
export function runStep(name: string, command: readonly string[], options: StepOptions = {}): Promise<StepResult> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<StepResult>();
  const chunks: Buffer[] = [];
  const child = spawn(command[0] as string, command.slice(1), {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (options.live) process.stdout.write(chunk);
    });
  }
  const end = (ok: boolean, extra = '') =>
    resolve({
      name,
      ok,
      seconds: (performance.now() - started) / 1000,
      output: Buffer.concat(chunks).toString() + extra,
    });
  child.on('error', (error) => end(false, String(error)));
  child.on('close', (code) => end(code === 0));
  return promise;
}

/** One line for a finished step, with the whole output below it when it failed and was not shown yet. */
export function reportStep(result: StepResult, shown = false): void {
  const time = `${result.seconds.toFixed(1)} s`.padStart(8);
  process.stdout.write(`${result.ok ? '✓' : '✗'} ${result.name.padEnd(34)}${time}\n`);
  if (!result.ok && !shown) process.stdout.write(`${result.output.trimEnd()}\n`);
}
