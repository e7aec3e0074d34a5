/** What the worker's agent writes, by hand: for tests in which no agent has a part. */
import {
  ChartName,
  Label,
  type LeasedNode,
  LeasedNodes,
  type LeasedNodeStatus,
  leasedNodeName,
  Seconds,
} from '@kubeocean/shared/api';
import { type KubeClient, Leases, microTime } from '@kubeocean/shared/kube';
import { cleanup } from './cleanup.ts';

const BEAT_MS = 2000;

/** The agent's sign of life in one mount namespace. */
export interface Heart {
  /** Once, now. */
  beat(): Promise<void>;
  /** Now, which may fail, and from then on until `stop` or the end of the file. */
  start(): Promise<void>;
  stop(): void;
  /** Resolves when a beat that was under way at `stop` is over: it would come after what is done then. */
  over(): Promise<void>;
}

export function heartOf(worker: KubeClient, namespace: string): Heart {
  let timer: NodeJS.Timeout | undefined;
  let beating = Promise.resolve();
  async function beat(): Promise<void> {
    const spec = {
      holderIdentity: 'by-hand',
      leaseDurationSeconds: Seconds.leaseDuration,
      renewTime: microTime(new Date()),
    };
    await worker.apply(Leases, { metadata: { name: ChartName.agent, namespace }, spec }, 'e2e');
  }
  function stop(): void {
    clearInterval(timer);
    timer = undefined;
  }
  cleanup(stop);
  return {
    beat,
    async start() {
      await beat();
      // A beat that fails is followed by the next: the API server may be one that a test takes away.
      timer ??= setInterval(() => {
        beating = beat().catch(() => undefined);
      }, BEAT_MS);
    },
    stop,
    over: () => beating,
  };
}

/** Status of a node that is lent, with nothing out of the ordinary. */
export function lentStatus(allocatable: Record<string, string>): LeasedNodeStatus {
  return {
    phase: 'Active',
    allocatable,
    node: {
      labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
      innerIP: '10.0.0.1',
    },
  };
}

/** Writes the record of a lease. @param namespace the mount namespace */
export async function lendByHand(
  worker: KubeClient,
  namespace: string,
  bindingName: string,
  nodeName: string,
  status: LeasedNodeStatus,
  policy = 'by-hand',
): Promise<void> {
  const name = leasedNodeName(bindingName, nodeName);
  await worker.create<LeasedNode>(LeasedNodes, {
    metadata: { name, namespace, labels: { [Label.clusterBinding]: bindingName } },
    spec: { cluster: bindingName, nodeName, nodeUID: `uid-of-${nodeName}`, policy },
  });
  await worker.patch(LeasedNodes, namespace, name, { status }, { subresource: 'status' });
}
