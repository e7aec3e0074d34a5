/** What pods take of each node: native ones, and lent ones by lease. */
import { Finalizer, Label } from '../api/constants.ts';
import type { Tenant } from './claims.ts';
import type { Quantity } from './quantity.ts';
import { accumulate, type Resources } from './resources.ts';
import { type PodForRequests, podRequests } from './requests.ts';

interface NodeUsage {
  native: Map<string, Quantity>;
  /** By {@link groupName}. */
  lent: Map<string, Group>;
}

interface Group {
  requests: Map<string, Quantity>;
  /** Of `requests`, those of pods that end although the computing cluster no longer has them. */
  leaving: Map<string, Quantity>;
  /** Pods of any state. */
  present: number;
  unfinished: number;
  /** Ended, but held until the computing cluster shows it. */
  unsynced: number;
}

export class PodUsage {
  private readonly nodes = new Map<string, NodeUsage>();

  on(node: string): NodeUsage {
    return this.nodes.get(node) ?? { native: new Map(), lent: new Map() };
  }

  group(node: string, group: string): Group {
    return this.nodes.get(node)?.lent.get(group) ?? emptyGroup();
  }

  /** Counts one pod. In a mount namespace every pod is lent, elsewhere none is, whatever its labels. */
  add(pod: PodForRequests, mountNamespaces: ReadonlySet<string>): void {
    const node = pod.spec['nodeName'];
    if (typeof node !== 'string' || node === '') return;
    const usage = this.nodes.get(node) ?? { native: new Map(), lent: new Map() };
    this.nodes.set(node, usage);
    const namespace = pod.metadata.namespace ?? '';
    const finished = hasEnded(pod);
    if (!mountNamespaces.has(namespace)) {
      if (!finished) accumulate(usage.native, requestsOf(pod));
      return;
    }
    const name = groupName(namespace, pod.metadata.labels?.[Label.clusterBinding] ?? '');
    const group = usage.lent.get(name) ?? emptyGroup();
    usage.lent.set(name, group);
    const held = pod.metadata.finalizers?.includes(Finalizer.homeSync) === true;
    group.present++;
    if (finished) {
      if (held) group.unsynced++;
      return;
    }
    group.unfinished++;
    accumulate(group.requests, requestsOf(pod));
    // The finalizer goes when home shows the end or has no such pod, so nobody at home counts this one any more.
    if (pod.metadata.deletionTimestamp !== undefined && !held) accumulate(group.leaving, requestsOf(pod));
  }
}

export function countPods(pods: Iterable<PodForRequests>, tenants: readonly Tenant[]): PodUsage {
  const mountNamespaces = new Set(tenants.map((tenant) => tenant.namespace));
  const usage = new PodUsage();
  for (const pod of pods) usage.add(pod, mountNamespaces);
  return usage;
}

/** Names the pods of one binding in one mount namespace. `label` is the value of the binding label. */
export function groupName(namespace: string, label: string): string {
  return `${namespace}/${label}`;
}

/** Whether its containers run no more and never will. */
export function hasEnded(pod: PodForRequests): boolean {
  const phase = pod.status?.['phase'];
  return phase === 'Succeeded' || phase === 'Failed';
}

function emptyGroup(): Group {
  return { requests: new Map(), leaving: new Map(), present: 0, unfinished: 0, unsynced: 0 };
}

/** Requests are a pure function of an object that is never changed in place. */
const known = new WeakMap<PodForRequests, Resources>();

/** What a pod takes, as {@link podRequests} counts it. */
export function requestsOf(pod: PodForRequests): Resources {
  const requests = known.get(pod) ?? podRequests(pod);
  known.set(pod, requests);
  return requests;
}
