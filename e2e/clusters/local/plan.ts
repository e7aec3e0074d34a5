/**
 * The address plan: from an index, and the sizes of a set of clusters, every name and address in it. Pure.
 *
 * An index (0 to 15) has 10.(200+index).0.0/16 for nodes and pods, 10.(216+index).0.0/16 for Services and
 * 10.(232+index).0.0/16 for the pods of hollow nodes, so sixteen sets stand side by side on one machine.
 * Cluster 0 is the computing cluster, clusters 1 to 8 are workers.
 */

import type { Sizes } from '../options.ts';

export const highestIndex = 15;

export interface NodePlan {
  cluster: string;
  name: string;
  /** Its own address, on the bridge. */
  address: string;
  /** Its own pod range, /24. */
  podRange: string;
  /** Network namespace, as in /run/netns. */
  netns: string;
  /** The bridge's end of its cable; at most 15 characters (IFNAMSIZ). */
  hostLink: string;
  /** Parent of its pods' cgroups, without a leading slash. */
  cgroup: string;
}

export interface ClusterPlan {
  name: string;
  number: number;
  nodes: NodePlan[];
  /** Address of the API server: that of the first node. */
  address: string;
  apiServer: string;
  /** A second address of the first node, for Services of type LoadBalancer; only in the computing cluster. */
  loadBalancer: string | undefined;
  podRange: string;
  serviceRange: string;
  /** The `kubernetes` Service: the range's first address. */
  kubernetesService: string;
  dnsService: string;
  hollow: number;
  hollowPodRange: string;
}

export interface SetPlan {
  index: number;
  bridge: string;
  /** The machine's own address on the bridge. */
  hostAddress: string;
  /** Range of all nodes and pods of the set. */
  range: string;
  /** Parent of all cgroups of the set, without a leading slash. */
  cgroup: string;
  clusters: ClusterPlan[];
}

function nodePlan(index: number, cluster: string, number: number, node: number): NodePlan {
  const name = number === 0 ? `computing-${node}` : `node${node}`;
  const netns = number === 0 ? `kube${index}-${name}` : `kube${index}-w${number}-${name}`;
  return {
    cluster,
    name,
    address: `10.${200 + index}.0.${10 * (number + 1) + node}`,
    podRange: `10.${200 + index}.${16 * (number + 1) + node}.0/24`,
    netns,
    hostLink: `kube${index}-c${number}n${node}`,
    cgroup: `kubeocean${index}/${number === 0 ? name : `w${number}-${name}`}`,
  };
}

function clusterPlan(index: number, number: number, nodes: number, hollow: number): ClusterPlan {
  const name = number === 0 ? 'computing' : `worker-${number}`;
  const services = `10.${216 + index}.${16 * number}`;
  const planned = Array.from({ length: nodes }, (_, i) => nodePlan(index, name, number, i + 1));
  const address = `10.${200 + index}.0.${10 * (number + 1) + 1}`;
  return {
    name,
    number,
    nodes: planned,
    address,
    apiServer: `https://${address}:6443`,
    loadBalancer: number === 0 ? `10.${200 + index}.0.10` : undefined,
    podRange: `10.${200 + index}.${16 * (number + 1)}.0/20`,
    serviceRange: `${services}.0/20`,
    kubernetesService: `${services}.1`,
    dnsService: `${services}.10`,
    hollow,
    hollowPodRange: `10.${232 + index}.${16 * number}.0/20`,
  };
}

/** Everything that a set of clusters is called and addressed by. `index` from 0 to 15. */
export function planSet(index: number, sizes: Sizes): SetPlan {
  if (!Number.isInteger(index) || index < 0 || index > highestIndex) throw new RangeError(`index ${index}: 0 to 15`);
  const workers = Array.from({ length: sizes.workers }, (_, i) => clusterPlan(index, i + 1, sizes.nodes, sizes.hollow));
  return {
    index,
    bridge: `kube${index}`,
    hostAddress: `10.${200 + index}.0.1`,
    range: `10.${200 + index}.0.0/16`,
    cgroup: `kubeocean${index}`,
    clusters: [clusterPlan(index, 0, 1, 0), ...workers],
  };
}

/** Name of hollow node number `n` (from 1) in its cluster. */
export function hollowNodeName(n: number): string {
  return `hollow-${String(n).padStart(3, '0')}`;
}
