import type { ClusterBinding, LeasedNode } from '@kubeocean/shared/api';
import { parseResources } from '@kubeocean/shared/lease';
import { describe, expect, test } from 'vitest';
import { leaseRefusal, misfit, notRunReason } from './eligibility.ts';
import { samplePod } from '../samples.ts';

function binding(spec: Record<string, unknown> = {}): ClusterBinding {
  const required = { clusterID: 'c', secretRef: { name: 's', namespace: 'n' }, mountNamespace: 'm' };
  return { metadata: { name: 'b' }, spec: { ...required, ...spec } };
}

const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u', controller: true }];

describe('which pods run', () => {
  test.each([
    ['an ordinary one', {}, {}, undefined],
    ['one of a system namespace', { namespace: 'kube-system' }, {}, 'SystemNamespace'],
    ['one of a DaemonSet', { ownerReferences }, {}, 'DaemonSet'],
    [
      'one of a DaemonSet that asks',
      { ownerReferences, annotations: { 'kubeocean.io/running-daemonset': 'true' } },
      {},
      undefined,
    ],
    [
      'one of a DaemonSet when the binding says so',
      { ownerReferences },
      { runningDaemonsetByDefault: true },
      undefined,
    ],
    [
      'one of a namespace not selected',
      {},
      { namespaceSelector: { matchLabels: { team: 'b' } } },
      'NamespaceNotSelected',
    ],
    ['one of a selected namespace', {}, { namespaceSelector: { matchLabels: { team: 'a' } } }, undefined],
    ['a selector without terms selects all', {}, { namespaceSelector: {} }, undefined],
  ])('%s', (_, metadata, spec, reason) => {
    expect(notRunReason(samplePod({}, metadata), binding(spec), { team: 'a' })?.reason).toBe(reason);
  });
});

describe('the lease', () => {
  const record = (status: LeasedNode['status']): LeasedNode => ({
    metadata: { name: 'b.node1', namespace: 'm' },
    spec: { cluster: 'b', nodeName: 'node1', nodeUID: 'u', policy: 'p' },
    ...(status && { status }),
  });

  test.each<[LeasedNode['status'], RegExp | undefined]>([
    [undefined, undefined],
    [{}, undefined],
    [{ phase: 'Active' }, undefined],
    [{ phase: 'Closed', reason: 'PolicyGone' }, /is Closed \(PolicyGone\) and takes no new pods$/],
    [{ phase: 'Closing', window: { opensAt: '2026-01-05T18:00:00Z' } }, /opens again at 2026-01-05T18:00:00Z$/],
    // No window gives back what the owner takes back, and of one that closed the agent's words say it already.
    [
      { phase: 'Closing', message: 'the owner takes it back now', window: { opensAt: '2026-01-05T18:00:00Z' } },
      /is Closing \(the owner takes it back now\) and takes no new pods$/,
    ],
  ])('%o', (status, message) => {
    const refusal = leaseRefusal(record(status));
    if (message) expect(refusal).toEqual({ reason: 'LeaseClosed', message: expect.stringMatching(message) as string });
    else expect(refusal).toBeUndefined();
  });

  test.each([
    ['fits exactly', { cpu: '1', pods: '1' }, undefined],
    ['too much cpu', { cpu: '1001m', pods: '1' }, 'OutOfcpu'],
    ['no place left', { cpu: '0', pods: '2' }, 'OutOfpods'],
    ['a resource that is not lent', { pods: '1', 'example.com/gpu': '1' }, 'OutOfexample.com/gpu'],
    ['zero of one that others overdraw', { pods: '1', memory: '0' }, undefined],
    ['zero of one that is not lent', { pods: '1', 'example.com/gpu': '0' }, undefined],
  ])('%s', (_, asked, reason) => {
    const others = parseResources({ cpu: '1', memory: '2Gi', pods: '2' });
    expect(misfit(parseResources(asked), others, { cpu: '2', memory: '1Gi', pods: '3' })?.reason).toBe(reason);
  });

  test('a record that lends nothing takes nothing', () => {
    expect(misfit(parseResources({ pods: '1' }), new Map(), undefined)?.reason).toBe('OutOfpods');
  });
});
