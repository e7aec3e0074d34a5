/** Kinds that only tests talk to, and changes to objects. */
import { type Json, type Resource, RoleBindings } from '@kubeocean/shared/kube';

export const Roles: Resource = { ...RoleBindings, plural: 'roles', kind: 'Role' };
export const ClusterRoles: Resource = { ...Roles, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false };

/** Whether a pod or a node says that it is Ready. */
export function isReady(object: { status?: { conditions?: { type: string; status: string }[] } }): boolean {
  return object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** `target` with changes as a JSON merge patch (RFC 7386) makes them; neither is touched. */
export function merged(target: unknown, patch: Json): Json {
  const result: Json = { ...(target as Json) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value)) result[key] = merged(result[key], value as Json);
    else result[key] = value;
  }
  return result;
}
