/** The end of a home pod that its lease ended. */
import type { HomePod } from './rig.ts';

/**
 * Why a pod ended that its lease ended, as its users and its controller see it. Once nothing lent is left the vnode is
 * NoExecute, and home's taint manager puts its own words into the condition of a pod that a finalizer still keeps.
 */
export function endedByLease({ status }: HomePod, policy: string): void {
  const words = new RegExp(
    `^policy ${policy}: no time window of policy ${policy} is open; it opens again at 2026-1[01]-`,
  );
  const target = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  if (
    status?.phase !== 'Failed' ||
    status.reason !== 'LeaseClosed' ||
    !words.test(status.message ?? '') ||
    target?.status !== 'True' ||
    !['LeaseClosed', 'DeletionByTaintManager'].includes(target.reason ?? '')
  ) {
    throw new Error(`not ended by the lease: ${JSON.stringify(status)}`);
  }
}
