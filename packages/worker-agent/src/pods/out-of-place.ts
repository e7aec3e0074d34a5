/**
 * Lent pods that are where or more than they may be: beyond what their lease holds, or on a node that is not lent to
 * them at all. An honest computing cluster makes none; a stolen credential may. Pure.
 */
import type { LeasedNode } from '@kubeocean/shared/api';
import {
  beyondCeiling,
  fitsCeiling,
  hasEnded,
  type LentPods,
  safeResources,
  type Tenant,
} from '@kubeocean/shared/lease';
import type { DesiredRecord } from '@kubeocean/shared/lease';
import { graceOf, isLent, placeOf, type PodStep, shortening } from '../reclaim/plan.ts';

export interface PlacesInput {
  /** Leases that run, with the status that they should have now. */
  open: readonly DesiredRecord[];
  /** Records that exist. */
  records: readonly LeasedNode[];
  pods: Iterable<LentPods>;
  tenants: readonly Tenant[];
  /** Longest termination grace period, in seconds. */
  maxGraceSeconds: number;
}

export interface OutOfPlace {
  /** Steps for pods beyond the ceiling of their lease, by pod UID. */
  beyond: Map<string, PodStep>;
  /** Steps for pods on a node that nobody lent to their binding. */
  strays: Map<string, PodStep>;
}

/** What would have to go. The caller waits until it has been so for a while. */
export function findOutOfPlace(input: PlacesInput): OutOfPlace {
  const tenants = new Map(input.tenants.map((tenant) => [tenant.namespace, tenant]));
  const open = new Map(input.open.map((record) => [placeOf(record.namespace, record.spec), record]));
  const known = new Set(input.records.map(({ metadata, spec }) => placeOf(metadata.namespace, spec)));
  const found: OutOfPlace = { beyond: new Map(), strays: new Map() };
  for (const lent of input.pods) {
    const { node, namespace, label, group, pods } = lent;
    const tenant = tenants.get(namespace);
    if (!tenant || !isLent(label, tenant)) continue;
    const place = `${node}/${group}`;
    const record = open.get(place);
    if (!record && known.has(place)) continue;
    const ceiling = safeResources(record?.status.ceiling);
    if (record && fitsCeiling(lent.requests, ceiling)) continue;
    const unfinished = pods.filter((pod) => !hasEnded(pod));
    const tooMany = record ? beyondCeiling(unfinished, ceiling) : unfinished;
    const message = record
      ? `node ${node} has no room left for it in what is lent to ${record.spec.cluster} (${amounts(record.status.ceiling)})`
      : `node ${node} is not lent to ${label}: there is no LeasedNode for it in namespace ${namespace}`;
    for (const pod of tooMany) {
      const steps = record ? found.beyond : found.strays;
      const { name, uid = '', deletionTimestamp } = pod.metadata;
      // One that its tenant deleted itself, with a grace of years, would stay as long.
      const step =
        deletionTimestamp === undefined
          ? { kind: record ? ('exceed' as const) : ('stray' as const), message, ...graceOf(pod, input.maxGraceSeconds) }
          : shortening(pod, input.maxGraceSeconds, message);
      if (step) steps.set(uid, { ...step, namespace, name, uid, node });
    }
  }
  return found;
}

function amounts(list: Record<string, string> | undefined): string {
  return Object.entries(list ?? {})
    .map(([name, amount]) => `${name} ${amount}`)
    .join(', ');
}
