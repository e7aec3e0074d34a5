/** The `kubeocean` command, also `kubectl kubeocean`. Reads only; never writes to a cluster. */
import { runProgram } from './program.ts';

process.exitCode = await runProgram(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  env: process.env,
  now: () => new Date(),
});
