/**
 * NetworkPolicies of home, which do not hold where the pods of vnodes run: whoever counts on one is told so, on the policy
 * and on the pod. That is all that is done about them.
 */
import { firstFew, type LabelSelector } from '@kubeocean/shared/api';
import { logWatch } from '@kubeocean/shared/daemon';
import {
  apiVersionOf,
  createReflector,
  keyOf,
  type KubeObject,
  NetworkPolicies,
  type ReadonlyStore,
} from '@kubeocean/shared/kube';
import { matchesLabels } from '@kubeocean/shared/lease';
import type { SyncerContext } from '../../context.ts';
import { controllerOf, isTerminal, type Pod, podSubject } from '../types.ts';

const NOT_ENFORCED = 'NetworkPolicyNotEnforced';

/** What is kept of a policy. */
export interface NetworkPolicy extends KubeObject {
  spec: { podSelector: LabelSelector };
}

export interface NetworkPolicyWatch {
  /** Tells of the policies that select a pod which was made in the worker: once for each workload, and each policy. */
  made(home: Pod): void;
}

/** Workloads and policies that were told of; beyond as many all are forgotten, and may be told of again. */
const TOLD_MOST = 10_000;
/** Policies that are named to a pod. */
const NAMED_MOST = 5;

/** Whether the policy isolates the pod. An empty selector means all pods of the namespace. Pure. */
export function isolates({ metadata, spec }: NetworkPolicy, pod: Pod): boolean {
  return metadata.namespace === pod.metadata.namespace && matchesLabels(spec.podSelector, pod.metadata.labels ?? {});
}

/** What a pod is told of the policies that select it. Pure. */
export function wordsForPod(policies: readonly NetworkPolicy[]): string {
  const names = policies.map(({ metadata }) => metadata.name).toSorted();
  return (
    `not enforced for this pod: ${names.length === 1 ? 'NetworkPolicy' : 'NetworkPolicies'} ${firstFew(names, NAMED_MOST)}. It runs in a ` +
    `worker cluster, whose owner decides what reaches it there; where that is not enough, keep it off vnodes`
  );
}

function wordsForPolicy(bindingName: string, pod: Pod): string {
  return (
    `not enforced for pods on vnodes of the ClusterBinding ${bindingName}, such as ${keyOf(pod)}: they run in a worker ` +
    `cluster, whose owner decides what reaches them there; where that is not enough, keep them off vnodes`
  );
}

export function watchNetworkPolicies(context: SyncerContext, signal: AbortSignal): NetworkPolicyWatch {
  const policies = createReflector<NetworkPolicy>(context.home, {
    resource: NetworkPolicies,
    project: selectorOnly,
    indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
    onError: logWatch(context.log, {}, 'watching NetworkPolicies'),
  });
  void policies.run(signal);
  return tellOf(context, policies.store);
}

/** @param policies index `namespace` */
export function tellOf(
  context: Pick<SyncerContext, 'bindingName' | 'homeEvents' | 'stores'>,
  policies: ReadonlyStore<NetworkPolicy>,
): NetworkPolicyWatch {
  const told = new Set<string>();

  function once(key: string): boolean {
    if (told.has(key)) return false;
    if (told.size >= TOLD_MOST) told.clear();
    told.add(key);
    return true;
  }

  function tellPolicy({ metadata }: NetworkPolicy, pod: Pod): void {
    if (!once(`${metadata.uid}/${metadata.generation}`)) return;
    const subject = { apiVersion: apiVersionOf(NetworkPolicies), kind: NetworkPolicies.kind, metadata };
    context.homeEvents.event(subject, 'Warning', NOT_ENFORCED, wordsForPolicy(context.bindingName, pod));
  }

  policies.onChange(({ previous, current }) => {
    // What was there before us has been told of, or will be with the next pod.
    if (!policies.hasSynced || !current || previous?.metadata.generation === current.metadata.generation) return;
    const { homePods, vnodes } = context.stores;
    for (const pod of homePods.values() as Iterable<Pod>) {
      const runs = !isTerminal(pod) && vnodes.has(pod.spec.nodeName ?? '');
      if (runs && isolates(current, pod)) return tellPolicy(current, pod);
    }
  });

  function tellPod(home: Pod): void {
    const selecting = policies
      .byIndex('namespace', home.metadata.namespace ?? '')
      .filter((policy) => isolates(policy, home));
    if (selecting.length === 0) return;
    for (const policy of selecting) tellPolicy(policy, home);
    const workload = controllerOf(home)?.uid ?? home.metadata.uid;
    const message = wordsForPod(selecting);
    if (once(`${workload}: ${message}`)) context.homeEvents.event(podSubject(home), 'Warning', NOT_ENFORCED, message);
  }

  /** Pods that were made before the policies were listed: nothing waits for these, and there may be many. */
  const early: Pod[] = [];
  void policies.synced.then(() => {
    for (const home of early.splice(0)) tellPod(home);
  });

  return {
    made(home) {
      if (policies.hasSynced) tellPod(home);
      else if (early.length < TOLD_MOST) early.push(home);
    },
  };
}

function selectorOnly({ metadata, ...policy }: KubeObject): NetworkPolicy {
  const { name, namespace = '', uid = '', resourceVersion = '', generation = 0 } = metadata;
  const { podSelector = {} } = (policy['spec'] ?? {}) as { podSelector?: LabelSelector };
  return { metadata: { name, namespace, uid, resourceVersion, generation }, spec: { podSelector } };
}
