import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { runningProcesses } from './processes.ts';

const RS = { apiVersion: 'apps/v1', kind: 'ReplicaSet', uid: 'r', controller: true };

function pod(name: string, labels: Record<string, string> = {}, more: object = {}, owner?: string): KubeObject {
  const ownerReferences = owner === undefined ? [] : [{ ...RS, name: owner }];
  return { metadata: { namespace: 'kubeocean-system', name, labels, ownerReferences }, spec: {}, ...more };
}

function names(...pods: KubeObject[]): string[] {
  return runningProcesses(pods, 'a').map(({ metadata }) => metadata.name);
}

describe('a pod of gocrane/kubeocean whose Deployment is gone', () => {
  const mounts = [{ mountPath: '/etc/kubeocean/syncer-template' }];

  it.each([
    ['by the label of its template', pod('x', { 'k8s-app': 'kubeocean-syncer-a' })],
    ['by its ReplicaSet', pod('x', {}, {}, 'kubeocean-proxier-a-7d9f6c5b4')],
    ['by its name', pod('kubeocean-syncer-a-7d9f6c5b4-x2x4z')],
    [
      'by the templates that its manager mounts',
      pod('manager', {}, { spec: { containers: [{ volumeMounts: mounts }] } }),
    ],
    ['while it is being deleted', { ...pod('kubeocean-syncer-a-7d9f6c5b4-x2x4z'), status: { phase: 'Running' } }],
  ])('is known %s', (_, given) => expect(names(given)).toEqual([given.metadata.name]));

  it.each([
    ['of another clusterID, by label', pod('kubeocean-syncer-a-b', { 'k8s-app': 'kubeocean-syncer-b' })],
    ['of a clusterID that begins with this one', pod('kubeocean-syncer-a-b-7d9f6c5b4-x2x4z')],
    ['of such a ReplicaSet', pod('x', {}, {}, 'kubeocean-syncer-a-b-7d9f6c5b4')],
    ['of ours, of the same Deployment', pod('kubeocean-syncer-a-1-2', { 'kubeocean.io/component': 'syncer' })],
    ['that has ended', pod('kubeocean-syncer-a-1-2', {}, { status: { phase: 'Failed' } })],
    ['of somebody else', pod('web')],
  ])('is not one %s', (_, given) => expect(names(given)).toEqual([]));
});

it('what a Deployment selected counts as well, but not ours', () => {
  const labels = { app: 'renamed' };
  const ours = pod('ours', { ...labels, 'kubeocean.io/binding-uid': 'u' });
  const found = runningProcesses([pod('theirs', labels), ours, pod('other')], 'a', [labels, {}]);
  expect(found.map(({ metadata }) => metadata.name)).toEqual(['theirs']);
});
