/**
 * What worker pods take beyond what home's scheduler counts there, which is what the home pods ask for: the worker's owner
 * may add containers to them or enlarge their requests (webhooks, a LimitRange), and a worker pod may go on without its home
 * pod, held back by the deletion guard for hours. The vnode shows that much less than is lent: what is free stays what is
 * free. Otherwise pods would be placed there, for ever, that do not fit.
 */
import { Annotation, Finalizer, workerName } from '@kubeocean/shared/api';
import { deepEqual, type KubeObject, type ReadonlyStore, splitKey } from '@kubeocean/shared/kube';
import {
  accumulate,
  formatResources,
  type PodForRequests,
  podRequests,
  type Quantity,
  type Resources,
  subtractQuantities,
} from '@kubeocean/shared/lease';
import { isTerminal } from '../pods/types.ts';

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
    const beside = home && worker && isBeside(worker, home) ? (home as PodForRequests) : undefined;
    const amounts = worker ? surplusOf(beside, worker as PodForRequests) : Nothing;
    const before = noted.get(homeKey);
    if (!before && amounts.size === 0) return;
    const text = JSON.stringify(formatResources(amounts));
    const vnode = beside ? vnodeOf(beside) : (worker && madeFor(worker)) || '';
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
        workerPods.onChange(({ previous, current }) => {
          const key = homeKeyOf((current ?? previous) as KubeObject);
          const before = previous && homeKeyOf(previous);
          // Somebody has changed by hand whose it says to be, and the next change puts that right.
          if (before !== undefined && before !== key) look(before, workerOf(before, { metadata: splitKey(before) }));
          look(key, current);
        }),
        homePods.onChange(({ key, previous, current }) => {
          // A change that asks for the same takes nothing more or less of what its worker pod is known for.
          const isSame = previous && current && !noted.has(key) && countsAsSame(previous, current);
          const pod = current ?? previous;
          if (!isSame && pod) look(key, workerOf(key, pod));
        }),
      ];
    },
  };
}

/**
 * Per resource what the worker pod takes more. A pod that has ended takes nothing, and home counts none.
 * @param home the pod of its name on its vnode, if there is one: where it is another than the worker pod was made for, it waits
 * for that, and is to have its place
 */
function surplusOf(home: PodForRequests | undefined, worker: PodForRequests): Resources {
  const isCounted = home !== undefined && !isTerminal(home);
  if (isTerminal(worker) || (isCounted ? asksForSame(home, worker) : isLeaving(worker))) return Nothing;
  const counted = isCounted ? podRequests(home) : Nothing;
  const surplus = new Map<string, Quantity>();
  for (const [name, quantity] of podRequests(worker)) {
    const known = counted.get(name);
    const more = known ? subtractQuantities(quantity, known) : quantity;
    if (more.nanos > 0n) surplus.set(name, more);
  }
  return surplus;
}

/** Whether home's scheduler counts the same of a home pod after a change, and for the same vnode. */
function countsAsSame(before: KubeObject, now: KubeObject): boolean {
  return isTerminal(before) === isTerminal(now) && vnodeOf(before) === vnodeOf(now) && asksForSame(before, now);
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

/** Whether the agent takes it off what is lent, or nothing is left of it but our finalizer. */
function isLeaving({ metadata }: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = metadata;
  if (deletionTimestamp === undefined) return false;
  return deletionGracePeriodSeconds === 0 || finalizers?.includes(Finalizer.homeSync) !== true;
}

/** Whether home's scheduler counts the home pod where the worker pod is. */
function isBeside(worker: KubeObject, home: KubeObject): boolean {
  return (madeFor(worker) ?? vnodeOf(home)) === vnodeOf(home);
}

/** The vnode that the worker pod is on. */
function madeFor({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[Annotation.virtualNodeName];
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

function homeKeyOf({ metadata: { annotations } }: KubeObject): string {
  return `${annotations?.[Annotation.virtualPodNamespace] ?? ''}/${annotations?.[Annotation.virtualPodName] ?? ''}`;
}

function vnodeOf(home: KubeObject): string {
  return (home['spec'] as { nodeName?: string } | undefined)?.nodeName ?? '';
}
