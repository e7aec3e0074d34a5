/**
 * What the agent keeps of nodes, pods and claims, and which of their changes matter. Everything else of them (heartbeat
 * times, managed fields, statuses of containers) is dropped when it arrives.
 */
import { Annotation, Finalizer, Label, PodCondition } from '@kubeocean/shared/api';
import { type Change, type Condition, deepEqual, type KubeObject, type ObjectMeta } from '@kubeocean/shared/kube';
import {
  formatResources,
  type PodForRequests,
  podRequests,
  steadyConditions,
  type WorkerNode,
} from '@kubeocean/shared/lease';

function slimMeta({ metadata }: KubeObject): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
    ...(creationTimestamp && { creationTimestamp }),
    ...(deletionTimestamp && { deletionTimestamp }),
  };
}

/** A node without heartbeat times, images and volumes. */
export function projectNode(object: KubeObject): WorkerNode {
  const { spec, status } = object as WorkerNode;
  const { labels, annotations } = object.metadata;
  const reclaim = annotations?.[Annotation.reclaim];
  return {
    metadata: {
      ...slimMeta(object),
      ...(labels && { labels }),
      ...(reclaim !== undefined && { annotations: { [Annotation.reclaim]: reclaim } }),
    },
    spec: {
      ...(spec?.unschedulable && { unschedulable: true }),
      ...(spec?.taints && { taints: spec.taints }),
      ...(spec?.['podCIDRs'] !== undefined && { podCIDRs: spec['podCIDRs'] }),
    },
    status: {
      ...(status?.allocatable && { allocatable: status.allocatable }),
      addresses: (status?.addresses ?? []).filter((address) => address.type === 'InternalIP'),
      conditions: steadyConditions(status?.conditions ?? []),
      ...(status?.nodeInfo && { nodeInfo: status.nodeInfo }),
      ...(status?.['daemonEndpoints'] !== undefined && { daemonEndpoints: status['daemonEndpoints'] }),
    },
  };
}

/**
 * A pod as where it is, whose it is, how it ends, its phase, and one container that requests what the whole pod does.
 */
export function projectPod(object: KubeObject): PodForRequests {
  const pod = object as PodForRequests;
  const { pods: _itself, ...requests } = formatResources(podRequests(pod));
  const { labels, annotations, finalizers, deletionGracePeriodSeconds } = pod.metadata;
  const binding = labels?.[Label.clusterBinding];
  const words = annotations?.[Annotation.leaseClosed];
  // Of pods without a binding it is told whether gocrane/kubeocean made them.
  const madeFor = binding === undefined ? annotations?.[Annotation.virtualPodUID] : undefined;
  const kept = {
    ...(words !== undefined && { [Annotation.leaseClosed]: words }),
    ...(madeFor !== undefined && { [Annotation.virtualPodUID]: madeFor }),
  };
  const grace = pod.spec['terminationGracePeriodSeconds'];
  const conditions = pod.status?.['conditions'] as Condition[] | undefined;
  const disruption = conditions?.find(({ type }) => type === PodCondition.disruptionTarget);
  return {
    metadata: {
      ...slimMeta(pod),
      ...(binding !== undefined && { labels: { [Label.clusterBinding]: binding } }),
      ...(Object.keys(kept).length > 0 && { annotations: kept }),
      ...(finalizers?.includes(Finalizer.homeSync) && { finalizers: [Finalizer.homeSync] }),
      ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
    },
    spec: {
      nodeName: pod.spec['nodeName'],
      containers: [{ name: 'all', resources: { requests } }],
      ...(typeof grace === 'number' && { terminationGracePeriodSeconds: grace }),
    },
    status: {
      phase: pod.status?.['phase'],
      ...(disruption && { conditions: [disruption] }),
    },
  };
}

/** A claim: labels, annotations and the time of its renewal. */
export function projectClaim(object: KubeObject): KubeObject {
  const { labels, annotations } = object.metadata;
  const spec = object['spec'] as { renewTime?: string } | undefined;
  return {
    metadata: { ...slimMeta(object), ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: { ...(spec?.renewTime && { renewTime: spec.renewTime }) },
  };
}

/**
 * Whether a change of a projected object, or of an object whose `fields` are all that is read, could change what is
 * lent. The version always differs; fields not named are ours or nobody's business.
 */
export function matters(change: Change<KubeObject>, fields: readonly string[]): boolean {
  const { previous, current } = change;
  if (!previous || !current) return true;
  const { labels, annotations, deletionTimestamp, deletionGracePeriodSeconds, finalizers } = current.metadata;
  return (
    !deepEqual(labels, previous.metadata.labels) ||
    !deepEqual(annotations, previous.metadata.annotations) ||
    deletionTimestamp !== previous.metadata.deletionTimestamp ||
    deletionGracePeriodSeconds !== previous.metadata.deletionGracePeriodSeconds ||
    !deepEqual(finalizers, previous.metadata.finalizers) ||
    fields.some((field) => !deepEqual(current[field], previous[field]))
  );
}
