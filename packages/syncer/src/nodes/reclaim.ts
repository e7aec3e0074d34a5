/**
 * The computing cluster's share in taking back a lease that closes: from `reclaimAt` home pods are asked to go through
 * home's own Eviction API, so that its users' disruption budgets count, before the agent evicts in the worker what is left.
 */
import { type LeasedNode, type LeasedNodeStatus, PodReason, type ReclaimStage } from '@kubeocean/shared/api';
import { ApiError, type KubeObject, type Outcome } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { evict, mustGo } from './drain.ts';

const LOOK_AGAIN_MS = 5000;
/** Stages in which pods go. Before, they have notice; after, nothing of ours is left. */
const GOING: readonly (ReclaimStage | undefined)[] = ['Syncer', 'Evicting', 'Deleting'];

export interface Reclaim {
  /**
   * Asks every pod of the vnode to go that has not been asked yet, if it is time. Call again as the outcome says, and
   * when the record changes.
   * @throws ApiError, ConnectionError for anything but a refusal by a disruption budget.
   */
  step(vnode: string, record: LeasedNode): Promise<Outcome>;
  /** A home pod is gone. */
  forget(uid: string | undefined): void;
}

/**
 * In how many milliseconds the pods of a record have to go: 0 = now, undefined = not as things are. It takes the
 * agent's word and the announced time, so that neither a clock that is ahead nor an old record ends a pod early.
 */
export function reclaimInMs(status: LeasedNodeStatus | undefined, now: Date): number | undefined {
  if (status?.phase !== 'Closing' || !GOING.includes(status.reclaimStage)) return undefined;
  const at = Date.parse(status.reclaimAt ?? '');
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

/** Whether a pod goes with the lease: what has ended, or never runs on vnodes, holds nothing of it. */
export function goesWithLease(pod: KubeObject, workerPods: readonly KubeObject[]): boolean {
  const { phase } = (pod['status'] ?? {}) as { phase?: string };
  if (phase === 'Succeeded' || phase === 'Failed' || pod.metadata.deletionTimestamp) return false;
  return mustGo(pod, workerPods);
}

export function createReclaim(context: SyncerContext): Reclaim {
  const { stores, leadership, homeEvents, log } = context;
  /** UIDs of pods that were asked to go, and when: the watch may not show it yet. */
  const asked = new Map<string, number>();

  async function step(vnode: string, record: LeasedNode): Promise<Outcome> {
    const inMs = reclaimInMs(record.status, context.now());
    if (inMs === undefined) return undefined;
    if (inMs > 0) return { againInMs: inMs };
    const workerPods = stores.workerPods.byIndex('vnode', vnode);
    const pods = stores.homePods.byIndex('node', vnode).filter((pod) => goesWithLease(pod, workerPods));
    let failure: ApiError | undefined;
    for (const pod of pods) {
      const { uid = '' } = pod.metadata;
      const now = context.now().getTime();
      const before = asked.get(uid);
      if (before !== undefined && Math.abs(now - before) < LOOK_AGAIN_MS) continue;
      if (!leadership.isCurrent()) return { againInMs: 1000 };
      try {
        if (!(await evict(context, pod))) {
          log.debug({ pod: pod.metadata.name, vnode }, 'a disruption budget keeps a pod whose lease closes');
          continue;
        }
        asked.set(uid, now);
        if (before === undefined) tell(pod, record);
      } catch (error) {
        // One pod that cannot be evicted (two budgets that cover it, a webhook) does not keep the others.
        if (!(error instanceof ApiError)) throw error;
        failure ??= error;
      }
    }
    if (failure) throw failure;
    return pods.length > 0 ? { againInMs: LOOK_AGAIN_MS } : undefined;
  }

  function tell(pod: KubeObject, { spec, status }: LeasedNode): void {
    const { name, namespace, uid } = pod.metadata;
    log.info({ pod: `${namespace}/${name}`, node: spec.nodeName }, 'home pod evicted: its lease closes');
    const subject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
    };
    const why = status?.message ?? status?.reason;
    const text = `evicted: the lease of the worker node ${spec.nodeName} is taken back${why ? ` (${why})` : ''}`;
    homeEvents.event(subject, 'Warning', PodReason.leaseClosed, text);
  }

  return {
    step,
    forget(uid) {
      if (uid !== undefined) asked.delete(uid);
    },
  };
}
