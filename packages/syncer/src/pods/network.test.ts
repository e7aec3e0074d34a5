import { expect, test } from 'vitest';
import { FACTS, samplePod } from './samples.ts';
import { toWorkerPod } from './to-worker.ts';

test('ClusterFirst means home, with what the pod adds', () => {
  const dnsConfig = { nameservers: ['9.9.9.9'], searches: ['corp'], options: [{ name: 'ndots', value: '2' }] };
  expect(toWorkerPod(samplePod({ dnsConfig }), FACTS).spec).toMatchObject({
    dnsPolicy: 'None',
    dnsConfig: {
      nameservers: ['10.1.0.10', '9.9.9.9'],
      searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp'],
      options: [{ name: 'ndots', value: '2' }],
    },
  });
});

test.each([
  [{ dnsPolicy: 'Default' }, 'Default'],
  [{ dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'] } }, 'None'],
  [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, 'ClusterFirst'],
  [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, 'None'],
])('%o gives %s', (spec, policy) => {
  expect(toWorkerPod(samplePod(spec), FACTS).spec.dnsPolicy).toBe(policy);
});

test("without home's DNS no name is answered by the worker's", () => {
  const { dns: _, ...facts } = FACTS;
  expect(toWorkerPod(samplePod(), facts).spec).toMatchObject({ dnsPolicy: 'Default' });
});

test("kubernetes.default is home's API server", () => {
  const hostAliases = [{ ip: '1.2.3.4', hostnames: ['kubernetes'] }];
  expect(toWorkerPod(samplePod({ hostAliases }), FACTS).spec.hostAliases).toEqual([
    ...hostAliases,
    {
      ip: '10.1.0.1',
      hostnames: ['kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'],
    },
  ]);
});
