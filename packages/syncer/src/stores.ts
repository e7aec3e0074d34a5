/** The reflectors of a leading syncer: what is watched on both sides, and how little of it. */
import {
  Annotation,
  Label,
  labelValue,
  type LeasedNode,
  leasedNodeName,
  LeasedNodes,
  migratedWorkerName,
  proxierName,
  ChartName,
  vnodeNames,
  workerName,
} from '@kubeocean/shared/api';
import {
  byController,
  createReflector,
  EndpointSlices,
  type KubeClient,
  type KubeObject,
  Leases,
  Nodes,
  type OnWatchError,
  Pods,
  type Reflector,
} from '@kubeocean/shared/kube';
import { carriedResources, isNodeName } from './nodes/sanitize.ts';
import type { Pod } from './pods/types.ts';
import { claimNames } from './volumes/words.ts';

export interface StoreOptions {
  home: KubeClient;
  worker: KubeClient;
  bindingName: string;
  bindingUID: string;
  clusterID: string;
  mountNamespace: string;
  systemNamespace: string;
  /** Told of every answer of the worker, and of every failure on either side. */
  onWorkerContact: () => void;
  onError: (cluster: 'computing' | 'worker', kind: string, ...failure: Parameters<OnWatchError>) => void;
}

export interface SyncerReflectors {
  vnodes: Reflector<KubeObject>;
  homePods: Reflector<KubeObject>;
  /** Endpoints of the binding's proxier. */
  slices: Reflector<KubeObject>;
  records: Reflector<LeasedNode>;
  workerPods: Reflector<KubeObject>;
  /** The agent's heartbeat Lease. */
  heartbeat: Reflector<KubeObject>;
}

export function createReflectors(options: StoreOptions): SyncerReflectors {
  const { home, worker, bindingName, clusterID, mountNamespace } = options;
  const binding = `${Label.clusterBinding}=${labelValue(bindingName)}`;
  const atHome = (kind: string) => ({
    onError: (...failure: Parameters<OnWatchError>) => options.onError('computing', kind, ...failure),
  });
  const inWorker = (kind: string) => ({
    namespace: mountNamespace,
    onContact: options.onWorkerContact,
    onError: (...failure: Parameters<OnWatchError>) => options.onError('worker', kind, ...failure),
  });
  // Every name a vnode of this clusterID can have begins with it, the hashed ones too: the prefix is at most 30 long.
  const vnodePrefix = `vnode-${clusterID}-`;
  const inText = Buffer.from(`"nodeName":"${vnodePrefix}`);

  return {
    vnodes: createReflector(home, { resource: Nodes, labelSelector: binding, ...atHome('nodes') }),
    homePods: createReflector(home, {
      resource: Pods,
      // Pods that no scheduler has placed are not even sent.
      fieldSelector: 'spec.nodeName!=',
      concerns: (line) => line.includes(inText),
      project: (pod) => (nodeNameOf(pod)?.startsWith(vnodePrefix) ? pod : undefined),
      indexes: { node: indexByNode, claim: indexByClaim },
      familyOf: byController,
      ...atHome('pods'),
    }),
    slices: createReflector(home, {
      resource: EndpointSlices,
      namespace: options.systemNamespace,
      labelSelector: `kubernetes.io/service-name=${proxierName(clusterID)}`,
      ...atHome('endpointslices'),
    }),
    records: createReflector<LeasedNode>(worker, {
      resource: LeasedNodes,
      labelSelector: binding,
      project: (object) =>
        isRecordOf(object as LeasedNode, bindingName) ? withReadableAmounts(object as LeasedNode) : undefined,
      indexes: {
        node: ({ spec }) => [spec.nodeName],
        vnode: ({ spec }) => [...vnodeNames(clusterID, spec.nodeName)],
      },
      ...inWorker('leasednodes'),
    }),
    workerPods: createReflector(worker, {
      resource: Pods,
      labelSelector: `${Label.bindingUID}=${options.bindingUID}`,
      indexes: {
        node: indexByNode,
        vnode: indexByVnode,
        adopted: (pod) => indexAdopted(pod, options.bindingUID),
      },
      familyOf: workloadOf,
      ...inWorker('pods'),
    }),
    heartbeat: createReflector(worker, {
      resource: Leases,
      fieldSelector: `metadata.name=${ChartName.agent}`,
      ...inWorker('leases'),
    }),
  };
}

/** A record is taken only under the one name that this binding and its node come to: there is one per node. */
function isRecordOf(record: LeasedNode, bindingName: string): boolean {
  const { spec, status, metadata } = record;
  return (
    spec?.cluster === bindingName &&
    isNodeName(spec.nodeName) &&
    [spec.nodeUID, spec.policy, status?.policy ?? ''].every(isShort) &&
    metadata.name === leasedNodeName(bindingName, spec.nodeName)
  );
}

/**
 * Pods are let in by the amounts that the vnode shows. One that cannot be read would keep every pod of the vnode from being
 * made, without a word.
 */
function withReadableAmounts(record: LeasedNode): LeasedNode {
  const { status } = record;
  if (status?.allocatable === undefined) return record;
  return { ...record, status: { ...status, allocatable: carriedResources(status.allocatable) } };
}

/** A vnode shows these as they are; no name or UID is longer, or has other characters. */
function isShort(text: unknown): boolean {
  return typeof text === 'string' && /^[!-~]{0,253}$/.test(text);
}

function nodeNameOf(pod: KubeObject): string | undefined {
  return (pod['spec'] as { nodeName?: string } | undefined)?.nodeName;
}

function indexByNode(pod: KubeObject): string[] {
  const name = nodeNameOf(pod);
  return name === undefined ? [] : [name];
}

/** Claims that the pod's volumes stand on, as `namespace/name`: one that changes must not cost a look at all pods. */
export function indexByClaim(pod: KubeObject): string[] {
  return claimNames(pod as Pod).map((name) => `${pod.metadata.namespace}/${name}`);
}

/** Namespace and controller at home: worker pods have no controller, and are all in one namespace. */
function workloadOf({ metadata: { labels } }: KubeObject): string {
  return `${labels?.[Label.virtualNamespace]}/${labels?.[Label.workloadName]}`;
}

/** Home key of a pod that was adopted from gocrane/kubeocean with its name: no look-up by our name finds it. */
function indexAdopted({ metadata }: KubeObject, bindingUID: string): string[] {
  const { [Annotation.virtualPodNamespace]: namespace = '', [Annotation.virtualPodName]: name = '' } =
    metadata.annotations ?? {};
  if (metadata.name === workerName(bindingUID, namespace, name)) return [];
  return metadata.name === migratedWorkerName(namespace, name) ? [`${namespace}/${name}`] : [];
}

/** Also of pods that the worker has not scheduled yet. */
function indexByVnode({ metadata }: KubeObject): string[] {
  const name = metadata.annotations?.[Annotation.virtualNodeName];
  return name === undefined ? [] : [name];
}
