/** Names in a worker pod are those of the computing cluster: its DNS, and its API server under the usual names. Pure. */
import { isIP } from 'node:net';
import { firstFew } from '@kubeocean/shared/api';
import type { WorkerFacts } from './to-worker.ts';
import type { DnsConfig, Pod, PodSpec } from '../types.ts';

/**
 * What a pod may have at most (k8s.io/kubernetes/pkg/apis/core/validation): nameservers, search domains, and characters of these
 * with a space between each two. At home a kubelet adds its own after that was checked, and leaves out what is too much then.
 */
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
/** Of what does not fit so many are named. */
const MOST_NAMED = 3;

/** dnsPolicy and dnsConfig as a kubelet of the computing cluster would have meant them. */
export function dnsOf(home: Pod, facts: WorkerFacts): Pick<PodSpec, 'dnsPolicy' | 'dnsConfig'> {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = home.spec;
  const kept = { dnsPolicy, ...(dnsConfig && { dnsConfig }) };
  const wantsCluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  if (!wantsCluster) return kept;
  // Without home's DNS a name must rather not resolve than be answered by the worker's DNS with a stranger's address.
  if (!facts.dns || facts.dns.servers.length === 0) return { ...kept, dnsPolicy: 'Default' };
  const { servers, domain } = facts.dns;
  const searches = [`${home.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  const own = dnsConfig?.nameservers ?? [];
  // Of home's, which are replicas of one service as a rule, one will do where the pod has its own.
  const fewer = servers.slice(0, Math.max(1, MAX_NAMESERVERS - own.length));
  const config: DnsConfig = {
    nameservers: unique([...fewer, ...own]).slice(0, MAX_NAMESERVERS),
    searches: fitting(unique([...searches, ...(dnsConfig?.searches ?? [])])),
    options: [
      ...(dnsConfig?.options?.some((option) => option.name === 'ndots') ? [] : [{ name: 'ndots', value: '5' }]),
      ...(dnsConfig?.options ?? []),
    ],
  };
  return { dnsPolicy: 'None', dnsConfig: { ...dnsConfig, ...config } };
}

/** The first of them that fit (k8s.io/kubernetes/pkg/kubelet/network/dns formDNSSearchFitsLimits). */
function fitting(searches: string[]): string[] {
  const kept = searches.slice(0, MAX_SEARCHES);
  while (kept.join(' ').length > MAX_SEARCH_CHARACTERS) kept.pop();
  return kept;
}

/** For the user of a pod whose own `dnsConfig` does not fit beside home's DNS; undefined when all of it does. */
export function dnsLeftOut(home: Pod, asked: Pod): string | undefined {
  const [own, kept] = [home.spec.dnsConfig, asked.spec.dnsConfig];
  const left = [
    ...(own?.nameservers ?? []).filter((server) => !kept?.nameservers?.includes(server)),
    ...(own?.searches ?? []).filter((domain) => !kept?.searches?.includes(domain)),
  ];
  if (left.length === 0) return undefined;
  return `the pod has its DNS configuration without ${firstFew(left, MOST_NAMED)}: with those of the cluster, ${MAX_NAMESERVERS} nameservers and ${MAX_SEARCHES} search domains of ${MAX_SEARCH_CHARACTERS} characters together are the most`;
}

/** The pod's host aliases and one for home's API server; a name that the pod itself defines stays the pod's. */
export function hostAliasesOf(home: Pod, facts: WorkerFacts): PodSpec['hostAliases'] {
  const own = home.spec.hostAliases;
  const ip = facts.apiServer?.host;
  if (!ip || isIP(ip) === 0) return own;
  const taken = new Set(own?.flatMap((alias) => alias.hostnames ?? []));
  const domain = facts.dns?.domain;
  const hostnames = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    ...(domain ? [`kubernetes.default.svc.${domain}`] : []),
  ].filter((name) => !taken.has(name));
  return hostnames.length === 0 ? own : [...(own ?? []), { ip, hostnames }];
}

/**
 * The host name that the pod has at home: its own, or its name cut to 63. A name with dots is a valid pod name but no
 * valid spec.hostname, so dots become dashes.
 *
 * A subdomain is not carried: the worker's kubelet would make a name of it in the mount namespace, which nobody can
 * resolve. With `setHostnameAsFQDN` the host name is home's whole name by `hostnameOverride` (KEP-4762), which workers
 * from 1.35 on know; an older one leaves it out of the pod, and the host name is the short one.
 */
export function namesOf(home: Pod, facts: WorkerFacts): Pick<PodSpec, 'hostname' | 'hostnameOverride'> {
  const { hostname, subdomain, setHostnameAsFQDN, hostNetwork } = home.spec;
  if (hostNetwork) return hostname === undefined ? {} : { hostname };
  const short = hostname || home.metadata.name.replaceAll('.', '-').slice(0, 63).replace(/-+$/, '');
  if (!setHostnameAsFQDN || !subdomain) return { hostname: short };
  const domain = facts.dns?.domain ?? 'cluster.local';
  return { hostname: short, hostnameOverride: `${short}.${subdomain}.${home.metadata.namespace}.svc.${domain}` };
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}
