/**
 * The NetworkPolicy of mount namespaces: what the chart renders is taken by a real API server, and lets lent pods reach
 * what it should. The network plug-in of the test clusters enforces none, so packets are not tried: the object is judged by
 * the rules of the API (an address is reached when some rule of the policy that selects the pod names it).
 */
import { BlockList } from 'node:net';
import type { KubeObject } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { cleanup, client, kubectl, rendered, uniqueName } from './harness/index.ts';

interface Peer {
  ipBlock?: { cidr: string; except?: string[] };
  podSelector?: object;
  namespaceSelector?: { matchLabels: Record<string, string> };
}
interface Rule {
  to?: Peer[];
  from?: Peer[];
  ports?: { protocol: string; port: number }[];
}
interface NetworkPolicy extends KubeObject {
  spec: { podSelector: object; policyTypes: string[]; ingress: Rule[]; egress: Rule[] };
}

const NetworkPolicies = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
  namespaced: true,
};
const worker = client('worker-1');
const id = uniqueName('network');
const namespaces = [`${id}-a`, `${id}-b`];
const policies = new Map<string, NetworkPolicy[]>();

beforeAll(async () => {
  const tenants = namespaces.map((namespace) => ({ namespace, serviceAccount: 's', bindings: ['*'] }));
  const networkPolicy = {
    mode: 'restricted',
    computingCIDRs: ['10.20.0.0/16', 'fd00:20::/48'],
    allowedCIDRs: [{ cidr: '0.0.0.0/0', except: ['169.254.0.0/16', '10.0.0.0/8'] }],
  };
  const only = ['tenants', 'network-policy'];
  const input = await rendered('kubeocean-worker', { only, values: { tenants, networkPolicy } });
  cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', '-'], { input }));
  await kubectl('worker-1', ['apply', '-f', '-'], { input });
  for (const namespace of namespaces) {
    policies.set(namespace, (await worker.list<NetworkPolicy>(NetworkPolicies, { namespace })).items);
  }
});

function spec(namespace = namespaces[0] as string): NetworkPolicy['spec'] {
  const [policy] = policies.get(namespace) ?? [];
  if (!policy) throw new Error(`no NetworkPolicy in ${namespace}`);
  return policy.spec;
}

/** Whether a rule without ports names the address. */
function reaches(rules: readonly Rule[], address: string): boolean {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const within = (cidr: string) => {
    const [net = '', bits = ''] = cidr.split('/');
    if (net.includes(':') !== address.includes(':')) return false;
    const list = new BlockList();
    list.addSubnet(net, Number(bits), family);
    return list.check(address, family);
  };
  return rules.some(
    ({ to = [], from = [], ports }) =>
      ports === undefined &&
      [...to, ...from].some(
        ({ ipBlock }) => ipBlock && within(ipBlock.cidr) && !(ipBlock.except ?? []).some((cidr) => within(cidr)),
      ),
  );
}

describe('the NetworkPolicy of a mount namespace', () => {
  test('is there once in each, and holds every pod in it, both ways', () => {
    for (const namespace of namespaces) {
      expect(policies.get(namespace)).toHaveLength(1);
      expect(spec(namespace)).toMatchObject({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    }
  });

  test.each([
    ['the computing cluster', '10.20.7.7', true],
    ['the computing cluster, IPv6', 'fd00:20::7', true],
    ['the Internet', '203.0.113.7', true],
    ["a cloud's metadata service", '169.254.169.254', false],
    ["this cluster's nodes", '10.0.0.7', false],
    ['another IPv6 network', 'fd00:30::7', false],
  ])('%s (%s): %s', (_, address, reached) => {
    expect([reaches(spec().egress, address), reaches(spec().ingress, address)]).toEqual([reached, reached]);
  });

  test('of pods of this cluster only those beside it, and its DNS by port 53', () => {
    const peers = spec().egress.flatMap(({ to = [], ports }) =>
      to.flatMap((peer) => (peer.ipBlock ? [] : [{ ...peer, ports: ports?.map(({ port }) => port) }])),
    );
    expect(peers).toEqual([
      { podSelector: {}, ports: undefined },
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
        podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
        ports: [53, 53],
      },
    ]);
    const callers = spec().ingress.flatMap(({ from = [] }) => from.filter(({ ipBlock }) => !ipBlock));
    expect(callers).toEqual([{ podSelector: {} }]);
  });
});
