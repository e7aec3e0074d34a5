/**
 * A binding of a test's own with one vnode (worker-1's node1) and a syncer from source that is killed and started at
 * will. The lease is written by hand into a mount namespace of the test's own: no agent has a part in it.
 */
import {
  type ClusterBinding,
  ClusterBindings,
  Label,
  tokenSecretName,
  vnodeName,
  workerName,
} from '@kubeocean/shared/api';
import {
  ConfigMaps,
  createReflector,
  Events,
  isNotFound,
  type KubeClient,
  type KubeObject,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  Secrets,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import {
  type ApiServer,
  absent,
  cleanup,
  client,
  forgetBinding,
  heartOf,
  isReady,
  kubeconfigOf,
  lendByHand,
  lentStatus,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';

export { isReady } from '../harness/index.ts';

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface Pod extends KubeObject {
  spec: { nodeName?: string; containers: Record<string, unknown>[]; [field: string]: unknown };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: Condition[];
    containerStatuses?: { restartCount: number; containerID?: string; state?: Record<string, unknown> }[];
  };
}

export interface RigOptions {
  /** More flags of the syncer. */
  flags?: readonly string[];
  /** How it comes to lead; default: alone. */
  election?: readonly string[];
  /** Kubeconfigs of the syncer, when not the clusters' own. */
  kubeconfig?: string;
  workerKubeconfig?: string;
  /** Namespace of the pods at home; default: a new one. */
  homeNamespace?: string;
  /** Default: a new one. */
  mountNamespace?: string;
  /** Default: a new one. */
  bindingName?: string;
  /** The computing cluster, when it is an API server of the test's own that goes with the test; no controller runs there. */
  homeServer?: ApiServer;
  /** What is lent of node1. */
  allocatable?: Record<string, string>;
}

export interface PodRig {
  readonly home: KubeClient;
  readonly worker: KubeClient;
  readonly homeNamespace: string;
  readonly mountNamespace: string;
  readonly bindingName: string;
  readonly bindingUID: string;
  readonly vnode: string;
  readonly syncer: RunningProcess;
  /** UIDs of the worker pods ever seen, by UID of the home pod they were made for. */
  readonly made: ReadonlyMap<string, ReadonlySet<string>>;
  start(): void;
  kill(): Promise<void>;
  create(name: string, spec: Record<string, unknown>, metadata?: Record<string, unknown>): Promise<Pod>;
  /** A pod for the vnode, with a ServiceAccount token as every pod has. */
  spec(script: string, more?: Record<string, unknown>, container?: Record<string, unknown>): Record<string, unknown>;
  atHome(name: string): Promise<Pod>;
  inWorker(name: string): Promise<Pod>;
  workerName(name: string, kind?: 'configmap' | 'secret'): string;
  tokenSecret(pod: Pod): string;
  ready(name: string): Promise<Pod>;
  /** Waits until the pod has this phase at home. */
  phase(name: string, phase: string): Promise<Pod>;
  /** Both pods gone. */
  gone(name: string): Promise<void>;
  /** Message of the event with this reason on the home pod. */
  event(name: string, reason: string): Promise<string>;
  /** Names of this binding's objects in the mount namespace. */
  copies(resource: Resource): Promise<string[]>;
  binding(): Promise<ClusterBinding>;
}

/** Longest that anything may take on a busy machine. */
export const SLOW_MS = 120_000;

/** Runs until it is told to end, which it does at once. */
export const FOREVER = 'trap "exit 0" TERM; sleep 100000 & wait';

export function conditionOf(pod: Pod, type: string): Condition | undefined {
  return pod.status?.conditions?.find((each) => each.type === type);
}

/** Call it in a hook; everything is taken away after the file's last test. */
export async function podRig(prefix: string, options: RigOptions = {}): Promise<PodRig> {
  const home = options.homeServer?.client() ?? client('computing');
  const worker = client('worker-1');
  const bindingName = options.bindingName ?? uniqueName(prefix);
  const clusterID = uniqueName('r');
  const homeNamespace = options.homeNamespace ?? uniqueName(prefix);
  const mountNamespace = options.mountNamespace ?? uniqueName(prefix);
  const vnode = vnodeName(clusterID, 'node1');
  const made = new Map<string, Set<string>>();
  let syncer: RunningProcess;

  await ensureNamespace(home, homeNamespace);
  await ensureNamespace(worker, mountNamespace);
  const binding = await home.create<ClusterBinding>(ClusterBindings, {
    metadata: { name: bindingName },
    spec: { clusterID, mountNamespace, secretRef: { name: 'none', namespace: 'kubeocean-system' } },
  });
  const bindingUID = binding.metadata.uid ?? '';
  const allocatable = options.allocatable ?? { cpu: '2', memory: '4Gi', pods: '60' };
  await lendByHand(worker, mountNamespace, bindingName, 'node1', lentStatus(allocatable));
  await heartOf(worker, mountNamespace).start();
  watchMade();
  const rig: PodRig = {
    home,
    worker,
    homeNamespace,
    mountNamespace,
    bindingName,
    bindingUID,
    vnode,
    made,
    get syncer() {
      return syncer;
    },
    start() {
      syncer = startProcess('syncer', [
        `--kubeconfig=${options.kubeconfig ?? options.homeServer?.kubeconfig ?? kubeconfigOf('computing')}`,
        `--worker-kubeconfig=${options.workerKubeconfig ?? kubeconfigOf('worker-1')}`,
        `--cluster-binding-name=${bindingName}`,
        ...(options.election ?? ['--leader-elect=false']),
        ...(options.flags ?? []),
      ]);
    },
    async kill() {
      await syncer.kill();
    },
    create: (name, spec, metadata = {}) =>
      home.create<Pod>(Pods, { metadata: { name, namespace: homeNamespace, ...metadata }, spec }),
    spec: (script, more = {}, container = {}) => ({
      nodeSelector: { [Label.clusterBinding]: bindingName },
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'main',
          image: 'busybox:1.35',
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          ...container,
        },
      ],
      ...more,
    }),
    atHome: (name) => home.get<Pod>(Pods, homeNamespace, name),
    inWorker: (name) => worker.get<Pod>(Pods, mountNamespace, rig.workerName(name)),
    workerName: (name, kind) => workerName(bindingUID, homeNamespace, name, kind),
    tokenSecret: ({ metadata }) => tokenSecretName(bindingUID, homeNamespace, metadata.name, metadata.uid ?? ''),
    ready: (name) => seen(name, 'ready', isReady),
    phase: (name, phase) => seen(name, phase, (pod) => pod.status?.phase === phase),
    async gone(name) {
      await absent(`home pod ${name}`, () => rig.atHome(name));
      await absent(`worker pod of ${name}`, () => rig.inWorker(name));
    },
    async event(name, reason) {
      const event = await waitFor(
        `event ${reason} on ${name}`,
        async () => {
          const { items } = await home.list<
            KubeObject & { reason: string; message: string; involvedObject: { name: string } }
          >(Events, { namespace: homeNamespace });
          return items.find((item) => item.involvedObject.name === name && item.reason === reason);
        },
        { timeoutMs: SLOW_MS },
      );
      return event.message;
    },
    async copies(resource) {
      const labelSelector = `${Label.bindingUID}=${bindingUID}`;
      const { items } = await worker.list(resource, { namespace: mountNamespace, labelSelector });
      return items.map((item) => item.metadata.name);
    },
    binding: () => home.get<ClusterBinding>(ClusterBindings, '', bindingName),
  };

  function seen(name: string, what: string, is: (pod: Pod) => boolean): Promise<Pod> {
    return waitFor(
      `${name} ${what}`,
      async () => {
        const pod = await rig.atHome(name);
        if (is(pod)) return pod;
        throw new Error(JSON.stringify(pod.status));
      },
      { timeoutMs: SLOW_MS },
    );
  }

  function watchMade(): void {
    const stop = new AbortController();
    const watch = createReflector<Pod>(worker, { resource: Pods, namespace: mountNamespace });
    watch.store.onChange(({ current }) => {
      const uid = current?.metadata.annotations?.['kubeocean.io/virtual-pod-uid'];
      if (!current || !uid) return;
      made.set(uid, (made.get(uid) ?? new Set()).add(current.metadata.uid ?? ''));
    });
    void watch.run(stop.signal);
    cleanup(() => stop.abort());
  }

  rig.start();
  cleanup(() => removeRig(rig));
  await waitFor(
    'vnode ready',
    async () => isReady(await home.get<KubeObject & { status: { conditions?: Condition[] } }>(Nodes, '', vnode)),
    { timeoutMs: SLOW_MS },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${syncer.tail()}`, { cause: error });
  });
  if (options.homeServer) {
    await home.create(ServiceAccounts, { metadata: { name: 'default', namespace: homeNamespace } });
  }
  // Without it no pod is admitted, in the worker either: a controller makes it.
  for (const [cluster, namespace] of [
    [home, homeNamespace],
    [worker, mountNamespace],
  ] as const) {
    await waitFor('default ServiceAccount', () => cluster.get(ServiceAccounts, namespace, 'default'), {
      timeoutMs: SLOW_MS,
    });
  }
  return rig;
}

async function ensureNamespace(cluster: KubeClient, name: string): Promise<void> {
  try {
    await cluster.get(Namespaces, '', name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await cluster.create(Namespaces, { metadata: { name } });
    cleanup(() => cluster.delete(Namespaces, '', name));
  }
}

async function removeRig({ syncer, bindingName, vnode, homeNamespace, mountNamespace, home }: PodRig): Promise<void> {
  await syncer.kill();
  await forgetBinding({ binding: bindingName, vnodes: [vnode], homeNamespace, mountNamespace, home });
}

/** Of this binding there is nothing in the mount namespace any more. */
export async function nothingLeft(rig: PodRig): Promise<void> {
  await waitFor(
    'an empty mount namespace',
    async () => {
      const left = await Promise.all([Pods, Secrets, ConfigMaps].map((resource) => rig.copies(resource)));
      expect(left.flat()).toEqual([]);
      return true;
    },
    { timeoutMs: SLOW_MS },
  );
}
