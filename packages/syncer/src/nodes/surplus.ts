/**
 * What worker pods take beyond what their home pods ask for: the worker's owner may add containers to them or enlarge their
 * requests (webhooks, a LimitRange). Home's scheduler counts only what the home pods ask for, so the vnode shows that much
 * less than is lent: what is free stays what is free. Otherwise it would place there, for ever, pods that do not fit.
 */
import { Annotation, workerName } from '@kubeocean/shared/api';
import { deepEqual, type KubeObject, type ReadonlyStore } from '@kubeocean/shared/kube';
import {
  accumulate,
  formatResources,
  type PodForRequests,
  podRequests,
  type Quantity,
  type Resources,
  subtractQuantities,
} from '@kubeocean/shared/lease';

export interface Surplus {
  /** What the pods on the vnode take too much, together. */
  of(vnode: string): Resources;
  /** Begins to listen. @returns how to end it */
  start(): (() => void)[];
}

export interface SurplusParts {
  homePods: ReadonlyStore<KubeObject>;
  /** Index `adopted`. */
  workerPods: ReadonlyStore<KubeObject>;
  mountNamespace: string;
  bindingUID: string;
  /** Told of each vnode where it has become another. */
  onChange: (vnode: string) => void;
}

interface Noted {
  vnode: string;
  amounts: Resources;
  text: string;
}

const Nothing: Resources = new Map();

export function createSurplus({ homePods, workerPods, mountNamespace, bindingUID, onChange }: SurplusParts): Surplus {
  /** By home key; pods without any are not in it, which are nearly all, unless the owner adds something to every pod. */
  const noted = new Map<string, Noted>();
  /** The same by vnode: of each it is asked whenever anything of it changes. */
  const onVnode = new Map<string, Set<Noted>>();

  function note(homeKey: string, next: Noted | undefined): void {
    const before = noted.get(homeKey);
    if (before) {
      const others = onVnode.get(before.vnode);
      others?.delete(before);
      if (others?.size === 0) onVnode.delete(before.vnode);
      noted.delete(homeKey);
    }
    if (!next) return;
    noted.set(homeKey, next);
    onVnode.set(next.vnode, (onVnode.get(next.vnode) ?? new Set()).add(next));
  }

  function look(homeKey: string, worker: KubeObject | undefined): void {
    const home = homePods.get(homeKey);
    const isPair = home && worker?.metadata.annotations?.[Annotation.virtualPodUID] === home.metadata.uid;
    const amounts = isPair && worker ? surplusOf(home as PodForRequests, worker as PodForRequests) : Nothing;
    const before = noted.get(homeKey);
    if (!before && amounts.size === 0) return;
    const text = JSON.stringify(formatResources(amounts));
    const vnode = home ? vnodeOf(home) : '';
    if (before?.text === text && before.vnode === vnode) return;
    note(homeKey, amounts.size > 0 ? { vnode, amounts, text } : undefined);
    if (before) onChange(before.vnode);
    if (amounts.size > 0 && before?.vnode !== vnode) onChange(vnode);
  }

  function workerOf(homeKey: string, { metadata: { namespace = '', name } }: KubeObject): KubeObject | undefined {
    const key = `${mountNamespace}/${workerName(bindingUID, namespace, name)}`;
    return workerPods.get(key) ?? workerPods.byIndex('adopted', homeKey)[0];
  }

  return {
    of(vnode) {
      const there = onVnode.get(vnode);
      if (!there) return Nothing;
      const total = new Map<string, Quantity>();
      for (const { amounts } of there) accumulate(total, amounts);
      return total;
    },
    start() {
      for (const worker of workerPods.values()) look(homeKeyOf(worker), worker);
      return [
        workerPods.onChange(({ previous, current }) => look(homeKeyOf((current ?? previous) as KubeObject), current)),
        homePods.onChange(({ key, previous, current }) => {
          // A change that asks for the same takes nothing more or less of what its worker pod is known for.
          const isSame = previous && current && !noted.has(key) && asksForSame(previous, current);
          const pod = current ?? previous;
          if (!isSame && pod) look(key, workerOf(key, pod));
        }),
      ];
    },
  };
}

/** Per resource what the worker pod takes more. A pod that has ended takes nothing. */
export function surplusOf(home: PodForRequests, worker: PodForRequests): Resources {
  if (hasEnded(home) || hasEnded(worker) || asksForSame(home, worker)) return Nothing;
  const counted = podRequests(home);
  const surplus = new Map<string, Quantity>();
  for (const [name, quantity] of podRequests(worker)) {
    const known = counted.get(name);
    const more = known ? subtractQuantities(quantity, known) : quantity;
    if (more.nanos > 0n) surplus.set(name, more);
  }
  return surplus;
}

/** Whether the specs ask for the same, in the same words: a look at a few fields, for there are many pods. */
function asksForSame(one: KubeObject, other: KubeObject): boolean {
  const [a, b] = [one['spec'] as PodForRequests['spec'], other['spec'] as PodForRequests['spec']];
  return (
    haveSame(a.containers, b.containers) &&
    haveSame(a.initContainers, b.initContainers) &&
    deepEqual(a.resources?.requests, b.resources?.requests) &&
    deepEqual(a.overhead, b.overhead)
  );
}

type Containers = PodForRequests['spec']['containers'];

function haveSame(some: Containers = [], others: Containers = []): boolean {
  return (
    some.length === others.length &&
    some.every(({ name, resources }, at) => {
      const other = others[at];
      return other?.name === name && deepEqual(resources?.requests ?? {}, other.resources?.requests ?? {});
    })
  );
}

function hasEnded({ status }: PodForRequests): boolean {
  return status?.['phase'] === 'Succeeded' || status?.['phase'] === 'Failed';
}

function homeKeyOf({ metadata: { annotations } }: KubeObject): string {
  return `${annotations?.[Annotation.virtualPodNamespace] ?? ''}/${annotations?.[Annotation.virtualPodName] ?? ''}`;
}

function vnodeOf(home: KubeObject): string {
  return (home['spec'] as { nodeName?: string } | undefined)?.nodeName ?? '';
}
