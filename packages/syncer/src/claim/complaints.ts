/** What is told of a worker cluster that spoils the turns in which the claim is made or renewed. */
import { BindingCondition } from '@kubeocean/shared/api';
import { ApiError, messageOf } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';

export interface Complaints {
  /**
   * The worker spoilt a turn.
   * @param isDecided whether this syncer has found before that the claim is held or refused: that stands
   */
  tell(error: unknown, isDecided: boolean): void;
  /** A turn went well. */
  over(): void;
}

/** Turns in a row that a worker may refuse before what the last syncer said, that the claim is held, is taken back. */
const PATIENT_TURNS = 5;

export function createComplaints(
  { binding, log, report }: Pick<SyncerContext, 'binding' | 'log' | 'report'>,
  claim: string,
): Complaints {
  let turns = 0;
  let told: string | undefined;

  function isStillPatient(error: unknown): boolean {
    const { conditions = [] } = binding().status ?? {};
    const wasHeld = conditions.some(({ type, status }) => type === BindingCondition.claimed && status === 'True');
    // Of a worker that is only silent another condition tells.
    return wasHeld && !(error instanceof ApiError && turns >= PATIENT_TURNS);
  }

  return {
    tell(error, isDecided) {
      turns++;
      const message = messageOf(error);
      if (message !== told) log.warn({ claim, error: message }, 'claim neither made nor renewed; tried again');
      told = message;
      if (isDecided || isStillPatient(error)) return;
      report.condition({
        type: BindingCondition.claimed,
        status: 'False',
        reason: 'NotClaimedYet',
        message: `the claim ${claim} can be neither made nor renewed in the worker cluster: ${message}`,
      });
    },
    over() {
      turns = 0;
      told = undefined;
    },
  };
}
