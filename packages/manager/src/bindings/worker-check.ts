/**
 * Looks at the worker cluster of a binding with the binding's own credential: does it answer, does it know us, may we
 * what we need, is the mount namespace there, is an agent alive. Reads only.
 */
import { ChartName, type ClusterBinding, LeasedNodes } from '@kubeocean/shared/api';
import {
  ApiError,
  ConnectionError,
  isCertificateError,
  is404,
  type KubeClient,
  type KubeObject,
  type Lease,
  Leases,
  mayPass,
  Namespaces,
  SelfSubjectReviews,
} from '@kubeocean/shared/kube';
import { BindingProblem } from './problem.ts';
import { describeRights, metricsRights, missingRights, REQUIRED_RIGHTS } from './rights.ts';

/** Deadline of each call to a worker, in milliseconds. */
const CALL_MS = 8000;
/** The worker chart's admission policy needs it. */
const OLDEST_MINOR = 30;

/** By which Node says that a certificate is not valid at this time, whoever signed it. */
const OUT_OF_DATE = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** Who the worker cluster says that we are. */
export interface WorkerIdentity {
  user: string;
  /** What works all the same, but not in full, and why: a sentence for people. */
  shortcoming?: string;
}

/** When a heartbeat was last seen to change, on our own monotonic clock: other machines' clocks are not trusted. */
export interface Heartbeat {
  renewTime: string;
  changedAtMs: number;
}

/**
 * Everything, in the order in which a person would repair it.
 * @throws BindingProblem of stage `worker`.
 */
export async function checkWorker(client: KubeClient, binding: ClusterBinding): Promise<WorkerIdentity> {
  const identity = await checkIdentity(client, binding);
  const { mountNamespace } = binding.spec;
  const missing = await told(client, binding, () => missingRights(client, mountNamespace, CALL_MS));
  const exists = await namespaceExists(client, binding);
  if (exists === false || (exists === undefined && missing.length === REQUIRED_RIGHTS.length)) {
    throw namespaceProblem(binding, identity, exists);
  }
  if (missing.length > 0) {
    throw new BindingProblem(
      'worker',
      'RightsMissing',
      `"${identity.user}" of the kubeconfig in ${secretOf(binding)} lacks rights in namespace "${mountNamespace}" of the ` +
        `worker cluster: ${describeRights(missing)}. Upgrade the chart kubeocean-worker there, or give the account its Role`,
    );
  }
  return withShortcoming(client, binding, identity);
}

/**
 * What may have changed at a worker that passed {@link checkWorker}: whether it still answers and knows us, and whether what
 * was short is there by now.
 * @throws BindingProblem of stage `worker`.
 */
export async function checkAgain(
  client: KubeClient,
  binding: ClusterBinding,
  passed: WorkerIdentity,
): Promise<WorkerIdentity> {
  const identity = await checkIdentity(client, binding);
  return passed.shortcoming === undefined ? identity : withShortcoming(client, binding, identity);
}

async function withShortcoming(
  client: KubeClient,
  binding: ClusterBinding,
  identity: WorkerIdentity,
): Promise<WorkerIdentity> {
  const { mountNamespace } = binding.spec;
  const unmetered = await told(client, binding, () =>
    missingRights(client, mountNamespace, CALL_MS, metricsRights(identity.user)),
  );
  if (unmetered.length === 0) return identity;
  const shortcoming =
    `there are no metrics of its vnodes (kubectl top, autoscalers), because "${identity.user}" lacks ` +
    `${describeRights(unmetered)} there: upgrade the chart kubeocean-worker with this account among its tenants`;
  return { ...identity, shortcoming };
}

/** Whether the worker answers, is new enough and knows the credential. */
async function checkIdentity(client: KubeClient, binding: ClusterBinding): Promise<WorkerIdentity> {
  const version = await told(client, binding, () =>
    client.transport.call<{ minor?: string; gitVersion?: string }>({
      method: 'GET',
      path: '/version',
      timeoutMs: CALL_MS,
    }),
  );
  const gitVersion = version.gitVersion ?? 'unknown';
  if (Number.parseInt(version.minor ?? '', 10) < OLDEST_MINOR) {
    throw new BindingProblem(
      'worker',
      'VersionNotSupported',
      `the worker cluster at ${client.transport.server} runs Kubernetes ${gitVersion}, but at least 1.${OLDEST_MINOR} is needed: upgrade it`,
    );
  }
  const review = await told(client, binding, () =>
    client.create<KubeObject & { status?: { userInfo?: { username?: string } } }>(
      SelfSubjectReviews,
      { metadata: {} },
      { timeoutMs: CALL_MS },
    ),
  );
  return { user: review.status?.userInfo?.username ?? 'unknown' };
}

/**
 * Whether an agent serves the mount namespace.
 * @param known what an earlier call returned, if there was one.
 * @param monotonic our clock that never goes back, in milliseconds.
 * @param staleMs milliseconds without a change after which the agent counts as silent.
 * @throws BindingProblem of stage `agent`, or `worker` when it does not answer.
 */
export async function checkAgent(
  client: KubeClient,
  binding: ClusterBinding,
  known: Heartbeat | undefined,
  monotonic: () => number,
  staleMs: number,
): Promise<Heartbeat> {
  const { mountNamespace } = binding.spec;
  const install =
    `install the chart kubeocean-worker there (helm upgrade --install kubeocean-worker charts/kubeocean-worker) ` +
    `with namespace "${mountNamespace}" among its tenants`;
  const kind = await told(client, binding, () =>
    unless404(client.list(LeasedNodes, { namespace: mountNamespace, limit: 1 }, { timeoutMs: CALL_MS })),
  );
  if (!kind) {
    throw new BindingProblem(
      'agent',
      'AgentNotInstalled',
      `the worker cluster at ${client.transport.server} does not know the kind LeasedNode: ${install}`,
    );
  }
  // An answer may take seconds, which are no silence: it is as old as its question, and what is new in it as its end.
  const askedAtMs = monotonic();
  const lease = await told(client, binding, () =>
    unless404(client.get<Lease>(Leases, mountNamespace, ChartName.agent, { timeoutMs: CALL_MS })),
  );
  if (!lease) {
    throw new BindingProblem(
      'agent',
      'AgentNotInstalled',
      `no worker-agent has ever served namespace "${mountNamespace}" of the worker cluster at ${client.transport.server} ` +
        `(it has no Lease "${ChartName.agent}"): ${install}, and see that its pods run`,
    );
  }
  const renewTime = lease.spec?.renewTime ?? '';
  if (known?.renewTime !== renewTime) return { renewTime, changedAtMs: monotonic() };
  if (askedAtMs - known.changedAtMs > staleMs) {
    throw new BindingProblem(
      'agent',
      'AgentStale',
      `the worker-agent of namespace "${mountNamespace}" of the worker cluster at ${client.transport.server} has been ` +
        `silent since ${renewTime}: see its pods there (kubectl -n kubeocean-agent get pods)`,
    );
  }
  return known;
}

function secretOf(binding: ClusterBinding): string {
  return `Secret ${binding.spec.secretRef.namespace}/${binding.spec.secretRef.name}`;
}

/** undefined: we may not ask. */
async function namespaceExists(client: KubeClient, binding: ClusterBinding): Promise<boolean | undefined> {
  try {
    const found = await told(client, binding, () =>
      unless404(client.get(Namespaces, '', binding.spec.mountNamespace, { timeoutMs: CALL_MS })),
    );
    return found !== undefined;
  } catch (error) {
    if (error instanceof BindingProblem && error.reason === 'WorkerRefused') return undefined;
    throw error;
  }
}

function namespaceProblem(
  binding: ClusterBinding,
  identity: WorkerIdentity,
  exists: false | undefined,
): BindingProblem {
  const { mountNamespace } = binding.spec;
  const what =
    exists === false
      ? `spec.mountNamespace "${mountNamespace}" does not exist in the worker cluster`
      : `"${identity.user}" of the kubeconfig in ${secretOf(binding)} has no right at all in spec.mountNamespace ` +
        `"${mountNamespace}" of the worker cluster: either that namespace does not exist there, or it belongs to another account`;
  return new BindingProblem(
    'worker',
    'MountNamespaceMissing',
    `${what}. Add it to the tenants of the chart kubeocean-worker there, or create this ClusterBinding again with the ` +
      `namespace of the kubeconfig's account (mountNamespace cannot be changed)`,
  );
}

async function unless404<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (is404(error)) return undefined;
    throw error;
  }
}

/** Turns what a call threw into words that name the Secret, the server and the next step. */
async function told<T>(client: KubeClient, binding: ClusterBinding, call: () => Promise<T>): Promise<T> {
  const { server } = client.transport;
  try {
    return await call();
  } catch (error) {
    const problem = workerProblem(error, server, secretOf(binding));
    throw problem ?? error;
  }
}

/** @returns undefined for an error that is not about the worker. */
export function workerProblem(error: unknown, server: string, secret: string): BindingProblem | undefined {
  const again = 'make a new kubeconfig (scripts/kubeconfig.sh) and replace the Secret';
  if (isCertificateError(error)) {
    const { code, message } = error as ConnectionError;
    const wayOut = OUT_OF_DATE.has(code)
      ? `see the clocks of both clusters, and renew it there; nothing in ${secret} need change, unless the CA is another by then`
      : `certificate-authority-data in ${secret} is not the CA of that server, or the address is not in its certificate; ${again}`;
    return new BindingProblem(
      'worker',
      'CertificateNotTrusted',
      `the certificate of the worker's API server at ${server} is not trusted (${code}: ${cause(message, server).split(';')[0]}): ${wayOut}`,
    );
  }
  if (error instanceof ConnectionError) {
    return new BindingProblem(
      'worker',
      'WorkerUnreachable',
      `the worker's API server at ${server} (from ${secret}) does not answer: ${cause(error.message, server)}. See that ` +
        `it runs and that pods of this cluster can reach the address; it is tried again by itself`,
    );
  }
  if (!(error instanceof ApiError)) return undefined;
  if (error.code === 401) {
    return new BindingProblem(
      'worker',
      'CredentialRejected',
      `the worker's API server at ${server} rejects the credential in ${secret} (401 Unauthorized): it is wrong, has ` +
        `expired or was revoked; ${again}`,
    );
  }
  if (error.code === 403 && /"system:anonymous"/.test(error.message)) {
    return new BindingProblem(
      'worker',
      'CredentialRejected',
      `the worker's API server at ${server} does not know the client certificate in ${secret}: it was signed by another ` +
        `CA; ${again}`,
    );
  }
  return new BindingProblem(
    'worker',
    mayPass(error) ? 'WorkerUnreachable' : 'WorkerRefused',
    `the worker's API server at ${server} (from ${secret}) answered ${error.code}: ${error.message.slice(0, 512)}`,
  );
}

/** ConnectionError begins with the server, which the sentence has named already. */
function cause(message: string, server: string): string {
  return message.startsWith(`${server}: `) ? message.slice(server.length + 2) : message;
}
