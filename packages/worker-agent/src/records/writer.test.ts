import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import type { KubeClient } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { LeftPods } from './left.ts';
import { writeRecord } from './writer.ts';

test.each<['info' | 'debug', string, object]>([
  ['debug', 'what is lent changed with a pod', { allocatable: { cpu: '3' }, ceiling: { cpu: '3' } }],
  ['debug', 'the node says something else', { node: { conditions: [] } }],
  ['info', 'it begins to close', { phase: 'Closing', reclaimAt: '2026-11-20T12:00:00Z' }],
  ['info', 'pods are evicted', { reclaimStage: 'Evicting' }],
  ['info', 'it is not taken back after all', { reclaimStage: null, reclaimAt: null }],
])('it is logged at level %s that a record was written because %s', async (level, _, patch) => {
  const levels: string[] = [];
  const log = { info: () => levels.push('info'), debug: () => levels.push('debug') } as unknown as Logger;
  const client = { patch: () => Promise.resolve({}) } as unknown as KubeClient;
  const record = { metadata: { namespace: 'w', name: 'b.n', uid: 'u' }, spec: { nodeName: 'n' } } as LeasedNode;
  const status: LeasedNodeStatus = { phase: 'Active' };
  const write = { kind: 'status', record, patch: patch as Record<string, unknown>, status } as const;
  await writeRecord(client, write, log, new AbortController().signal, {} as LeftPods);
  expect(levels).toEqual([level]);
});
