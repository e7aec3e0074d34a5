/** NetworkPolicies of home that do not hold for a pod on a vnode: of a workload, an event tells the first pod only. */
import { Label } from '@kubeocean/shared/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { command, type FakeCluster, listOf, startCluster } from '../fake-cluster.ts';
import { vnode } from './samples.ts';

const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';

let home: FakeCluster;
let node: object;
let phase: string;
let policies: object | number;

beforeEach(async () => {
  home = await startCluster();
  [node, phase] = [vnode, 'Running'];
  policies = listOf(
    { metadata: { name: 'deny' }, spec: { podSelector: {} } },
    { metadata: { name: 'web' }, spec: { podSelector: { matchLabels: { app: 'web' } } } },
    { metadata: { name: 'db' }, spec: { podSelector: { matchLabels: { app: 'db' } } } },
  );
  home.answers = ({ path }) => {
    const metadata = { namespace: 'default', name: 'web', uid: 'u', labels: { app: 'web' } };
    if (path.endsWith('/pods/web')) return { metadata, spec: { nodeName: 'n' }, status: { phase } };
    if (path === '/api/v1/nodes/n') return node;
    return path === POLICIES ? policies : listOf();
  };
});
afterEach(() => home.stop());

const explain = async () => (await command('explain', 'pod', 'web', '--kubeconfig', home.kubeconfig)).out;

test('each pod on a vnode is told of those that select it', async () => {
  expect(await explain()).toContain('  Not enforced for it: NetworkPolicies deny, web. It runs in a worker cluster');
});

test('whoever may not list them is told that it cannot be known', async () => {
  policies = 403;
  const text = await explain();
  expect(text).not.toContain('Not enforced');
  expect(text).toMatch(/What cannot be known:[^]*The networkpolicies of the computing cluster .*Forbidden/);
});

test.each<[string, () => void]>([
  ['on an ordinary node', () => (node = { metadata: { name: 'n', labels: { [Label.hostname]: 'n' } } })],
  ['that has ended', () => (phase = 'Succeeded')],
])('nothing is asked or said of a pod %s', async (_, change) => {
  change();
  expect(await explain()).not.toContain('NetworkPolic');
  expect(home.calls.join()).not.toContain('networkpolicies');
});
