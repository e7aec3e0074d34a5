/** What decisions on single records look at. */
import { labelValue } from '../api/names.ts';
import type { LeasedNode } from '../api/leased-node.ts';
import type { ReclaimFacts, ReclaimTiming } from './reclaim.ts';
import { groupName, type PodUsage } from './usage.ts';

export interface View {
  usage: PodUsage;
  timing: ReclaimTiming;
  staleSince: ReadonlyMap<string, Date>;
  readers?: ReadonlySet<string> | undefined;
  now: Date;
}

/** The group of pods that a record is of. */
export function groupOfRecord({ metadata, spec }: LeasedNode): string {
  return groupName(metadata.namespace, labelValue(spec.cluster));
}

export function factsOf(node: string, group: string, syncerFirst: boolean, { usage, timing }: View): ReclaimFacts {
  const { unfinished, unsynced } = usage.group(node, group);
  return { unfinished, unsynced, syncerFirst, timing };
}

/** Which groups have a pod on any node, asked for only where it matters: it goes over all of them. */
export function lazyGroups(usage: PodUsage): (group: string) => boolean {
  let groups: Set<string> | undefined;
  return (group) => {
    groups ??= new Set([...usage.lent()].map((pods) => pods.group));
    return groups.has(group);
  };
}
