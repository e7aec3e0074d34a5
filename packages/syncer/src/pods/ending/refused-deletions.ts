/** Deletions that the worker refuses: told on the home pod, in home's words, and asked for again ever more rarely. */
import { ApiError, messageOf } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../../context.ts';
import { type Pod, podSubject } from '../types.ts';
import { wordsFor } from '../status/words.ts';

/** Answers that are a server's own word on what was asked of it; 500 is that of a webhook that does not answer. */
const REFUSALS = [400, 403, 422, 500];
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** What became of a deletion. */
export interface Asked {
  /** It was refused, and is asked for again after so long. */
  againInMs?: number;
  /** Anything else went wrong: for the queue, once home has been shown how the pod is. */
  failure?: unknown;
}

export class RefusedDeletions {
  /** By UID of the worker pod. `until` is monotonic, in milliseconds. */
  private readonly refused = new Map<string, { count: number; until: number; asked: string; told: string }>();

  /** @param send asks for the deletion, as far as it is still to be asked for */
  async ask(context: SyncerContext, home: Pod, worker: Pod, send: () => Promise<void>): Promise<Asked> {
    const { uid = '' } = worker.metadata;
    // Who asks for less grace is heard at once.
    const asked = `${home.metadata.deletionGracePeriodSeconds}`;
    const known = this.refused.get(uid);
    const before = known?.asked === asked ? known : undefined;
    const left = (before?.until ?? 0) - performance.now();
    if (left > 0) return { againInMs: left };
    try {
      await send();
      this.refused.delete(uid);
      return {};
    } catch (error) {
      if (!(error instanceof ApiError) || !REFUSALS.includes(error.code)) return { failure: error };
      const count = (before?.count ?? 0) + 1;
      const waitMs = Math.min(FIRST_MS * 2 ** (count - 1), LONGEST_MS);
      const told = this.tell(context, home, worker, error, { count, told: known?.told ?? '' });
      this.refused.set(uid, { count, until: performance.now() + waitMs, asked, told });
      return { againInMs: waitMs };
    }
  }

  /** The worker pod is gone. */
  forget(uid: string): void {
    this.refused.delete(uid);
  }

  /**
   * Once for each kind of refusal: its text may differ each time, in a port number perhaps.
   * @returns which kind has been told of
   */
  private tell(
    context: SyncerContext,
    home: Pod,
    worker: Pod,
    error: ApiError,
    before: { count: number; told: string },
  ): string {
    const kind = `${error.code} ${error.status.reason}`;
    // A webhook may be silent for a moment only.
    const tooEarly = error.code === 500 && before.count === 1;
    if (before.told === kind || tooEarly) return before.told;
    const words = wordsFor(home, context, worker)(messageOf(error));
    const message = `the worker cluster refused to delete the pod, which goes on there; it is asked again: ${words}`;
    context.homeEvents.event(podSubject(home), 'Warning', 'FailedDelete', message);
    context.log.warn({ worker: worker.metadata.name, error: messageOf(error) }, 'worker pod could not be deleted');
    return kind;
  }
}
