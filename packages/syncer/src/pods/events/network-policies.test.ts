import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { isolates, type NetworkPolicy, tellOf, wordsForPod } from './network-policies.ts';
import { samplePod } from '../samples.ts';
import type { Pod } from '../types.ts';

function policy(name: string, podSelector: object = {}, metadata: object = {}): NetworkPolicy {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, generation: 1, ...metadata },
    spec: { podSelector },
  };
}

test.each<[string, NetworkPolicy, boolean]>([
  ['all pods of its namespace', policy('all'), true],
  ['these labels', policy('web', { matchLabels: { app: 'web' } }), true],
  ['other labels', policy('db', { matchLabels: { app: 'db' } }), false],
  ['by an expression', policy('ex', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['db'] }] }), true],
  ['labels that are not there', policy('no', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }), false],
  ['all pods of another namespace', policy('all', {}, { namespace: 'other' }), false],
])('a policy for %s', (_name, given, expected) => {
  expect(isolates(given, samplePod())).toBe(expected);
});

test('a pod is told by name, of the first five', () => {
  expect(wordsForPod([policy('b'), policy('a')])).toMatch(/^not enforced for this pod: NetworkPolicies a, b\. /);
  const many = Array.from({ length: 7 }, (_, n) => policy(`p${n}`));
  expect(wordsForPod(many)).toMatch(/NetworkPolicies p0, p1, p2, p3, p4 and 2 more\. /);
});

function world() {
  const homePods = new Store<KubeObject>();
  const vnodes = new Store<KubeObject>();
  const policies = new Store<NetworkPolicy>({ namespace: ({ metadata }) => [metadata.namespace ?? ''] });
  vnodes.set({ metadata: { name: 'vnode-cls-example-node1' } });
  const told: string[] = [];
  const homeEvents = {
    event: (subject: { kind: string; metadata: { name: string } }, type: string, reason: string) => {
      told.push(`${type} ${reason} ${subject.kind} ${subject.metadata.name}`);
    },
    flush: () => Promise.resolve(),
  };
  const stores = { homePods, vnodes } as unknown as Parameters<typeof tellOf>[0]['stores'];
  const watch = tellOf({ bindingName: 'example-cluster', homeEvents, stores }, policies);
  return { homePods, policies, watch, told };
}

function named(name: string, metadata: Record<string, unknown> = {}): Pod {
  return samplePod({}, { name, uid: `uid-${name}`, ...metadata });
}

test('each workload is told once, each policy once; a policy that is changed is told again', () => {
  const { policies, watch, told } = world();
  policies.replace([policy('deny'), policy('db', { matchLabels: { app: 'db' } })]);
  for (const name of ['web-1', 'web-2', 'web-3']) watch.made(named(name));
  const [onPolicy, onPod] = [
    'Warning NetworkPolicyNotEnforced NetworkPolicy deny',
    'Warning NetworkPolicyNotEnforced Pod',
  ];
  expect(told).toEqual([onPolicy, `${onPod} web-1`]);
  watch.made(named('alone', { ownerReferences: undefined }));
  expect(told.slice(2)).toEqual([`${onPod} alone`]);
  policies.set(policy('deny', { matchLabels: { app: 'web' } }, { generation: 2 }));
  watch.made(named('web-4'));
  expect(told.slice(3)).toEqual([onPolicy]);
});

test('pods that are made before the policies are listed are told of them, too', async () => {
  const { policies, watch, told } = world();
  watch.made(named('web-1'));
  watch.made(named('alone', { ownerReferences: undefined, labels: {} }));
  policies.replace([policy('deny', { matchLabels: { app: 'web' } })]);
  await policies.synced;
  const [onPolicy, onPod] = ['NetworkPolicy deny', 'Pod web-1'];
  expect(told).toEqual([onPolicy, onPod].map((subject) => `Warning NetworkPolicyNotEnforced ${subject}`));
});

test('a policy that comes when its pods run is told of them; one that was there before us is not, until a pod is made', () => {
  const { homePods, policies, told } = world();
  homePods.set(named('elsewhere', { labels: { app: 'db' } }));
  homePods.set(samplePod({ nodeName: 'vnode-of-another' }, { name: 'foreign' }));
  policies.replace([policy('before')]);
  expect(told).toEqual([]);
  policies.set(policy('after', { matchLabels: { app: 'web' } }));
  expect(told).toEqual([]);
  homePods.set(named('web-1'));
  policies.set(policy('later', { matchLabels: { app: 'web' } }));
  policies.set(policy('later', { matchLabels: { app: 'web' } }, { resourceVersion: '2' }));
  expect(told).toEqual(['Warning NetworkPolicyNotEnforced NetworkPolicy later']);
});
