/**
 * The Leases by which the home cluster sees that its vnodes live: one per vnode in kube-node-lease, renewed every 10 s, all
 * in one go and a few at a time. Each at a moment of its own would cost this process three times as much, as it would be
 * woken, with all that it needs out of the processor's caches, for every one of them.
 */
import { Namespace, Seconds } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, type Lease, Leases, microTime, WorkQueue } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';

export interface VnodeLeases {
  start(): void;
  stop(): Promise<void>;
  /** Deletes the Lease of a vnode that is gone. @throws ApiError, ConnectionError */
  remove(vnode: string): Promise<void>;
}

export interface VnodeLeaseOptions {
  /** The Node that the Lease is renewed for; undefined ends its renewals. */
  nodeOf: (vnode: string) => KubeObject | undefined;
  /** Let the Leases lapse for now. */
  paused: () => boolean;
}

const EVERY_MS = Seconds.renewEvery * 1000;
/** Renewals under way at the same time: a thousand vnodes must not be a thousand calls at once. */
const AT_A_TIME = 8;
const CALL = { timeoutMs: 5000, retry: false, metadataOnly: true } as const;

export function createVnodeLeases(context: SyncerContext, options: VnodeLeaseOptions): VnodeLeases {
  const { home, stores } = context;
  const renewed = new Set<string>();
  // A failed renewal comes back within seconds: the Lease lasts for four turns.
  const queue = new WorkQueue(renew, { ...context.queue('vnode-leases'), workers: AT_A_TIME, maxDelayMs: 5000 });

  async function renew(vnode: string): Promise<{ againInMs: number } | undefined> {
    const node = options.nodeOf(vnode);
    if (!node || node.metadata.deletionTimestamp) {
      renewed.delete(vnode);
      return undefined;
    }
    if (!context.leadership.isCurrent() || options.paused()) return { againInMs: 2000 };
    const spec = {
      holderIdentity: vnode,
      leaseDurationSeconds: Seconds.leaseDuration,
      renewTime: microTime(context.now()),
    };
    try {
      await home.patch<Lease>(Leases, Namespace.nodeLease, vnode, { spec }, CALL);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await home.create<Lease>(Leases, { metadata: metadataOf(node), spec }, CALL);
    }
    renewed.add(vnode);
    return { againInMs: untilNextTurn(performance.now()) };
  }

  let forget: (() => void) | undefined;
  return {
    start() {
      for (const vnode of stores.vnodes.keys()) queue.add(vnode);
      forget = stores.vnodes.onChange(({ key, previous, current }) => {
        if (current && (!previous || !renewed.has(key))) queue.add(key);
      });
      queue.start();
    },
    async stop() {
      forget?.();
      await queue.stop(2000);
    },
    async remove(vnode) {
      renewed.delete(vnode);
      try {
        await home.delete(Leases, Namespace.nodeLease, vnode, CALL);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}

/**
 * Milliseconds until the next renewal of one that was just renewed: at the turn that is the same for all vnodes.
 * @param nowMs monotonic, in milliseconds since this process started: several syncers do not take their turns together
 */
export function untilNextTurn(nowMs: number): number {
  return EVERY_MS - (nowMs % EVERY_MS);
}

/** Owned by its Node, as a kubelet's is: it goes when the Node goes. */
function metadataOf(node: KubeObject) {
  return {
    namespace: Namespace.nodeLease,
    name: node.metadata.name,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid ?? '' }],
  };
}
