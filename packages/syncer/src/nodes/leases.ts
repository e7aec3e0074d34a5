/**
 * The Leases by which the home cluster sees that its vnodes live: one per vnode in kube-node-lease, renewed every 10 s, all
 * in one go and a few at a time. Each at a moment of its own would cost this process three times as much, as it would be
 * woken, with all that it needs out of the processor's caches, for every one of them.
 */
import { Finalizer, Namespace, Seconds } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, type Lease, Leases, microTime, WorkQueue } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { createLeasePace, MOST_AT_ONCE } from './lease-pace.ts';

export interface VnodeLeases {
  /** Begins to renew, as soon as the vnodes are known. Again, it does nothing. */
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
  /** Monotonic, in milliseconds since this process started. */
  clock?: () => number;
}

const EVERY_MS = Seconds.renewEvery * 1000;
const CALL = { timeoutMs: 5000, retry: false, metadataOnly: true } as const;

export function createVnodeLeases(context: SyncerContext, options: VnodeLeaseOptions): VnodeLeases {
  const { home, stores } = context;
  const clock = options.clock ?? (() => performance.now());
  // Syncers that were started together, with their node or a new image, are not to take all their turns together.
  const phaseMs = Math.random() * EVERY_MS;
  const renewed = new Set<string>();
  /** When the next renewal of a vnode is due, in monotonic milliseconds; none is known of one that has just failed. */
  const due = new Map<string, number>();
  const pace = createLeasePace(EVERY_MS);
  let underWay = 0;
  // A failed renewal comes back within seconds: the Lease lasts for four turns.
  const queue = new WorkQueue(turn, {
    ...context.queue('vnode-leases'),
    workers: MOST_AT_ONCE,
    mayBegin: () => underWay < pace.limit,
    maxDelayMs: 5000,
  });

  async function turn(vnode: string): Promise<{ againInMs: number } | undefined> {
    underWay++;
    try {
      const dueMs = due.get(vnode);
      if (dueMs !== undefined) pace.begins(dueMs, clock());
      due.delete(vnode);
      return await renew(vnode);
    } finally {
      underWay--;
    }
  }

  async function renew(vnode: string): Promise<{ againInMs: number } | undefined> {
    const node = options.nodeOf(vnode);
    if (!node || isGoing(node)) {
      renewed.delete(vnode);
      return undefined;
    }
    if (!context.leadership.isCurrent() || options.paused()) return { againInMs: 2000 };
    const spec = {
      holderIdentity: vnode,
      leaseDurationSeconds: Seconds.leaseDuration,
      renewTime: microTime(context.leadership.leaseTime()),
    };
    try {
      await home.patch<Lease>(Leases, Namespace.nodeLease, vnode, { spec }, CALL);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await home.create<Lease>(Leases, { metadata: metadataOf(node), spec }, CALL);
    }
    renewed.add(vnode);
    const now = clock();
    const againInMs = untilNextTurn(now, phaseMs);
    due.set(vnode, now + againInMs);
    return { againInMs };
  }

  let forget: (() => void) | undefined;
  return {
    start() {
      if (forget) return;
      const now = clock();
      for (const vnode of stores.vnodes.keys()) {
        due.set(vnode, now);
        queue.add(vnode);
      }
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
 * @param nowMs monotonic, in milliseconds
 * @param phaseMs when the first turn is, by the same clock: below the length of a turn
 */
export function untilNextTurn(nowMs: number, phaseMs = 0): number {
  return EVERY_MS - ((nowMs - phaseMs + EVERY_MS) % EVERY_MS);
}

/** One that is deleted and waits, for its pods or for news of its lease, lives: its pods must not be taken for lost. */
function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && !metadata.finalizers?.includes(Finalizer.vnode);
}

/** Owned by its Node, as a kubelet's is: it goes when the Node goes. */
function metadataOf(node: KubeObject) {
  return {
    namespace: Namespace.nodeLease,
    name: node.metadata.name,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid ?? '' }],
  };
}
