/** From what is allocated and what exists to the fewest writes. Pure. */
import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import { deepEqual, type Json, replacePatch } from '@kubeocean/shared/kube';
import type { Allocation, DesiredRecord } from '@kubeocean/shared/lease';

export type RecordWrite =
  | { kind: 'create'; record: DesiredRecord }
  | { kind: 'status'; record: LeasedNode; patch: Json; status: LeasedNodeStatus }
  | { kind: 'labels'; record: LeasedNode; patch: Json }
  | { kind: 'remove'; record: LeasedNode };

/** The writes that turn `existing` (by `namespace/name`) into what `allocation` asks for; none when it is so already. */
export function planRecords(allocation: Allocation, existing: (key: string) => LeasedNode | undefined): RecordWrite[] {
  const writes: RecordWrite[] = [];
  for (const desired of allocation.open) {
    const record = existing(`${desired.namespace}/${desired.name}`);
    if (!record) {
      writes.push({ kind: 'create', record: desired });
      continue;
    }
    const missing = Object.entries(desired.labels).filter(([key, value]) => record.metadata.labels?.[key] !== value);
    if (missing.length > 0) writes.push({ kind: 'labels', record, patch: { labels: Object.fromEntries(missing) } });
    writes.push(...statusWrite(record, desired.status));
  }
  for (const { record, status } of allocation.closed) writes.push(...statusWrite(record, status));
  const removable = new Set(allocation.removable);
  const kept = writes.filter((write) => write.kind === 'create' || !removable.has(write.record));
  return [...kept, ...allocation.removable.map((record): RecordWrite => ({ kind: 'remove', record }))];
}

function statusWrite(record: LeasedNode, status: LeasedNodeStatus): RecordWrite[] {
  // Nearly always: the cheap question first.
  if (deepEqual(record.status, status)) return [];
  const patch = replacePatch(record.status as Json | undefined, status as Json);
  return patch ? [{ kind: 'status', record, patch, status }] : [];
}
