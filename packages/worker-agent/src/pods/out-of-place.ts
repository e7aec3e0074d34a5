/**
 * Lent pods that are where or more than they may be: beyond what their lease holds, or on a node that is not lent to
 * them at all. An honest computing cluster makes none; a stolen credential may. Pure.
 */
import { Label, type LeasedNode, labelValue } from '@kubeocean/shared/api';
import {
  beyondCeiling,
  groupName,
  hasEnded,
  parseResources,
  type PodForRequests,
  type Tenant,
} from '@kubeocean/shared/lease';
import type { DesiredRecord } from '@kubeocean/shared/lease';
import { graceOf, isLent, type PodStep } from '../reclaim/plan.ts';

export interface PlacesInput {
  /** Leases that run, with the status that they should have now. */
  open: readonly DesiredRecord[];
  /** Records that exist. */
  records: readonly LeasedNode[];
  pods: Iterable<PodForRequests>;
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
  const placed = new Map<string, PodForRequests[]>();
  for (const pod of input.pods) {
    const { namespace = '', labels } = pod.metadata;
    const node = pod.spec['nodeName'];
    const tenant = tenants.get(namespace);
    const label = labels?.[Label.clusterBinding] ?? '';
    if (!tenant || typeof node !== 'string' || hasEnded(pod) || !isLent(label, tenant)) continue;
    const place = `${node}/${groupName(namespace, label)}`;
    if (open.has(place)) placed.set(place, [...(placed.get(place) ?? []), pod]);
    else if (!known.has(place) && pod.metadata.deletionTimestamp === undefined) {
      const message = `node ${node} is not lent to ${label}: there is no LeasedNode for it in namespace ${namespace}`;
      add(found.strays, pod, node, 'stray', message, input.maxGraceSeconds);
    }
  }
  for (const [place, pods] of placed) {
    const { spec, status } = open.get(place) as DesiredRecord;
    for (const pod of beyondCeiling(pods, parseResources(status.ceiling))) {
      if (pod.metadata.deletionTimestamp !== undefined) continue;
      const message = `node ${spec.nodeName} has no room left for it in what is lent to ${spec.cluster} (${amounts(status.ceiling)})`;
      add(found.beyond, pod, spec.nodeName, 'exceed', message, input.maxGraceSeconds);
    }
  }
  return found;
}

function placeOf(namespace: string, { nodeName, cluster }: { nodeName: string; cluster: string }): string {
  return `${nodeName}/${groupName(namespace, labelValue(cluster))}`;
}

function amounts(list: Record<string, string> | undefined): string {
  return Object.entries(list ?? {})
    .map(([name, amount]) => `${name} ${amount}`)
    .join(', ');
}

function add(
  steps: Map<string, PodStep>,
  pod: PodForRequests,
  node: string,
  kind: 'stray' | 'exceed',
  message: string,
  maxGraceSeconds: number,
): void {
  const { namespace = '', name, uid = '' } = pod.metadata;
  steps.set(uid, { kind, namespace, name, uid, node, message, ...graceOf(pod, maxGraceSeconds) });
}
