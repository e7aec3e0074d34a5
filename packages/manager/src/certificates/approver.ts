/** Approves the serving certificates of the proxiers, denies those of theirs that ask for too much, leaves all others. */
import { type ClusterBinding, KubeletServingSigner, Label, Namespace } from '@kubeocean/shared/api';
import { type Logger, logWatch } from '@kubeocean/shared/daemon';
import {
  apiVersionOf,
  CertificateSigningRequests,
  createReflector,
  isConflict,
  isNotFound,
  type KubeClient,
  type KubeObject,
  type Leadership,
  messageOf,
  type Outcome,
  Pods,
  type ReadonlyStore,
  WorkQueue,
} from '@kubeocean/shared/kube';
import { type Decision, decide, podNameOf, requestorOf, type SigningRequest } from './decide.ts';

export interface ApproverOptions {
  home: KubeClient;
  bindings: ReadonlyStore<ClusterBinding>;
  log: Logger;
  leadership: Leadership;
  now: () => Date;
  /** Monotonic, in milliseconds. Default: that of the machine. */
  clock?: () => number;
}

/** How often to look for the pod of a request, and for how long. */
const LOOK_AGAIN_MS = 500;
const GIVE_UP_MS = 60_000;

export function startApprover(options: ApproverOptions): { stop(): Promise<void> } {
  const { home, leadership, log, clock = () => performance.now() } = options;
  /** When each request was first seen to wait, by name: the time that it bears is of the API server's clock. */
  const waitingSince = new Map<string, number>();
  const requests = createReflector<SigningRequest>(home, {
    resource: CertificateSigningRequests,
    labelSelector: Label.clusterBinding,
    fieldSelector: `spec.signerName=${KubeletServingSigner}`,
    onError: logWatch(log, { kind: 'CertificateSigningRequest' }, 'watch failed'),
  });

  async function handle(name: string): Promise<Outcome> {
    const csr = requests.store.get(name);
    if (!csr || requestorOf(csr) === undefined) return undefined;
    const decision = await judge(csr);
    if (decision.verdict === 'ignore') return undefined;
    if (decision.verdict === 'wait') {
      const now = clock();
      const since = waitingSince.get(name) ?? now;
      waitingSince.set(name, since);
      if (now - since < GIVE_UP_MS) return { againInMs: LOOK_AGAIN_MS };
    }
    if (!leadership.isCurrent()) return { againInMs: 1000 };
    const approved = decision.verdict === 'approve';
    if (!(await write(csr, approved, decision.message))) return undefined;
    log[approved ? 'info' : 'warn']({ csr: name, why: decision.message }, approved ? 'approved' : 'denied');
    return undefined;
  }

  async function judge(csr: SigningRequest): Promise<Decision> {
    const name = podNameOf(csr);
    // Live: an address that was given back may be another pod's by now.
    const pod = name === undefined ? undefined : await readPod(name);
    return decide(csr, options.bindings.values(), pod);
  }

  async function readPod(name: string): Promise<KubeObject | undefined> {
    try {
      return await home.get(Pods, Namespace.system, name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** @returns false when somebody else decided, or it is gone: either comes back as a change. */
  async function write(csr: SigningRequest, approved: boolean, message: string): Promise<boolean> {
    const at = options
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
    const condition = {
      type: approved ? 'Approved' : 'Denied',
      status: 'True',
      reason: approved ? 'KubeoceanProxier' : 'KubeoceanRefused',
      message,
      lastUpdateTime: at,
    };
    try {
      await home.replace(
        CertificateSigningRequests,
        {
          apiVersion: apiVersionOf(CertificateSigningRequests),
          kind: CertificateSigningRequests.kind,
          ...csr,
          status: { ...csr.status, conditions: [condition] },
        },
        { subresource: 'approval' },
      );
      return true;
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      return false;
    }
  }

  const queue = new WorkQueue(handle, {
    workers: 4,
    onError: (csr, error) => log.warn({ csr, error: messageOf(error) }, 'certificate request not decided'),
  });
  requests.store.onChange(({ key, current }) => {
    if (!current) waitingSince.delete(key);
    queue.add(key);
  });
  queue.start();
  const running = requests.run(leadership.signal);
  return {
    async stop() {
      await queue.stop(5000);
      await running;
    },
  };
}
