/** What pods take of each node: native ones, and lent ones by lease. */
import { Annotation, Finalizer, Label } from '../api/constants.ts';
import type { Tenant } from './claims.ts';
import type { Resources } from './resources.ts';
import { type PodForRequests, podRequests } from './requests.ts';
import { Tally } from './tally.ts';

interface NodeUsage {
  native: Resources;
  /** By {@link groupName}. */
  lent: ReadonlyMap<string, Group>;
}

/** What the pods of one binding in one mount namespace take of one node. */
interface Group {
  readonly requests: Resources;
  /** Of `requests`, those of pods that end although the computing cluster no longer has them. */
  readonly leaving: Resources;
  /** Pods of any state. */
  readonly present: number;
  readonly unfinished: number;
  /** Ended, but held until the computing cluster shows it. */
  readonly unsynced: number;
}

/** The same with the pods themselves, in the order in which they were counted. */
export interface LentPods extends Group {
  readonly node: string;
  readonly namespace: string;
  /** Value of the binding label; empty where there is none. */
  readonly label: string;
  /** {@link groupName} of both. */
  readonly group: string;
  readonly pods: readonly PodForRequests[];
  /** Of them, those that bear the annotation that says why their lease ends them. */
  readonly told: number;
  /** Of them, those that end but have not ended. */
  readonly ending: number;
}

const Nothing: Resources = new Map();
const NoGroup: Group = { requests: Nothing, leaving: Nothing, present: 0, unfinished: 0, unsynced: 0 };
const NotUsed: NodeUsage = { native: Nothing, lent: new Map() };

class CountedGroup implements LentPods {
  readonly node: string;
  readonly namespace: string;
  readonly label: string;
  readonly group: string;
  readonly pods: PodForRequests[] = [];
  readonly taken = new Tally();
  readonly freed = new Tally();
  unfinished = 0;
  unsynced = 0;
  told = 0;
  ending = 0;

  constructor(node: string, namespace: string, label: string, group: string) {
    this.node = node;
    this.namespace = namespace;
    this.label = label;
    this.group = group;
  }

  get requests(): Resources {
    return this.taken.total;
  }

  get leaving(): Resources {
    return this.freed.total;
  }

  get present(): number {
    return this.pods.length;
  }

  add(pod: PodForRequests): void {
    this.pods.push(pod);
    const { annotations, finalizers, deletionTimestamp } = pod.metadata;
    if (annotations?.[Annotation.leaseClosed] !== undefined) this.told++;
    const held = finalizers?.includes(Finalizer.homeSync) === true;
    if (hasEnded(pod)) {
      if (held) this.unsynced++;
      return;
    }
    this.unfinished++;
    const requests = requestsOf(pod);
    this.taken.add(requests);
    if (deletionTimestamp === undefined) return;
    this.ending++;
    // The finalizer goes when home shows the end or has no such pod, so nobody at home counts this one any more.
    if (!held) this.freed.add(requests);
  }
}

class CountedNode implements NodeUsage {
  readonly taken = new Tally();
  readonly lent = new Map<string, CountedGroup>();

  get native(): Resources {
    return this.taken.total;
  }
}

export class PodUsage {
  private readonly nodes = new Map<string, CountedNode>();
  /** By mount namespace, the group's name by label: made once, not for each pod. */
  private readonly names: ReadonlyMap<string, Map<string, string>>;

  constructor(mountNamespaces: Iterable<string>) {
    this.names = new Map([...mountNamespaces].map((namespace) => [namespace, new Map<string, string>()]));
  }

  on(node: string): NodeUsage {
    return this.nodes.get(node) ?? NotUsed;
  }

  group(node: string, group: string): Group {
    return this.nodes.get(node)?.lent.get(group) ?? NoGroup;
  }

  /** All pods of mount namespaces that are on a node. */
  *lent(): Generator<LentPods> {
    for (const { lent } of this.nodes.values()) yield* lent.values();
  }

  /** Counts one pod. In a mount namespace every pod is lent, elsewhere none is, whatever its labels. */
  add(pod: PodForRequests): void {
    const node = pod.spec['nodeName'];
    if (typeof node !== 'string' || node === '') return;
    let usage = this.nodes.get(node);
    if (!usage) this.nodes.set(node, (usage = new CountedNode()));
    const { namespace = '', labels } = pod.metadata;
    const names = this.names.get(namespace);
    if (!names) {
      if (!hasEnded(pod)) usage.taken.add(requestsOf(pod));
      return;
    }
    const label = labels?.[Label.clusterBinding] ?? '';
    let name = names.get(label);
    if (name === undefined) names.set(label, (name = groupName(namespace, label)));
    let group = usage.lent.get(name);
    if (!group) usage.lent.set(name, (group = new CountedGroup(node, namespace, label, name)));
    group.add(pod);
  }
}

export function countPods(pods: Iterable<PodForRequests>, tenants: readonly Tenant[]): PodUsage {
  const usage = new PodUsage(tenants.map(({ namespace }) => namespace));
  for (const pod of pods) usage.add(pod);
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

/** Requests are a pure function of an object that is never changed in place. */
const known = new WeakMap<PodForRequests, Resources>();

/** What a pod takes, as {@link podRequests} counts it. */
export function requestsOf(pod: PodForRequests): Resources {
  if (pod.counted) return pod.counted;
  const requests = known.get(pod) ?? podRequests(pod);
  known.set(pod, requests);
  return requests;
}
