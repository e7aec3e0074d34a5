/** Waiting for a state of the world, with a deadline and the last thing seen in the error. */
import { setTimeout as after } from 'node:timers/promises';
import { inspect } from 'node:util';
import { isNotFound } from '@kubeocean/shared/kube';

export interface WaitOptions {
  /** Default 30,000. */
  timeoutMs?: number;
  /** Between two looks. Default 50. */
  everyMs?: number;
}

/**
 * Calls `look` until it gives something other than undefined, null or false, and gives that back. A `look` that throws
 * counts as "not yet", so assertions may be used in it.
 * @throws Error saying what was waited for, how long, and what was seen last.
 */
export async function waitFor<T>(
  description: string,
  look: () => Promise<T> | T,
  options: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      last = value;
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
    } catch (error) {
      // A name misspelt in `look` will not come right by waiting.
      if (error instanceof ReferenceError) throw error;
      last = error;
    }
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? last.message : inspect(last, { depth: 6, breakLength: 120 });
      throw new Error(`${description}: not within ${timeoutMs / 1000} s; last seen: ${seen.slice(0, 2000)}`, {
        cause: last,
      });
    }
    await after(options.everyMs ?? 50);
  }
}

/**
 * Waits until an API server answers 404 to `look`. Default two minutes.
 * @throws Error with the object as it was last seen.
 */
export async function absent(what: string, look: () => Promise<unknown>, timeoutMs = 120_000): Promise<void> {
  await waitFor(
    `${what} gone`,
    async () => {
      try {
        throw new Error(JSON.stringify(await look()));
      } catch (error) {
        if (isNotFound(error)) return true;
        throw error;
      }
    },
    { timeoutMs, everyMs: 200 },
  );
}
