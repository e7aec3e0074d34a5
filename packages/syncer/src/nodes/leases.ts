/**
 * The Leases by which the home cluster sees that its vnodes live: one per vnode in kube-node-lease, renewed every 10 s,
 * each at its own moment so that a thousand of them do not come at once.
 */
import { Namespace, Seconds } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, type Lease, Leases, microTime, WorkQueue } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { fnv1a } from './ports.ts';

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

const CALL = { timeoutMs: 5000, retry: false, metadataOnly: true } as const;

export function createVnodeLeases(context: SyncerContext, options: VnodeLeaseOptions): VnodeLeases {
  const { home, stores } = context;
  const renewed = new Set<string>();
  const everyMs = Seconds.renewEvery * 1000;
  // A failed renewal comes back within seconds: the Lease lasts for four turns.
  const queue = new WorkQueue(renew, { ...context.queue('vnode-leases'), workers: 8, maxDelayMs: 5000 });

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
    if (renewed.has(vnode)) return { againInMs: everyMs };
    // The second renewal spreads them: any time within one turn.
    renewed.add(vnode);
    return { againInMs: 1000 + (fnv1a(vnode) % (everyMs - 1000)) };
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

/** Owned by its Node, as a kubelet's is: it goes when the Node goes. */
function metadataOf(node: KubeObject) {
  return {
    namespace: Namespace.nodeLease,
    name: node.metadata.name,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid ?? '' }],
  };
}
