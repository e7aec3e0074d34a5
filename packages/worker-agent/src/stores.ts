/** The agent's view of the worker cluster: one reflector per kind; claims and records per mount namespace. */
import {
  ChartName,
  Label,
  type LeasedNode,
  type LeaseGuard,
  LeaseGuards,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import { type Logger, logWatch } from '@kubeocean/shared/daemon';
import {
  createReflector,
  type KubeClient,
  type KubeObject,
  Leases,
  Nodes,
  Pods,
  type ReadonlyStore,
  type Reflector,
  type ReflectorOptions,
  ValidatingAdmissionPolicies,
  ValidatingAdmissionPolicyBindings,
} from '@kubeocean/shared/kube';
import type { PodForRequests, Tenant, WorkerNode } from '@kubeocean/shared/lease';
import { ClaimBound } from './claims/bound.ts';
import type { AdmissionPolicy, AdmissionPolicyBinding } from './guard/policies.ts';
import { type FollowedStore, LostTenants } from './lost-tenants.ts';
import { matters, projectClaim, projectNode, projectPod } from './projections.ts';

/**
 * Nodes and pods a page. Little is kept of them, so that a page as it arrives is what takes memory, and a process keeps
 * what it once took: of 5,000 pods of 10 kB, by pages of 500 it took 213 MB, by pages of 50 it takes 121 MB.
 */
const PAGE_SIZE = 50;

export interface AgentStores {
  nodes: ReadonlyStore<WorkerNode>;
  pods: ReadonlyStore<PodForRequests>;
  policies: ReadonlyStore<ResourceLeasingPolicy>;
  /** One per mount namespace: the agent has rights on these kinds nowhere else. Records have the index `node`. */
  records: ReadonlyStore<LeasedNode>[];
  claims: ReadonlyStore<KubeObject>[];
  /** What says which nodes are open for new pods, per mount namespace. */
  guards: ReadonlyStore<LeaseGuard>[];
  /** Admission policies of the cluster, ours among them, and what puts them in force. */
  admissionPolicies: ReadonlyStore<AdmissionPolicy>;
  admissionPolicyBindings: ReadonlyStore<AdmissionPolicyBinding>;
  /**
   * Resolves when every store holds a complete list, but for those of tenants that are gone or frozen. Nothing may be
   * written before.
   */
  synced: Promise<unknown>;
  /**
   * Whether the tenant's namespace was deleted: it is to be treated as if it were no tenant, whatever the stores hold of it, so
   * that the others are not left alone.
   */
  isGone(namespace: string): boolean;
  /**
   * Whether the tenant's namespace is there, but cannot be read, or not all of it: what is claimed there is not known or out
   * of date, and nothing may be written there.
   */
  isFrozen(namespace: string): boolean;
  /** Of a frozen one, what keeps it from being read where that is not the want of a right, in words. */
  whyFrozen(namespace: string): string | undefined;
  /** Kinds that a replica keeps whether it leads or not and that are not complete yet, for the readiness probe. */
  missing(): string[];
  /** Watches all but pods until the signal aborts: what a replica that stands by keeps, for metrics and to lead at once. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Watches pods too, until the signal aborts. Only the one that leads needs them, and they are what costs: every change of
   * every pod of the cluster.
   */
  runPods(signal: AbortSignal): Promise<void>;
}

/** What the reflector of pods is filed under. */
const PODS = 'pods';

/** Makes the stores; `onChange` is called for every change that could change what is lent. */
export function createStores(
  client: KubeClient,
  tenants: readonly Tenant[],
  log: Logger,
  onChange: () => void,
  clock: () => number = () => performance.now(),
): AgentStores {
  const reflectors = new Map<string, { reflector: Reflector<KubeObject>; namespace: string | undefined }>();
  const lookAfter = new LostTenants({ client, log, onChange, clock });
  const isLost = (namespace: string) => lookAfter.isGone(namespace) || lookAfter.isFrozen(namespace);
  function reflect<T extends KubeObject>(kind: string, options: ReflectorOptions<T>, fields: readonly string[]) {
    const { namespace } = options;
    let followed: FollowedStore | undefined;
    const reflector = createReflector<T>(client, {
      ...options,
      onError(error, doing, isNews) {
        logWatch(log, { kind }, 'the watch failed and goes on')(error, doing, isNews);
        if (namespace && followed) lookAfter.failed(namespace, followed, error);
      },
      onContact() {
        if (namespace && followed) lookAfter.answered(namespace, followed);
      },
    });
    if (namespace) followed = lookAfter.follow(namespace, reflector.store.synced);
    reflector.store.onChange((change) => {
      if (matters(change, fields)) onChange();
    });
    void reflector.store.synced.then(onChange);
    reflectors.set(kind, { reflector, namespace });
    return reflector.store;
  }

  const nodes = reflect<WorkerNode>('nodes', { resource: Nodes, project: projectNode, pageSize: PAGE_SIZE }, [
    'spec',
    'status',
  ]);
  const pods = reflect<PodForRequests>(
    PODS,
    { resource: Pods, fieldSelector: 'spec.nodeName!=', project: projectPod, pageSize: PAGE_SIZE },
    ['spec', 'status'],
  );
  const policies = reflect<ResourceLeasingPolicy>('policies', { resource: ResourceLeasingPolicies }, ['spec']);
  const records = tenants.map(({ namespace }) =>
    reflect<LeasedNode>(
      `records in ${namespace}`,
      { resource: LeasedNodes, namespace, indexes: { node: ({ spec }) => [spec.nodeName] } },
      ['spec', 'status'],
    ),
  );
  const claims = tenants.map(({ namespace }) => {
    const bound = new ClaimBound((most) =>
      log.warn({ namespace, most }, 'a tenant has more claims than are looked at: delete those that serve nobody'),
    );
    const store = reflect<KubeObject>(
      `claims in ${namespace}`,
      {
        resource: Leases,
        namespace,
        labelSelector: `${Label.claim}=true`,
        project: (object) => (bound.admits(object) ? projectClaim(object) : undefined),
        pageSize: PAGE_SIZE,
      },
      [],
    );
    bound.follow(store);
    return store;
  });
  const guards = tenants.map(({ namespace }) =>
    reflect<LeaseGuard>(
      `guards in ${namespace}`,
      { resource: LeaseGuards, namespace, fieldSelector: `metadata.name=${ChartName.leaseGuard}` },
      ['spec'],
    ),
  );
  const admissionPolicies = reflect<AdmissionPolicy>(
    'admission policies',
    { resource: ValidatingAdmissionPolicies, project: ofOurs },
    ['spec'],
  );
  const admissionPolicyBindings = reflect<AdmissionPolicyBinding>(
    'bindings of admission policies',
    { resource: ValidatingAdmissionPolicyBindings, project: ofOurs },
    ['spec'],
  );
  return {
    nodes,
    pods,
    policies,
    records,
    claims,
    guards,
    admissionPolicies,
    admissionPolicyBindings,
    synced: Promise.all([
      ...[nodes, pods, policies, admissionPolicies, admissionPolicyBindings].map((store) => store.synced),
      ...tenants.map(({ namespace }) => lookAfter.syncedOrLost(namespace)),
    ]),
    isGone: (namespace) => lookAfter.isGone(namespace),
    isFrozen: (namespace) => lookAfter.isFrozen(namespace),
    whyFrozen: (namespace) => lookAfter.whyFrozen(namespace),
    missing() {
      return [...reflectors]
        .filter(([kind, { reflector, namespace }]) => {
          const isExcused = kind === PODS || (namespace !== undefined && isLost(namespace));
          return !isExcused && !reflector.store.hasSynced;
        })
        .map(([kind]) => kind);
    },
    async run(signal) {
      const standing = [...reflectors].filter(([kind]) => kind !== PODS);
      await Promise.all(standing.map(([, { reflector }]) => reflector.run(signal)));
    },
    async runPods(signal) {
      await reflectors.get(PODS)?.reflector.run(signal);
    },
  };
}

/** The object when it bears the name of one of the chart's admission policies. */
function ofOurs<T extends KubeObject>(object: KubeObject): T | undefined {
  return ChartName.admissionPolicies.some((name) => name === object.metadata.name) ? (object as T) : undefined;
}
