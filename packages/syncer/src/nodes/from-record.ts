/**
 * What a vnode should be, from the record of the lent node and what the syncer knows besides. Pure: no clock, no
 * network. How it is brought about, and what others may have added to the Node, is plan.ts's business.
 */
import { isIP } from 'node:net';
import {
  Annotation,
  type ClusterBinding,
  Label,
  labelValue,
  type LeasedNode,
  ManagedByValue,
  providerID,
  type Taint,
  TaintKey,
  VnodeInstanceType,
  VnodeType,
} from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import {
  addQuantities,
  formatResources,
  parseResources,
  remaining,
  type Resources,
  Zero,
} from '@kubeocean/shared/lease';
import { type ClosingFacts, closingNotice } from './notice.ts';
import {
  carriedConditions,
  carriedLabels,
  carriedNodeInfo,
  carriedResources,
  carriedTaints,
  isWithoutNetwork,
} from './sanitize.ts';

const Nothing: Resources = new Map();

/** A vnode as it should be. Absent parts are not ours to say now and stay as they are. */
export interface DesiredVnode {
  name: string;
  /** Labels that are always ours. */
  ownLabels: Record<string, string>;
  /** Labels of the worker node; what home says of the same key wins. */
  carriedLabels?: Record<string, string>;
  annotations: Record<string, string>;
  /** Keys of ours that do not apply now: taken off where they are. */
  without?: readonly string[];
  taints: Taint[];
  /** Being removed: cordoned. */
  draining: boolean;
  providerID: string;
  status?: DesiredStatus;
  /** Address of the proxier that serves it; left out = the last one stays. */
  address?: string;
  port: number;
}

export interface DesiredStatus {
  resources: Record<string, string>;
  conditions: Condition[];
  nodeInfo: Record<string, string>;
}

/** What is known beside the record. */
export interface VnodeFacts extends ClosingFacts {
  name: string;
  binding: ClusterBinding;
  bindingUID: string;
  port: number;
  address?: string;
  /** Nothing is known of the lease: the record is missing, or the agent is silent. */
  leaseUnknown: boolean;
  workerUnreachable: boolean;
  /** The vnode is being removed. */
  draining: boolean;
  /** What pods on the vnode that are not run ask for: shown on top of what is lent. */
  notRun?: Resources;
  /** What worker pods on it take beyond what their home pods ask for: taken off what is lent. */
  surplus?: Resources;
  /** Leave conditions to the home cluster (`kubeocean.io/unreachable: evict` while the worker is unreachable). */
  leaveConditions?: boolean;
}

/** The vnode of a record. */
export function vnodeFromRecord(record: LeasedNode, facts: VnodeFacts): DesiredVnode {
  const { spec, status } = record;
  const { clusterID } = facts.binding.spec;
  const innerIP = status?.node?.innerIP;
  const notice = closingNotice(status, facts);
  return {
    name: facts.name,
    ownLabels: {
      ...identityLabels(facts.name, facts.binding, facts.bindingUID, facts.port),
      [Label.physicalNodeName]: labelValue(spec.nodeName),
      [Label.physicalNodeUID]: labelValue(spec.nodeUID),
      [Label.policyApplied]: labelValue(status?.policy ?? spec.policy),
      // A label value has no colons, so an IPv6 address cannot be shown.
      ...(typeof innerIP === 'string' && isIP(innerIP) === 4 && { [Label.physicalNodeInnerIP]: innerIP }),
      ...notice?.labels,
    },
    carriedLabels: carriedLabels(status?.node?.labels),
    annotations: {
      [Annotation.leasedNode]: `${record.metadata.namespace}/${record.metadata.name}`,
      [Label.physicalNodeName]: spec.nodeName,
      [Label.physicalNodeUID]: spec.nodeUID,
      ...notice?.annotations,
    },
    ...(!notice && { without: [Label.leaseCloses, Annotation.leaseClosesAt] }),
    taints: [
      ...ownTaints(facts),
      ...(status?.unschedulable || isWithoutNetwork(status?.taints, status?.node?.conditions)
        ? [{ key: TaintKey.physicalNodeUnschedulable, effect: 'NoSchedule' } satisfies Taint]
        : []),
      ...carriedTaints(status?.taints),
    ],
    draining: facts.draining,
    providerID: providerID(clusterID, spec.nodeName),
    status: {
      resources: withCompensation(carriedResources(status?.allocatable), facts),
      conditions: facts.leaveConditions ? [] : carriedConditions(status?.node?.conditions),
      nodeInfo: carriedNodeInfo(status?.node?.nodeInfo),
    },
    ...(facts.address !== undefined && { address: facts.address }),
    port: facts.port,
  };
}

/** A vnode of which no record is known: identity and taints only; everything else stays as it was. */
export function vnodeWithoutRecord(nodeName: string, facts: VnodeFacts): DesiredVnode {
  return {
    name: facts.name,
    ownLabels: identityLabels(facts.name, facts.binding, facts.bindingUID, facts.port),
    annotations: {},
    taints: ownTaints(facts),
    draining: facts.draining,
    providerID: providerID(facts.binding.spec.clusterID, nodeName),
    ...(facts.address !== undefined && { address: facts.address }),
    port: facts.port,
  };
}

/** The worker node's name in a providerID of this cluster; undefined when it is none of ours. */
export function nodeNameOf(id: unknown, clusterID: string): string | undefined {
  const prefix = providerID(clusterID, '');
  return typeof id === 'string' && id.startsWith(prefix) && id.length > prefix.length
    ? id.slice(prefix.length)
    : undefined;
}

/** Only of resources that are lent at all: the sum of an absent one would be lent out of nothing. */
function withCompensation(
  lent: Record<string, string>,
  { notRun = Nothing, surplus = Nothing }: Pick<VnodeFacts, 'notRun' | 'surplus'>,
): Record<string, string> {
  if (notRun.size === 0 && surplus.size === 0) return lent;
  const total = parseResources(lent);
  for (const [name, quantity] of total) total.set(name, addQuantities(quantity, notRun.get(name) ?? Zero));
  return formatResources(remaining(total, surplus));
}

function identityLabels(name: string, binding: ClusterBinding, uid: string, port: number): Record<string, string> {
  return {
    [Label.managedBy]: ManagedByValue,
    [Label.clusterBinding]: labelValue(binding.metadata.name),
    [Label.bindingUID]: uid,
    [Label.physicalClusterID]: binding.spec.clusterID,
    [Label.proxierPort]: String(port),
    [Label.nodeType]: VnodeType,
    [Label.instanceType]: VnodeInstanceType,
    [Label.instanceTypeBeta]: VnodeInstanceType,
    [Label.hostname]: labelValue(name),
    [Label.excludeFromLoadBalancers]: 'true',
  };
}

function ownTaints(facts: VnodeFacts): Taint[] {
  const taints: Taint[] = [];
  const add = (key: string, value?: string) => taints.push({ key, ...(value && { value }), effect: 'NoSchedule' });
  if (!facts.binding.spec.disableNodeDefaultTaint) add(TaintKey.vnode);
  if (facts.leaseUnknown) add(TaintKey.leaseUnknown);
  if (facts.workerUnreachable) add(TaintKey.workerUnreachable);
  if (facts.draining) add(TaintKey.vnodeDeleting, 'true');
  return taints;
}
