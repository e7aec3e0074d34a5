/**
 * What a home pod refers to: ConfigMaps, Secrets and ServiceAccount tokens. Pure. One walk over the spec is shared with
 * nothing else, so that "found" and "renamed" (volumes.ts and environment.ts in pods/translation) can be tested against
 * each other.
 */
import type { CopiedKind } from '@kubeocean/shared/api';
import type { Pod, ServiceAccountTokenProjection } from '../pods/types.ts';

/** A ConfigMap or Secret that a pod refers to. */
export interface DependentReference {
  kind: Exclude<CopiedKind, 'persistentvolumeclaim'>;
  name: string;
  /** False when every reference to it is optional. */
  required: boolean;
}

/** A projected ServiceAccount token of a pod. */
export interface TokenSource extends ServiceAccountTokenProjection {
  /** Key in the pod's token Secret. */
  key: string;
}

export interface References {
  objects: DependentReference[];
  tokens: TokenSource[];
}

/** Key in the token Secret of source `index` of the projected volume `volume`. */
export function tokenKey(volume: string, index: number): string {
  return `${volume}.${index}`;
}

/** Everything the pod needs beside itself, each object once; required when any reference to it is. */
export function referencesOf(pod: Pod): References {
  const found = new Map<string, DependentReference>();
  const tokens: TokenSource[] = [];

  function add(kind: DependentReference['kind'], name: string | undefined, optional: boolean | undefined): void {
    if (!name) return;
    const key = `${kind}/${name}`;
    const known = found.get(key);
    if (known) known.required ||= optional !== true;
    else found.set(key, { kind, name, required: optional !== true });
  }

  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  for (const container of [...initContainers, ...containers, ...ephemeralContainers]) {
    for (const { valueFrom } of container.env ?? []) {
      add('configmap', valueFrom?.configMapKeyRef?.name, valueFrom?.configMapKeyRef?.optional);
      add('secret', valueFrom?.secretKeyRef?.name, valueFrom?.secretKeyRef?.optional);
    }
    for (const source of container.envFrom ?? []) {
      add('configmap', source.configMapRef?.name, source.configMapRef?.optional);
      add('secret', source.secretRef?.name, source.secretRef?.optional);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add('configmap', volume.configMap?.name, volume.configMap?.optional);
    add('secret', volume.secret?.secretName, volume.secret?.optional);
    for (const [index, source] of (volume.projected?.sources ?? []).entries()) {
      add('configmap', source.configMap?.name, source.configMap?.optional);
      add('secret', source.secret?.name, source.secret?.optional);
      if (source.serviceAccountToken) tokens.push({ ...source.serviceAccountToken, key: tokenKey(volume.name, index) });
    }
  }
  // A kubelet pulls without a missing pull secret, so it never keeps a pod waiting.
  for (const { name } of pod.spec.imagePullSecrets ?? []) add('secret', name, true);
  return { objects: [...found.values()], tokens };
}

/** Names of the ConfigMaps and Secrets that a *worker* pod refers to, as `kind/name`. */
export function copiesOf(workerPod: Pod): string[] {
  return referencesOf(workerPod).objects.map(({ kind, name }) => `${kind}/${name}`);
}
