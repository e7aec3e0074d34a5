/** What a record says is untrusted: only what Kubernetes itself would accept, in bounded number and size, gets through. */
import { Label, type Taint, TaintKey } from '@kubeocean/shared/api';
import { type Condition, isObject, type Json } from '@kubeocean/shared/kube';
import { formatQuantity, parseQuantity, rfc3339 } from '@kubeocean/shared/lease';
import { cutWords } from '../cut.ts';

/**
 * Most labels, taints, conditions and resources taken from one record. Those of Kubernetes itself come before all others: a node
 * without its condition Ready counts as lost, and one without `pods` takes none.
 */
const MOST = { labels: 128, taints: 32, conditions: 32, resources: 64 } as const;
const MESSAGE_LENGTH = 1024;

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
/** Years that RFC 3339 can write. */
export const LATEST = Date.parse('9999-12-31T23:59:59Z');
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** The time as an API server would write it; undefined for what it would not take: a 30th of February, a 25th hour. */
function carriedTime(text: unknown): string | undefined {
  const time = typeof text === 'string' && TIME.test(text) ? Date.parse(text) : Number.NaN;
  return time >= 0 && time <= LATEST ? rfc3339(new Date(time)) : undefined;
}

/** What a Node can be called: a vnode of any other name would be asked for, and refused by home, again and again. */
export function isNodeName(text: unknown): boolean {
  return typeof text === 'string' && text.length <= 253 && DOMAIN.test(text);
}

/** A qualified name: `name` or `domain/name` (apimachinery's IsQualifiedName). */
function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return NAME.test(key);
  const domain = key.slice(0, slash);
  return domain.length <= 253 && DOMAIN.test(domain) && NAME.test(key.slice(slash + 1));
}

export function isLabelValue(value: unknown): value is string {
  return typeof value === 'string' && (value === '' || NAME.test(value));
}

/** Labels of Kubernetes' own domains that say something of the machine and not of its membership in a cluster. */
const CARRIED_LABELS: readonly string[] = [
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
];
/** What Kubeocean itself sets or reads; a worker node's labels of these names mean nothing at home. */
const RESERVED_LABELS: ReadonlySet<string> = new Set(Object.values(Label));

function domainOf(key: string): string {
  return key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
}

function isKubernetesDomain(domain: string): boolean {
  return /(?:^|\.)(?:kubernetes|k8s)\.io$/.test(domain);
}

/** Labels of the worker node that its vnode shows (hardening 18). */
export function carriedLabels(labels: unknown): Record<string, string> {
  const carried: [key: string, value: string][] = [];
  for (const [key, value] of entries(labels, (key) => isKubernetesDomain(domainOf(key)))) {
    // Of those that are shown: node-feature-discovery alone puts hundreds on a node that are not.
    if (carried.length >= MOST.labels) break;
    if (!isQualifiedName(key) || !isLabelValue(value) || RESERVED_LABELS.has(key)) continue;
    const domain = domainOf(key);
    const topology = domain === 'topology.kubernetes.io';
    if (isKubernetesDomain(domain) && !topology && !CARRIED_LABELS.includes(key)) continue;
    carried.push([key, value]);
  }
  return Object.fromEntries(carried);
}

/** Prefix of taints that Cilium's operator takes off, at once, every Node of its cluster with a Ready pod of Cilium's DaemonSet. */
const CILIUM_TAINTS = 'node.cilium.io/';
/** Prefixes of taints that a component of the home cluster acts on. */
const REFUSED_TAINT_PREFIXES = [TaintKey.kubernetesNodePrefix, 'node.cloudprovider.kubernetes.io/', CILIUM_TAINTS];
/** Taints that say what the syncer itself knows. */
const OWN_TAINTS: readonly string[] = [
  TaintKey.vnode,
  TaintKey.physicalNodeUnschedulable,
  TaintKey.vnodeDeleting,
  TaintKey.leaseUnknown,
  TaintKey.workerUnreachable,
];

/** Taints of a record that its vnode shows. */
export function carriedTaints(taints: unknown): Taint[] {
  if (!Array.isArray(taints)) return [];
  const carried: Taint[] = [];
  const seen = new Set<string>();
  for (const taint of taints as unknown[]) {
    if (!isObject(taint) || carried.length >= MOST.taints) continue;
    const { key, value, effect, timeAdded } = taint as Partial<Taint>;
    if (typeof key !== 'string' || !isQualifiedName(key) || (value !== undefined && !isLabelValue(value))) continue;
    if (effect !== 'NoSchedule' && effect !== 'PreferNoSchedule' && effect !== 'NoExecute') continue;
    if (OWN_TAINTS.includes(key) || REFUSED_TAINT_PREFIXES.some((prefix) => key.startsWith(prefix))) continue;
    // Kubernetes refuses a Node with two taints of the same key and effect.
    if (seen.has(`${key}:${effect}`)) continue;
    seen.add(`${key}:${effect}`);
    const time = carriedTime(timeAdded);
    carried.push({ key, ...(value && { value }), effect, ...(time !== undefined && { timeAdded: time }) });
  }
  return carried;
}

/** Said of every Node by the network of the cluster that it is in: Cilium's operator, the routes of a cloud. */
export const NETWORK_UNAVAILABLE = 'NetworkUnavailable';

/**
 * Whether the network of the worker node is not up, so that its own cluster places no pods there. It is not shown in the
 * words of the worker's network, which home's network would put right, and we again, for ever.
 */
export function isWithoutNetwork(taints: unknown, conditions: unknown): boolean {
  const isCilium = (key: unknown) => typeof key === 'string' && key.startsWith(CILIUM_TAINTS);
  return (
    someOf(conditions, ({ type, status }) => type === NETWORK_UNAVAILABLE && status === 'True') ||
    someOf(taints, ({ key, effect }) => isCilium(key) && (effect === 'NoSchedule' || effect === 'NoExecute'))
  );
}

function someOf(list: unknown, is: (item: Json) => boolean): boolean {
  return Array.isArray(list) && list.some((item: unknown) => isObject(item) && is(item));
}

/** Conditions of the worker node, without heartbeat times. */
export function carriedConditions(conditions: unknown): Condition[] {
  if (!Array.isArray(conditions)) return [];
  const carried = new Map<string, Condition>();
  const isReady = (condition: unknown) => isObject(condition) && condition['type'] === 'Ready';
  for (const condition of firstOf(conditions as unknown[], isReady)) {
    if (!isObject(condition) || carried.size >= MOST.conditions) continue;
    const { type, status, reason, message, lastTransitionTime } = condition as Partial<Condition>;
    if (typeof type !== 'string' || !isQualifiedName(type)) continue;
    if (status !== 'True' && status !== 'False' && status !== 'Unknown') continue;
    if (type === NETWORK_UNAVAILABLE && status !== 'False') continue;
    const changed = carriedTime(lastTransitionTime);
    carried.set(type, {
      type,
      status,
      ...(typeof reason === 'string' && reason && { reason: cutWords(reason, MESSAGE_LENGTH) }),
      ...(typeof message === 'string' && message && { message: cutWords(message, MESSAGE_LENGTH) }),
      ...(changed !== undefined && { lastTransitionTime: changed }),
    });
  }
  return [...carried.values()];
}

/** Resources without a domain that a Node may have (core/v1 ResourceName); all others are extended ones. */
const PLAIN_RESOURCES = /^(?:cpu|memory|ephemeral-storage|pods|hugepages-[0-9A-Za-z]+|attachable-volumes-[-0-9a-z]+)$/;
/** Resources that may be fractions; Kubernetes refuses a Node with a part of any other. */
const FRACTIONS: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];
const ONE = 1_000_000_000n;

/**
 * Resources that are lent, in the form in which an API server gives them back, so that they compare as texts. What
 * cannot be read or is negative is left out: what is not named cannot be used.
 */
export function carriedResources(resources: unknown): Record<string, string> {
  const carried: [name: string, quantity: string][] = [];
  for (const [name, text] of entries(resources, (key) => domainOf(key) === '')) {
    if (carried.length >= MOST.resources) break;
    if (!isQualifiedName(name) || (!name.includes('/') && !PLAIN_RESOURCES.test(name))) continue;
    if (typeof text !== 'string' && typeof text !== 'number') continue;
    try {
      const quantity = parseQuantity(text);
      if (quantity.nanos < 0n || (quantity.nanos % ONE !== 0n && !FRACTIONS.includes(name))) continue;
      carried.push([name, formatQuantity(quantity)]);
    } catch {
      // Not a quantity (the one thing parseQuantity throws for): left out, as said above.
    }
  }
  return Object.fromEntries(carried);
}

/** core/v1 NodeSystemInfo: its text fields, cut. */
const NODE_INFO_FIELDS = [
  'machineID',
  'systemUUID',
  'bootID',
  'kernelVersion',
  'osImage',
  'containerRuntimeVersion',
  'kubeletVersion',
  'kubeProxyVersion',
  'operatingSystem',
  'architecture',
] as const;

export function carriedNodeInfo(info: unknown): Record<string, string> {
  const source = isObject(info) ? info : {};
  // All of them are required by the schema of Node, so absent ones are empty.
  return Object.fromEntries(
    NODE_INFO_FIELDS.map((field) => {
      const value = source[field];
      return [field, typeof value === 'string' ? cutWords(value, 256) : ''];
    }),
  );
}

/** In the order of the keys, so that always the same ones are among the first, after those of which `isOwn` says so. */
function entries(map: unknown, isOwn: (key: string) => boolean): [string, unknown][] {
  if (!isObject(map)) return [];
  const sorted = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  return firstOf(sorted, ([key]) => isOwn(key));
}

/** Those that `isOwn`, then all others, each in the order given. */
function firstOf<T>(list: readonly T[], isOwn: (item: T) => boolean): T[] {
  return [...list.filter(isOwn), ...list.filter((item) => !isOwn(item))];
}
