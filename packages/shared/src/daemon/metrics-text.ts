/**
 * The text of a process's metrics for whoever asks. That may be any pod of the cluster, in a worker also one of a tenant, and
 * to make the text of a large process takes milliseconds: asked again and again, it must not keep the process from its work.
 */
import type { Registry } from './metrics.ts';

/** The text is given again for so many times the time that it took to make it, and no longer than so many milliseconds. */
const REST = 9;
const LONGEST_REST_MS = 1000;

/** @param clock milliseconds, never going back */
export function createMetricsText(
  registry: Pick<Registry, 'metrics'>,
  clock: () => number = () => performance.now(),
): () => Promise<string> {
  let last: { text: Promise<string>; until: number } | undefined;
  return () => {
    if (last && clock() < last.until) return last.text;
    const beganAt = clock();
    const made = { text: registry.metrics(), until: Number.POSITIVE_INFINITY };
    last = made;
    made.text.then(
      () => {
        const now = clock();
        made.until = now + Math.min(REST * (now - beganAt), LONGEST_REST_MS);
      },
      () => (made.until = 0),
    );
    return made.text;
  };
}
