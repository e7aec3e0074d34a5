/** What every object that the manager makes for a binding has in common: labels, the owner, the template hash. */
import { createHash } from 'node:crypto';
import {
  Annotation,
  type ClusterBinding,
  ClusterBindings,
  Label,
  labelValue,
  ManagedByValue,
} from '@kubeocean/shared/api';
import { apiVersionOf, isObject, type Json, type KubeObject, type Resource } from '@kubeocean/shared/kube';

/** An object as it should be, with the kind it is of. */
export interface Made {
  resource: Resource;
  object: KubeObject;
}

export type ComponentName = 'syncer' | 'proxier';

/** Labels by which the pods of one component of a binding are selected. They are immutable in a Deployment. */
export function selectorLabels(binding: ClusterBinding, component: ComponentName): Record<string, string> {
  return { [Label.clusterBinding]: labelValue(binding.metadata.name), [Label.component]: component };
}

export function commonLabels(binding: ClusterBinding, component: ComponentName): Record<string, string> {
  return {
    [Label.managedBy]: ManagedByValue,
    [Label.appManagedBy]: 'kubeocean-manager',
    [Label.appName]: `kubeocean-${component}`,
    [Label.physicalClusterID]: binding.spec.clusterID,
    [Label.bindingUID]: binding.metadata.uid ?? '',
    ...selectorLabels(binding, component),
  };
}

/** Completes an object: labels, the binding as its controller, and a hash of all that was rendered. */
export function made(
  binding: ClusterBinding,
  component: ComponentName,
  resource: Resource,
  place: { name: string; namespace?: string },
  body: Json,
): Made {
  const object: KubeObject = {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      ...place,
      labels: commonLabels(binding, component),
      ownerReferences: [
        {
          apiVersion: apiVersionOf(ClusterBindings),
          kind: ClusterBindings.kind,
          name: binding.metadata.name,
          uid: binding.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    ...body,
  };
  const hash = createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 16);
  object.metadata.annotations = { [Annotation.templateHash]: hash };
  return { resource, object };
}

/** Whether the object was made for this binding, and not for an earlier one of its name or clusterID. */
export function isOwnedBy(object: KubeObject, bindingUID: string | undefined): boolean {
  return (object.metadata.ownerReferences ?? []).some((owner) => owner.uid === bindingUID && owner.controller === true);
}

/** Names of the bindings that own any of the versions of an object: who it was taken from has to see that, too. */
export function ownersOf(...versions: (KubeObject | undefined)[]): Set<string> {
  const owners = versions.flatMap((version) => version?.metadata.ownerReferences ?? []);
  return new Set(owners.filter(({ kind }) => kind === ClusterBindings.kind).map(({ name }) => name));
}

/**
 * Whether `current` has every field of `desired` with its value. Fields that only `current` has are the server's
 * defaults or somebody else's and do not count; lists must have the same length. Empty and absent are the same.
 */
export function covers(current: unknown, desired: unknown): boolean {
  if (isEmpty(desired)) return isEmpty(current) || isObject(desired);
  if (Array.isArray(desired)) {
    return (
      Array.isArray(current) &&
      current.length === desired.length &&
      desired.every((item, i) => covers(current[i], item))
    );
  }
  if (isObject(desired)) {
    return isObject(current) && Object.entries(desired).every(([field, wanted]) => covers(current[field], wanted));
  }
  return current === desired;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}
