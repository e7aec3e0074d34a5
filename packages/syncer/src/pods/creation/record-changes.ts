/** Which pods of a vnode a change of its lease's record concerns: records change with every pod of the node. Pure. */
import type { LeasedNode } from '@kubeocean/shared/api';
import { parseResources } from '@kubeocean/shared/lease';
import { hasGrown } from './refusals.ts';

/**
 * `all`: whether addresses are shown is another matter now. `waiting`: those that the worker has not placed, because the record came
 * or went, or more is lent, or the lease opened or ends.
 */
export function concernedBy(
  previous: LeasedNode | undefined,
  current: LeasedNode | undefined,
): 'none' | 'waiting' | 'all' {
  const [before, now] = [previous?.status, current?.status];
  if ((before?.networkOverlap !== undefined) !== (now?.networkOverlap !== undefined)) return 'all';
  if (!previous || !current || before?.phase !== now?.phase) return 'waiting';
  return hasGrown(parseResources(before?.allocatable), parseResources(now?.allocatable)) ? 'waiting' : 'none';
}
