import { type ClusterBinding, Label } from '@kubeocean/shared/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { command, type FakeCluster, listOf, startCluster } from '../fake-cluster.ts';
import { vnode } from './samples.ts';

let [home, other]: FakeCluster[] = [];
const binding = {
  metadata: { name: 'b', uid: 'binding' },
  spec: { clusterID: 'cls', mountNamespace: 'mount', secretRef: { namespace: 'kubeocean-system', name: 's' } },
  status: { workerUID: 'right' },
} satisfies ClusterBinding;
const labelled = { ...vnode, metadata: { ...vnode.metadata, labels: { [Label.clusterBinding]: 'b' } } };
const pod = {
  metadata: { namespace: 'default', name: 'web', uid: 'u' },
  spec: { nodeName: vnode.metadata.name },
  status: { phase: 'Running' },
};

beforeEach(async () => {
  [home, other] = await Promise.all([startCluster(), startCluster()]);
  if (!home) return;
  home.answers = ({ path }) => {
    if (path.endsWith('/pods/web')) return pod;
    if (path.endsWith('/clusterbindings')) return listOf(binding);
    if (path.endsWith(`/nodes/${vnode.metadata.name}`)) return labelled;
    return path.endsWith('/nodes') ? listOf(labelled) : listOf();
  };
});
afterEach(() => {
  home?.stop();
  other?.stop();
});

async function explain(kind: string, name: string, system: object | undefined, heartbeat?: object): Promise<string> {
  if (other) {
    other.answers = ({ path }) => {
      if (path === '/api/v1/namespaces/kube-system') return system;
      if (path.endsWith('/leases/kubeocean-agent')) return heartbeat;
      return /\/pods\/|\/leasednodes\/|\/resourceleasingpolicies\//.test(path) ? undefined : listOf();
    };
  }
  const flags = ['--kubeconfig', home?.kubeconfig ?? '', '--worker-kubeconfig', other?.kubeconfig ?? ''];
  return (await command('explain', kind, name, ...flags)).out;
}

const wrong = { metadata: { name: 'kube-system', uid: 'wrong' } };
const says = { metadata: { annotations: { 'kubeocean.io/worker-cluster-uid': 'wrong' } } };

test.each([
  ['pod', 'web', wrong, undefined],
  ['pod', 'web', undefined, says],
  ['node', vnode.metadata.name, wrong, undefined],
])('%s %s: another worker cluster is not believed', async (kind, name, system, heartbeat) => {
  const text = await explain(kind, name, system, heartbeat);
  expect(text).toMatch(/What cannot be known:[^]* is not that of the ClusterBinding b \(.*UID wrong, .* is right\)/);
  expect(text).not.toMatch(/has no pod|No ResourceLeasingPolicy/);
});

test.each([
  ['the right one', { metadata: { name: 'kube-system', uid: 'right' } }],
  ['one that may not be asked which it is', undefined],
])('%s is asked', async (_, system) => {
  expect(await explain('pod', 'web', system)).toContain('The worker cluster has no pod');
});
