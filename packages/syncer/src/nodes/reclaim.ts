/**
 * The computing cluster's share in taking back a lease that closes: from `reclaimAt` home pods are asked to go through
 * home's own Eviction API, so that its users' disruption budgets count, before the agent evicts in the worker what is left.
 */
import { Annotation, type LeasedNode, PodCondition, PodReason } from '@kubeocean/shared/api';
import {
  type ApiError,
  type Condition,
  isConflict,
  keyOf,
  type KubeObject,
  type Outcome,
} from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import type { SyncerContext } from '../context.ts';
import { patchHomeStatus } from '../pods/writes/home.ts';
import { isTerminal, type Pod, podSubject } from '../pods/types.ts';
import { evict, isOfPod, mustGo, REFUSED_MS, tellNotAsked } from './drain.ts';
import { asksToGo, leaseWords } from './lease-over.ts';

const LOOK_AGAIN_MS = 5000;

export interface Reclaim {
  /**
   * Asks every pod of the vnode to go that has not been asked yet, if it is time. Call again as the outcome says, and
   * when the record changes.
   * @param isStillTakenBack asked before each pod: the lease may be given back meanwhile. Default: it is not
   * @throws ApiError, ConnectionError for anything but a refusal by a disruption budget.
   */
  step(vnode: string, record: LeasedNode, isStillTakenBack?: () => boolean): Promise<Outcome>;
  /** A home pod is gone. */
  forget(uid: string | undefined): void;
}

/**
 * What a pod needs whose lease is taken back. `evict`: ask it to go. `explain`: it goes, and does not say yet why.
 * Nothing for what has ended, never runs on vnodes, or is ended by the worker already. Pure.
 */
export function stepFor(pod: KubeObject, workerPods: readonly KubeObject[]): 'evict' | 'explain' | undefined {
  if (isTerminal(pod) || !mustGo(pod, workerPods)) return undefined;
  const { uid, annotations, deletionTimestamp } = pod.metadata;
  const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: Condition[] };
  if (deletionTimestamp) {
    // Deleted by a user, it has no such condition, and says why it ends by itself.
    const disrupted = conditions.some(
      ({ type, status }) => type === PodCondition.disruptionTarget && status === 'True',
    );
    return disrupted && annotations?.[Annotation.leaseClosed] === undefined ? 'explain' : undefined;
  }
  const worker = workerPods.find(({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID] === uid);
  return worker?.metadata.deletionTimestamp ? undefined : 'evict';
}

/** @param clock milliseconds, monotonic */
export function createReclaim(context: SyncerContext, clock: () => number = () => performance.now()): Reclaim {
  const { stores, leadership, homeEvents, log } = context;
  /** UIDs of pods that were asked to go, and when: the watch may not show it yet. By `clock`. */
  const asked = new Map<string, number>();
  /** The same of those that a disruption budget kept. */
  const refused = new Map<string, number>();
  /** What those were told that go, by UID: one whose annotations are full never shows it. */
  const explained = new Map<string, string>();

  async function step(vnode: string, record: LeasedNode, isStillTakenBack = () => true): Promise<Outcome> {
    if (!asksToGo(record.status)) return undefined;
    // A vnode may have a thousand pods, and each is looked at whenever the record changes.
    const workerPods = Map.groupBy(
      stores.workerPods.byIndex('vnode', vnode),
      ({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID],
    );
    const words = leaseWords(record);
    let left = 0;
    let failure: ApiError | undefined;
    for (const listed of stores.homePods.byIndex('node', vnode)) {
      // Each of those before it took its time: it may be gone by now, or go for another reason.
      const pod = knownNow(listed);
      const kind = pod && stepFor(pod, workerPods.get(pod.metadata.uid) ?? []);
      if (!kind) continue;
      left++;
      const { uid = '' } = pod.metadata;
      if (kind === 'explain' && explained.get(uid) === words) continue;
      const now = clock();
      const before = asked.get(uid);
      if (kind === 'evict' && before !== undefined && now - before < LOOK_AGAIN_MS) continue;
      // A record changes with each pod of its node that goes.
      if (kind === 'evict' && now - (refused.get(uid) ?? -REFUSED_MS) < REFUSED_MS) continue;
      if (!leadership.isCurrent()) return { againInMs: 1000 };
      // What the record says now is looked at next.
      if (!isStillTakenBack()) break;
      try {
        if (kind === 'evict') {
          const why = await evict(context, pod);
          // Nobody would forget it a second time.
          if (!knownNow(pod)) continue;
          if (why !== undefined) {
            log.debug({ pod: pod.metadata.name, vnode, why }, 'a disruption budget keeps a pod whose lease closes');
            refused.set(uid, clock());
            continue;
          }
          refused.delete(uid);
          asked.set(uid, now);
          if (before === undefined) tell(pod, record);
        }
        await explain(pod, words);
      } catch (error) {
        // One pod that cannot be evicted (two budgets that cover it, a webhook) does not keep the others.
        if (!isOfPod(error)) throw error;
        failure ??= error;
        tellNotAsked(context, pod, error);
      }
    }
    if (failure) throw failure;
    return left > 0 ? { againInMs: LOOK_AGAIN_MS } : undefined;
  }

  /** The pod as it is known at this moment; undefined when it is gone, or another of its name. */
  function knownNow({ metadata }: KubeObject): KubeObject | undefined {
    const known = stores.homePods.get(keyOf({ metadata }));
    return known?.metadata.uid === metadata.uid ? known : undefined;
  }

  /**
   * Says on the pod why it goes: the Eviction API's own words name nobody. The annotation outlives them, and a record
   * that says something else by the time the pod has ended.
   */
  async function explain(pod: KubeObject, message: string): Promise<void> {
    const { uid } = pod.metadata;
    const condition: Condition = {
      type: PodCondition.disruptionTarget,
      status: 'True',
      reason: PodReason.leaseClosed,
      message,
      lastTransitionTime: rfc3339(context.now()),
    };
    const patch = {
      metadata: { uid, annotations: { [Annotation.leaseClosed]: message } },
      status: { conditions: [condition] },
    };
    try {
      await patchHomeStatus(context, pod as Pod, patch);
      if (uid !== undefined && knownNow(pod)) explained.set(uid, message);
    } catch (error) {
      // Others wrote it at the same time: at the next look again.
      if (!isConflict(error)) throw error;
    }
  }

  function tell(pod: KubeObject, record: LeasedNode): void {
    const { nodeName } = record.spec;
    log.info({ pod: keyOf(pod), node: nodeName }, 'home pod evicted: its lease closes');
    const text = `evicted: the lease of the worker node ${nodeName} is taken back (${leaseWords(record)})`;
    homeEvents.event(podSubject(pod), 'Warning', PodReason.leaseClosed, text);
  }

  return {
    step,
    forget(uid) {
      if (uid === undefined) return;
      asked.delete(uid);
      refused.delete(uid);
      explained.delete(uid);
    },
  };
}
