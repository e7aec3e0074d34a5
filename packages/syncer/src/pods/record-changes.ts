/** Which pods of a vnode a change of its lease's record concerns: records change with every pod of the node. Pure. */
import type { LeasedNode } from '@kubeocean/shared/api';
import { parseResources, QuantityError } from '@kubeocean/shared/lease';
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
  return grew(before?.allocatable, now?.allocatable) ? 'waiting' : 'none';
}

type Allocatable = Record<string, string> | undefined;

function grew(before: Allocatable, now: Allocatable): boolean {
  try {
    return hasGrown(parseResources(before), parseResources(now));
  } catch (error) {
    // Nonsense in a record is told where it is used.
    if (error instanceof QuantityError) return true;
    throw error;
  }
}
