/** Parts of one piece of work that do not depend on one another: what one of them meets does not keep the others back. */
import { ConnectionError, type Outcome } from '@kubeocean/shared/kube';
import { WritesHeld } from './gate.ts';

export interface Parts {
  /** @returns undefined when the part failed, or was not tried: a cluster that does not answer, does not answer the next one. */
  run<T>(part: () => Promise<T>): Promise<T | undefined>;
  /** Takes note of a failure that was caught elsewhere. */
  failed(error: unknown): void;
  /** What went wrong first. */
  readonly failure: unknown;
}

export function createParts(): Parts {
  let first: unknown;
  let silent = false;

  function failed(error: unknown): void {
    if (error === undefined) return;
    first ??= error;
    silent ||= error instanceof ConnectionError || error instanceof WritesHeld;
  }

  return {
    async run(part) {
      if (silent) return undefined;
      try {
        return await part();
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
    failed,
    get failure() {
      return first;
    },
  };
}

/** The first of the times at which one of them wants to be looked at again. */
export function soonest(...asked: ({ againInMs?: number | undefined } | undefined | void)[]): Outcome {
  const waits = asked.flatMap((each) => each?.againInMs ?? []);
  return waits.length > 0 ? { againInMs: Math.min(...waits) } : undefined;
}
