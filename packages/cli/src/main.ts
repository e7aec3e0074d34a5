/** The `kubeocean` command, also `kubectl kubeocean`. */
import { runProgram } from './program.ts';

// Whoever reads has seen enough (`… | head`): the rest is not wanted, and that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runProgram(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  env: process.env,
  now: () => new Date(),
});
