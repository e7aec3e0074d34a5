/**
 * What the agent keeps of nodes, pods and claims, and which of their changes matter. Everything else of them (heartbeat
 * times, managed fields, statuses of containers) is dropped when it arrives, and of what tenants write only so much is kept
 * that they cannot fill its memory.
 */
import { Annotation, Finalizer, Label, PodCondition } from '@kubeocean/shared/api';
import { type Change, type Condition, deepEqual, type KubeObject, type ObjectMeta } from '@kubeocean/shared/kube';
import {
  formatResources,
  LongestSelector,
  type PodForRequests,
  podRequests,
  requestsText,
  type Resources,
  steadyConditions,
  TooLongSelector,
  type WorkerNode,
} from '@kubeocean/shared/lease';

function slimMeta({ metadata }: KubeObject): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  const slim: ObjectMeta = { name };
  if (namespace) slim.namespace = namespace;
  if (uid) slim.uid = uid;
  if (resourceVersion) slim.resourceVersion = resourceVersion;
  if (creationTimestamp) slim.creationTimestamp = creationTimestamp;
  if (deletionTimestamp) slim.deletionTimestamp = deletionTimestamp;
  return slim;
}

/**
 * API servers print a time that was never set as null, and drop nulls inside lists of a merge patch: a record that is to
 * carry them would be written anew at every look.
 */
function withoutNulls(condition: Condition): Condition {
  return Object.fromEntries(Object.entries(condition).filter(([, value]) => value !== null)) as unknown as Condition;
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
      conditions: steadyConditions(status?.conditions ?? []).map(withoutNulls),
      ...(status?.nodeInfo && { nodeInfo: status.nodeInfo }),
      ...(status?.['daemonEndpoints'] !== undefined && { daemonEndpoints: status['daemonEndpoints'] }),
    },
  };
}

/**
 * Of the texts, requests and labels that pods share: each is kept once. Beyond as many kinds all are forgotten; a text
 * that is longer than any honest one is not remembered, so that nobody fills our memory with pods.
 */
const KINDS = 5000;
const LONGEST = 1000;

/** In place of an annotation's text that nobody reads. */
const PRESENT = 'yes';

const OurFinalizer = [Finalizer.homeSync];
const texts = new Map<string, string>();
const labelsOf = new Map<string, Record<string, string>>();
const requestsBy = new Map<
  string,
  { counted: Resources; containers: NonNullable<PodForRequests['spec']['containers']> }
>();

function remembered<T>(known: Map<string, T>, key: string, make: (key: string) => T): T {
  let value = known.get(key);
  if (value === undefined && key.length > LONGEST) return make(key);
  if (value === undefined) {
    if (known.size >= KINDS) known.clear();
    known.set(key, (value = make(key)));
  }
  return value;
}

/** The one string of this text that is kept. */
function shared(text: string): string {
  return remembered(texts, text, (same) => same);
}

/** One container that requests what the whole pod does, and the same as numbers. */
function requestedBy(pod: PodForRequests) {
  return remembered(requestsBy, requestsText(pod), () => {
    const { pods: _itself, ...requests } = formatResources(podRequests(pod));
    const containers = [{ name: 'all', resources: { requests } }];
    return { containers, counted: podRequests({ metadata: pod.metadata, spec: { containers } }) };
  });
}

/**
 * A pod as where it is, whose it is, how it ends, its phase, and one container that requests what the whole pod does.
 * This is done for every event of every pod of the cluster: what pods have in common is one object for all of them, so
 * that comparing and adding them up costs next to nothing.
 */
export function projectPod(object: KubeObject): PodForRequests {
  const { metadata: full, spec, status } = object as PodForRequests;
  const { labels, annotations, finalizers, deletionGracePeriodSeconds } = full;
  const metadata = slimMeta(object);
  const { containers, counted } = requestedBy(object as PodForRequests);
  const node = spec['nodeName'];
  const grace = spec['terminationGracePeriodSeconds'];
  const pod: PodForRequests = {
    metadata,
    spec: { nodeName: typeof node === 'string' ? shared(node) : node, containers },
    status: { phase: status?.['phase'] },
    counted,
  };
  if (metadata.namespace !== undefined) metadata.namespace = shared(metadata.namespace);
  const binding = labels?.[Label.clusterBinding];
  if (binding !== undefined) {
    metadata.labels = remembered(labelsOf, binding, (value) => ({ [Label.clusterBinding]: value }));
  }
  // Only whether they are there is read, and a tenant may write texts of 250 kB.
  const isTold = annotations?.[Annotation.leaseClosed] !== undefined;
  // Of pods without a binding it is told whether gocrane/kubeocean made them.
  const isMigrated = binding === undefined && annotations?.[Annotation.virtualPodUID] !== undefined;
  if (isTold || isMigrated) {
    metadata.annotations = {
      ...(isTold && { [Annotation.leaseClosed]: PRESENT }),
      ...(isMigrated && { [Annotation.virtualPodUID]: PRESENT }),
    };
  }
  if (finalizers?.includes(Finalizer.homeSync)) metadata.finalizers = OurFinalizer;
  if (deletionGracePeriodSeconds !== undefined) metadata.deletionGracePeriodSeconds = deletionGracePeriodSeconds;
  if (typeof grace === 'number') pod.spec['terminationGracePeriodSeconds'] = grace;
  const conditions = status?.['conditions'] as Condition[] | undefined;
  const disruption = conditions?.find(({ type }) => type === PodCondition.disruptionTarget);
  if (disruption && pod.status) {
    const { type, reason } = disruption;
    pod.status.conditions = [{ type: shared(type), ...(reason && { reason: shared(reason) }) }];
  }
  return pod;
}

/** A claim: whether it is one, whose, what it selects, whether it is released, and the time of its renewal. */
export function projectClaim(object: KubeObject): KubeObject {
  const { labels, annotations } = object.metadata;
  const spec = object['spec'] as { renewTime?: string } | undefined;
  const claim = labels?.[Label.claim];
  const binding = labels?.[Label.clusterBinding];
  const selector = annotations?.[Annotation.nodeSelector];
  const kept = {
    ...(selector !== undefined && {
      [Annotation.nodeSelector]: selector.length > LongestSelector ? TooLongSelector : selector,
    }),
    ...(annotations?.[Annotation.release] === 'true' && { [Annotation.release]: 'true' }),
  };
  return {
    metadata: {
      ...slimMeta(object),
      labels: {
        ...(claim !== undefined && { [Label.claim]: claim }),
        ...(binding !== undefined && { [Label.clusterBinding]: binding }),
      },
      ...(Object.keys(kept).length > 0 && { annotations: kept }),
    },
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
