import { Label, type LeasedNode, leasedNodeName, LeasedNodes } from '@kubeocean/shared/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleRecord } from './nodes/samples.ts';
import { createReflectors } from './stores.ts';
import { Peer } from './volumes/peer.ts';

let worker: Peer;

beforeAll(async () => {
  worker = await Peer.start();
});
afterAll(() => worker.stop());

/** A record of this node, under the name that it comes to. */
function ofNode(nodeName: string) {
  return ({ metadata, spec, status }: LeasedNode) => ({
    metadata: { ...metadata, name: leasedNodeName(spec.cluster, nodeName) },
    spec: { ...spec, nodeName },
    status,
  });
}

/** The records that the stores have where the worker has this one. */
async function recordsFrom({ metadata, ...rest }: LeasedNode): Promise<LeasedNode[]> {
  worker.reset();
  const labels = { [Label.clusterBinding]: 'example-cluster' };
  worker.put(LeasedNodes, { metadata: { ...metadata, labels }, ...rest });
  const client = worker.client();
  const { records } = createReflectors({
    home: client,
    worker: client,
    bindingName: 'example-cluster',
    bindingUID: 'binding-uid',
    clusterID: 'cls-example',
    mountNamespace: 'kubeocean-worker',
    systemNamespace: 'kubeocean-system',
    onWorkerContact: () => undefined,
    onError: () => undefined,
  });
  const over = new AbortController();
  const running = records.run(over.signal);
  await records.store.synced;
  over.abort();
  await running;
  return [...records.store.values()];
}

test.each<[string, (record: LeasedNode) => unknown, boolean]>([
  ['of a node whose name has dots', ofNode('ip-10-0-0-1.eu.compute.internal'), true],
  ['of a node that no Node can be called', ofNode('Node_1'), false],
  ['of a node whose name is a path', ofNode('../pods'), false],
  ['as the agent writes it', (record) => record, true],
  ['without a status', ({ metadata, spec }) => ({ metadata, spec }), true],
  ['of another binding', (record) => ({ ...record, spec: { ...record.spec, cluster: 'other' } }), false],
  ['under another name', (record) => ({ ...record, spec: { ...record.spec, nodeName: 'node2' } }), false],
  ['without a UID', (record) => ({ ...record, spec: { ...record.spec, nodeUID: undefined } }), false],
  ['with a UID of a megabyte', (r) => ({ ...r, spec: { ...r.spec, nodeUID: 'u'.repeat(1_000_000) } }), false],
  ['whose UID speaks to terminals', (r) => ({ ...r, spec: { ...r.spec, nodeUID: 'u\u009b31m' } }), false],
  ['whose policy is a number', (record) => ({ ...record, spec: { ...record.spec, policy: 5 } }), false],
  ['that names a list as its policy', (record) => ({ ...record, status: { ...record.status, policy: [] } }), false],
])('whether a record is taken %s', async (_, change, taken) => {
  expect(await recordsFrom(change(sampleRecord()) as LeasedNode)).toHaveLength(taken ? 1 : 0);
});

test('of what a record lends so much is known as can be read: by the rest no pod of the node could be let in', async () => {
  const [record] = await recordsFrom(sampleRecord({ allocatable: { cpu: 'four', memory: '1024Mi', pods: '110' } }));
  expect(record?.status?.allocatable).toEqual({ memory: '1Gi', pods: '110' });
  expect(record?.status?.phase).toBe(sampleRecord().status?.phase);
});
