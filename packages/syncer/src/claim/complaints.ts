/** What is told of a worker cluster that spoils the turns in which the claim is made or renewed. */
import { BindingCondition } from '@kubeocean/shared/api';
import { ApiError, messageOf } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';

export interface Complaints {
  /**
   * The worker spoilt a turn.
   * @param found what this syncer has found of the claim before, which stands; undefined: nothing yet
   */
  tell(error: unknown, found: 'held' | 'refused' | undefined): void;
  /** A turn went well. */
  over(): void;
}

/** Turns in a row that a worker may refuse before what was said, that the claim is held and all is well, is taken back. */
const PATIENT_TURNS = 5;

export function createComplaints(
  { binding, log, report }: Pick<SyncerContext, 'binding' | 'log' | 'report'>,
  claim: string,
): Complaints {
  let turns = 0;
  let told: string | undefined;
  /** Why the claim that is held is not renewed, as it was told first: words may differ each time. */
  let lapse: string | undefined;

  function isStillPatient(error: unknown): boolean {
    const { conditions = [] } = binding().status ?? {};
    const wasHeld = conditions.some(({ type, status }) => type === BindingCondition.claimed && status === 'True');
    // Of a worker that is only silent another condition tells.
    return wasHeld && !(error instanceof ApiError && turns >= PATIENT_TURNS);
  }

  /** The name is kept all the same, and what runs goes on; but the end of a lease is another. */
  function tellLapse(message: string): void {
    lapse ??= message;
    report.condition({
      type: BindingCondition.claimed,
      status: 'True',
      reason: 'ClaimNotRenewed',
      message: `the claim ${claim} is held, but cannot be renewed in the worker cluster, whose agent does not wait for this one any more when it takes a lease back: ${lapse}`,
    });
  }

  return {
    tell(error, found) {
      turns++;
      const message = messageOf(error);
      if (message !== told) log.warn({ claim, error: message }, 'claim neither made nor renewed; tried again');
      told = message;
      if (found === 'held' && error instanceof ApiError && turns >= PATIENT_TURNS) tellLapse(message);
      if (found || isStillPatient(error)) return;
      report.condition({
        type: BindingCondition.claimed,
        status: 'False',
        reason: 'NotClaimedYet',
        message: `the claim ${claim} can be neither made nor renewed in the worker cluster: ${message}`,
      });
    },
    over() {
      turns = 0;
      told = lapse = undefined;
    },
  };
}
