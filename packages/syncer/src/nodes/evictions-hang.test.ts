/** Evictions at home that hang, in a webhook perhaps, keep nothing else of the vnodes waiting. */
import { type LeasedNodeStatus, vnodeName } from '@kubeocean/shared/api';
import { type KubeObject, type Resource, Store } from '@kubeocean/shared/kube';
import { afterEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createNodesController, type NodesController } from './controller.ts';
import { binding, DEADLINE, fine } from './controller-fixtures.ts';
import { applyPlan, created, now } from './plan-fixtures.ts';
import { sampleRecord } from './samples.ts';

const { clusterID } = binding.spec;
let running: NodesController | undefined;
afterEach(() => running?.stop());

/** Twenty vnodes with three pods each, of which no eviction is answered, and home as it keeps them. */
function world() {
  const vnodes = new Store<KubeObject>();
  const records = new Store<ReturnType<typeof sampleRecord>>();
  const homePods = new Store<KubeObject>({ node: ({ spec }) => [(spec as { nodeName: string }).nodeName] });
  const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
  let evictions = 0;

  function record(nodeName: string, status?: LeasedNodeStatus): void {
    const sample = sampleRecord(status);
    const metadata = { ...sample.metadata, name: `${binding.metadata.name}.${nodeName}` };
    records.set({ ...sample, metadata, spec: { ...sample.spec, nodeName } });
  }

  for (const nodeName of names) {
    const node = created();
    const name = vnodeName(clusterID, nodeName);
    const spec = { ...(node['spec'] as object), providerID: `kubeocean://${clusterID}/${nodeName}` };
    vnodes.set({ ...node, metadata: { ...node.metadata, name, uid: name }, spec });
    for (const pod of ['a', 'b', 'c']) {
      homePods.set({
        metadata: { namespace: nodeName, name: pod, uid: `${nodeName}${pod}` },
        spec: { nodeName: name },
      });
    }
    record(nodeName);
  }

  const home = {
    async create({ kind }: Resource, object: KubeObject, { subresource }: { subresource?: string } = {}) {
      if (subresource === 'eviction') {
        evictions++;
        return new Promise(() => undefined);
      }
      if (kind === 'Node') vnodes.set({ ...object, metadata: { ...object.metadata, uid: object.metadata.name } });
      return object;
    },
    async patch({ kind }: Resource, _: string, name: string, patch: object, { subresource }: { subresource?: string }) {
      await Promise.resolve();
      const node = kind === 'Node' ? vnodes.get(name) : undefined;
      if (node) vnodes.set(applyPlan(node, subresource ? { statusPatch: { ...patch } } : { patch: { ...patch } }));
      return { metadata: { name } };
    },
  };
  const context = {
    binding: () => binding,
    bindingName: binding.metadata.name,
    bindingUID: binding.metadata.uid,
    clusterID,
    mountNamespace: binding.spec.mountNamespace,
    home,
    stores: { vnodes, records, homePods, workerPods: new Store({ vnode: () => [] }) },
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    leadership: { isCurrent: () => true, leaseTime: () => now },
    settings: { maxVnodes: 100 },
    now: () => now,
    queue: () => ({}),
    homeEvents: { event: () => undefined },
  } as unknown as SyncerContext;
  running = createNodesController(context, { slices: new Store(), worker: () => fine, removal: () => 'none' });
  running.start();
  const has = (key: string) => (nodeName: string) =>
    JSON.stringify(vnodes.get(vnodeName(clusterID, nodeName))?.['spec']).includes(key);
  return { vnodes, names, record, has, evicted: () => evictions };
}

const taints = [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' as const }];

test.each<[string, LeasedNodeStatus, string]>([
  ['closes', { phase: 'Closing', reclaimStage: 'Syncer', taints }, 'kubeocean.io/out-of-time-windows'],
  ['is over', { phase: 'Closed', reason: 'PolicyGone' }, 'kubeocean.io/vnode-deleting'],
])(
  'no new pod comes to any vnode whose lease %s, and others are made and changed meanwhile',
  async (_, status, key) => {
    const { vnodes, names, record, has, evicted } = world();
    for (const nodeName of names) record(nodeName, status);
    await vi.waitFor(() => expect(names.filter(has(key))).toHaveLength(names.length), DEADLINE);
    await vi.waitFor(() => expect(evicted()).toBeGreaterThan(0), DEADLINE);
    record('new');
    await vi.waitFor(() => expect(vnodes.has(vnodeName(clusterID, 'new'))).toBe(true), DEADLINE);
    record('new', { phase: 'Closing', taints });
    await vi.waitFor(() => expect(has('kubeocean.io/out-of-time-windows')('new')).toBe(true), DEADLINE);
  },
  40_000,
);
