/** Reads the tenants file: which namespaces receive pods, and which bindings may claim there. */
import { readFileSync } from 'node:fs';
import { messageOf } from '@kubeocean/shared/kube';
import type { Tenant } from '@kubeocean/shared/lease';

/** @throws Error naming the file and the entry that is wrong */
export function readTenants(path: string): Tenant[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the tenants file cannot be read: ${messageOf(error)}; see --tenants-file`, { cause: error });
  }
  return parseTenants(text, path);
}

/** @throws Error naming `source` and the entry that is wrong */
export function parseTenants(text: string, source: string): Tenant[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`${source} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  if (!Array.isArray(parsed)) throw new Error(`${source} must be a list of {namespace, serviceAccount, bindings}`);
  const tenants = parsed.map((entry: unknown, index) => tenantOf(entry, `${source}: entry ${index}`));
  const namespaces = tenants.map((tenant) => tenant.namespace);
  const twice = namespaces.find((namespace, index) => namespaces.indexOf(namespace) !== index);
  if (twice !== undefined)
    throw new Error(`${source}: namespace ${twice} is named twice; join its bindings in one entry`);
  return tenants;
}

function tenantOf(entry: unknown, where: string): Tenant {
  const { namespace, serviceAccount, bindings } = (entry ?? {}) as Partial<Record<keyof Tenant, unknown>>;
  if (typeof namespace !== 'string' || namespace === '') throw new Error(`${where} has no namespace`);
  if (typeof serviceAccount !== 'string' || serviceAccount === '') throw new Error(`${where} has no serviceAccount`);
  if (!Array.isArray(bindings) || !bindings.every((name) => typeof name === 'string' && name !== '')) {
    throw new Error(`${where}: bindings must be a list of binding names, or ["*"] for any`);
  }
  return { namespace, serviceAccount, bindings: bindings as string[] };
}
