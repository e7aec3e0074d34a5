/** From what is allocated and what exists to the fewest writes. Pure. */
import type { LeasedNode, LeasedNodeInfo, LeasedNodeStatus } from '@kubeocean/shared/api';
import { deepEqual, type Json, replacePatch } from '@kubeocean/shared/kube';
import type { Allocation, DesiredRecord } from '@kubeocean/shared/lease';

export type RecordWrite =
  | { kind: 'create'; record: DesiredRecord }
  | { kind: 'status'; record: LeasedNode; patch: Json; status: LeasedNodeStatus }
  | { kind: 'labels'; record: LeasedNode; patch: Json }
  /** released: with its last record a binding is said to have no lent pod left. */
  | { kind: 'remove'; record: LeasedNode; released: boolean };

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
  const released = new Set(allocation.closed.flatMap(({ record, reason }) => (reason === 'Released' ? record : [])));
  const kept = writes.filter((write) => write.kind === 'create' || !removable.has(write.record));
  return [
    ...kept,
    ...allocation.removable.map((record): RecordWrite => ({ kind: 'remove', record, released: released.has(record) })),
  ];
}

function statusWrite(record: LeasedNode, status: LeasedNodeStatus): RecordWrite[] {
  // Nearly always: the cheap question first.
  if (says(record.status, status)) return [];
  const patch = replacePatch(record.status as Json | undefined, status as Json);
  return patch ? [{ kind: 'status', record, patch, status }] : [];
}

/** Of what records say of their nodes: which object it was last found to be equal to. Neither is ever changed in place. */
const equalNodes = new WeakMap<LeasedNodeInfo, LeasedNodeInfo>();

/** Whether a record says just this already. Most of it is of the node, and stays the same for as long as the node does. */
function says(present: LeasedNodeStatus | undefined, status: LeasedNodeStatus): boolean {
  if (!present) return false;
  const { node: was, ...before } = present;
  const { node: is, ...after } = status;
  if (!deepEqual(before, after)) return false;
  if (!was || !is) return was === is;
  if (equalNodes.get(was) === is) return true;
  if (!deepEqual(was, is)) return false;
  equalNodes.set(was, is);
  return true;
}
