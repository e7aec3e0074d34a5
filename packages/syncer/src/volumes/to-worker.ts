/** Home claim → the claim in the worker that holds its volume. Pure. */
import { Annotation, Label, VolumeAnnotation, workerClaimName } from '@kubeocean/shared/api';
import { compareQuantities, parseQuantity } from '@kubeocean/shared/lease';
import { bindingLabels } from '../pods/to-worker.ts';
import type { Claim } from './types.ts';

export interface ClaimFacts {
  bindingName: string;
  bindingUID: string;
  mountNamespace: string;
  /** UID of the computing cluster. */
  homeUID: string;
  /** StorageClass in the worker. */
  workerClass: string;
  /** Worker node for which the volume is made. */
  node: string;
}

/**
 * Modes, size and class, nothing else; and the node, as the worker's own scheduler would write it, so that the volume is
 * there, or the reason why not, before home's scheduler commits itself.
 */
export function toWorkerClaim(home: Claim, facts: ClaimFacts): Claim {
  const { namespace = '', name, uid = '' } = home.metadata;
  const { accessModes, volumeMode, resources } = home.spec;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: workerClaimName(namespace, name, uid),
      namespace: facts.mountNamespace,
      labels: { ...bindingLabels(facts), [Label.virtualNamespace]: namespace },
      annotations: {
        [Annotation.virtualNamespace]: namespace,
        [Annotation.virtualName]: name,
        [VolumeAnnotation.virtualUID]: uid,
        [Annotation.computingClusterUID]: facts.homeUID,
        [VolumeAnnotation.selectedNode]: facts.node,
      },
    },
    spec: {
      ...(accessModes && { accessModes }),
      ...(volumeMode && { volumeMode }),
      ...(resources && { resources: sizeOf(resources) }),
      storageClassName: facts.workerClass,
    },
  };
}

function sizeOf({
  requests,
  limits,
}: NonNullable<Claim['spec']['resources']>): NonNullable<Claim['spec']['resources']> {
  return {
    ...(requests?.storage !== undefined && { requests: { storage: requests.storage } }),
    ...(limits?.storage !== undefined && { limits: { storage: limits.storage } }),
  };
}

/** Whose volume a worker claim holds: namespace, name and UID of a home claim, when all that it says fits its name. */
export function holderOf(
  worker: Claim,
  facts: { bindingName: string; homeUID: string },
): { namespace: string; name: string; uid: string } | undefined {
  const { labels, annotations = {} } = worker.metadata;
  const namespace = annotations[Annotation.virtualNamespace] ?? '';
  const name = annotations[Annotation.virtualName] ?? '';
  const uid = annotations[VolumeAnnotation.virtualUID] ?? '';
  const ours =
    labels?.[Label.clusterBinding] === bindingLabels({ ...facts, bindingUID: '' })[Label.clusterBinding] &&
    annotations[Annotation.computingClusterUID] === facts.homeUID &&
    worker.metadata.name === workerClaimName(namespace, name, uid);
  return ours ? { namespace, name, uid } : undefined;
}

/** What has to be patched so that the worker claim asks for what the home claim asks for; undefined when it does. */
export function sizePatch(home: Claim, worker: Claim): { metadata: { uid?: string }; spec: Claim['spec'] } | undefined {
  const wanted = home.spec.resources?.requests?.storage;
  const asked = worker.spec.resources?.requests?.storage;
  if (wanted === undefined || (asked !== undefined && compare(wanted, asked) === 0)) return undefined;
  const { uid } = worker.metadata;
  return { metadata: { ...(uid && { uid }) }, spec: { resources: { requests: { storage: wanted } } } };
}

/** Order of two amounts in bytes, such as `1Gi`. */
export function compare(a: string, b: string): number {
  return compareQuantities(parseQuantity(a), parseQuantity(b));
}
