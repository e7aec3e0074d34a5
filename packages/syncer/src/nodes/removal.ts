/** The end of a vnode: emptied, deleted, its finalizer taken off, its Lease removed. */
import { Finalizer, TaintKey } from '@kubeocean/shared/api';
import { isConflict, isNotFound, type KubeObject, Nodes, type Outcome } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { abandonPods, drain, type DrainState, vnodeSubject } from './drain.ts';
import type { VnodeLeases } from './leases.ts';
import { hasTaint } from './looks.ts';

const DRAIN_AGAIN_MS = 5000;

/**
 * Takes the next step; call again until the Node is gone. With `abandon` pods go at once, without the worker.
 * @param mayStillGo as for {@link drain}
 */
export type RemoveVnode = (vnode: KubeObject, abandon: boolean, mayStillGo?: () => boolean) => Promise<Outcome>;

/**
 * What it gives throws ApiError, ConnectionError.
 * @param clock milliseconds, monotonic
 */
export function createRemoval(
  context: SyncerContext,
  leases: VnodeLeases,
  clock: () => number = () => performance.now(),
): RemoveVnode {
  /** Of vnodes that are known to wait for disruption budgets, which pods. */
  const kept = new Map<string, DrainState['refusals']>();

  // One that stays after all may be said to wait for them again.
  context.stores.vnodes.onChange(({ key, current }) => {
    if (!current || !hasTaint(current, TaintKey.vnodeDeleting)) kept.delete(key);
  });

  /** Said once: budgets may refuse for ever, and are asked every few seconds. */
  function tellRefused(vnode: KubeObject, { refused: [first, ...others], refusals }: DrainState): void {
    const { name } = vnode.metadata;
    if (first === undefined) return void kept.delete(name);
    const isTold = kept.has(name);
    kept.set(name, refusals);
    if (isTold) return;
    const which = others.length > 0 ? `${first} and ${others.length} more` : first;
    const text = `it is removed once disruption budgets let its pods go, which are asked again and again: ${which}`;
    context.homeEvents.event(vnodeSubject(vnode), 'Warning', 'EvictionRefused', text);
  }

  return async (vnode, abandon, mayStillGo = () => true) => {
    const { name, uid } = vnode.metadata;
    if (abandon) {
      // Not waited for: what is made anew meanwhile (by DaemonSets that tolerate everything) ends with the Node.
      await abandonPods(context, name);
    } else {
      const left = await drain(context, name, kept.get(name), clock, mayStillGo);
      tellRefused(vnode, left);
      const { homePods, workerPods, refused } = left;
      if (homePods + workerPods > 0) {
        context.log.debug({ vnode: name, homePods, workerPods, refused }, 'waiting for pods to go');
        return { againInMs: DRAIN_AGAIN_MS };
      }
    }
    if (!mayStillGo()) return undefined;
    if (vnode.metadata.deletionTimestamp) return letGo(context, leases, vnode);
    try {
      await context.home.delete(Nodes, '', name, uid ? { uid } : {});
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    // The watch brings it back with its deletion time; then the finalizer goes.
    return { againInMs: 1000 };
  };
}

/** Takes our finalizer off a Node that is being deleted. @throws ApiError, ConnectionError */
export async function letGo(context: SyncerContext, leases: VnodeLeases, vnode: KubeObject): Promise<Outcome> {
  const { name, uid, resourceVersion, finalizers = [] } = vnode.metadata;
  if (!finalizers.includes(Finalizer.vnode)) return undefined;
  const rest = finalizers.filter((finalizer) => finalizer !== Finalizer.vnode);
  try {
    await context.home.patch(Nodes, '', name, { metadata: { uid, resourceVersion, finalizers: rest } });
    context.log.info({ vnode: name }, 'vnode deleted');
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await leases.remove(name);
  return undefined;
}
