/** Progress lines: what was done, and the seconds since the start. */

export type Progress = (line: string) => void;

/** A printer of progress lines that counts from now. `write` gets one line without its newline. */
export function startProgress(write: (line: string) => void = (line) => process.stderr.write(`${line}\n`)): Progress {
  const start = performance.now();
  return (line) => write(`[${((performance.now() - start) / 1000).toFixed(1).padStart(6)}s] ${line}`);
}
