import { expect, test } from 'vitest';
import { dnsLeftOut } from './network.ts';
import { FACTS, samplePod } from '../samples.ts';
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

test('a search list that is full without home’s domains is cut to what API servers take, and its user is told', () => {
  const searches = Array.from({ length: 19 }, (_, at) => `${'a'.repeat(60)}.zone-${at}.${'b'.repeat(28)}.example`);
  const home = samplePod({ dnsConfig: { searches } });
  const asked = toWorkerPod(home, FACTS);
  const kept = asked.spec.dnsConfig?.searches ?? [];
  expect([searches, kept].map((list) => list.join(' ').length <= 2048)).toEqual([true, true]);
  expect(kept).toEqual(['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', ...searches.slice(0, 18)]);
  expect(dnsLeftOut(home, asked)).toContain(`without ${searches[18]}: `);
});

test('of several addresses of home’s DNS so many stay that the pod’s own nameservers fit', () => {
  const facts = { ...FACTS, dns: { servers: ['10.1.0.10', '10.1.0.11', '10.1.0.12'], domain: 'cluster.local' } };
  const nameserversFor = (nameservers: string[]) => {
    const home = samplePod({ dnsConfig: { nameservers } });
    const asked = toWorkerPod(home, facts);
    return [asked.spec.dnsConfig?.nameservers, dnsLeftOut(home, asked)];
  };
  expect(nameserversFor([])[0]).toEqual(facts.dns.servers);
  expect(nameserversFor(['9.9.9.9'])).toEqual([['10.1.0.10', '10.1.0.11', '9.9.9.9'], undefined]);
  const [kept, words] = nameserversFor(['9.9.9.7', '9.9.9.8', '9.9.9.9']);
  expect(kept).toEqual(['10.1.0.10', '9.9.9.7', '9.9.9.8']);
  expect(words).toContain('without 9.9.9.9: ');
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
