/** Vnodes as an API server would have them, for the tests of their plan. */
import type { LeasedNodeStatus, Taint } from '@kubeocean/shared/api';
import { isObject, type Json, type KubeObject } from '@kubeocean/shared/kube';
import { type DesiredVnode, vnodeFromRecord, type VnodeFacts } from './from-record.ts';
import { newVnode, type VnodePlan } from './plan.ts';
import { sampleFacts, sampleRecord } from './samples.ts';

export const now = new Date('2026-11-21T06:00:00Z');
export const later = new Date('2026-11-21T07:00:00Z');

export function desired(status: LeasedNodeStatus = {}, facts: Partial<VnodeFacts> = {}): DesiredVnode {
  return vnodeFromRecord(sampleRecord(status), sampleFacts(facts));
}

/** The Node as the server would have it after creation. */
export function created(want = desired()): KubeObject {
  const node = structuredClone(newVnode(want, now));
  return { ...node, metadata: { ...node.metadata, uid: 'u', resourceVersion: '1' } };
}

/** What an API server makes of the patches: merge for metadata and spec, lists of the status by their merge keys. */
export function applyPlan(node: KubeObject, plan: VnodePlan): KubeObject {
  const next = structuredClone(node);
  merge(next, plan.patch ?? {});
  const status = structuredClone((plan.statusPatch?.['status'] ?? {}) as Json);
  const { conditions = [], addresses = [] } = status as { conditions?: Json[]; addresses?: Json[] };
  delete status['conditions'];
  delete status['addresses'];
  const target = (next['status'] ??= {}) as Json;
  merge(target, status);
  const known = (target['conditions'] ?? []) as Json[];
  for (const condition of conditions) {
    const at = known.findIndex(({ type }) => type === condition['type']);
    if (condition['$patch'] === 'delete') known.splice(at, 1);
    else if (at >= 0) known[at] = { ...known[at], ...condition };
    else known.push(condition);
  }
  target['conditions'] = known;
  if (addresses.length > 0) target['addresses'] = addresses.filter((address) => !('$patch' in address));
  return next;
}

function merge(target: Json, patch: Json): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (isObject(value)) merge((target[key] ??= {}) as Json, value);
    else target[key] = value;
  }
}

export function taintsOf(node: KubeObject): Taint[] {
  return (node['spec'] as { taints?: Taint[] }).taints ?? [];
}
