/**
 * Names that are derived, never looked up: each is a function of what it names, the same on every run and in every
 * process. Where a part has no bound, the name is cut and a hash keeps it distinct.
 */
import { hash } from 'node:crypto';
import type { KubeObject } from '../kube/types.ts';
import { Annotation } from './constants.ts';

const labelMax = 63;
const subdomainMax = 253;
const prefixMax = 30;

/** First 32 hex digits (128 bits) of the SHA-256 of the parts. Parts are joined by `/`, which no name or UID contains. */
function digest(...parts: string[]): string {
  return hash('sha256', parts.join('/'), 'hex').slice(0, 32);
}

/** Text cut to 30 characters that still ends (and starts) with a letter or digit, `-`, and the hash: at most 63. */
function cutWithHash(text: string, digits: string): string {
  const prefix = text.slice(0, prefixMax).replace(/[^A-Za-z0-9]+$/, '');
  return prefix === '' ? digits : `${prefix}-${digits}`;
}

/**
 * Name of the vnode of a worker node: `vnode-<clusterID>-<node>`, or cut and hashed when longer than 63 characters
 * (the name is also the value of the label kubernetes.io/hostname). Two bindings can come to the same plain name
 * (`a` + `b-c`, `a-b` + `c`); who finds the name taken by another binding's Node uses {@link vnodeHashedName}.
 */
export function vnodeName(clusterID: string, node: string): string {
  const plain = `vnode-${clusterID}-${node}`;
  return plain.length <= labelMax ? plain : vnodeHashedName(clusterID, node);
}

/** The name of a vnode that no other pair of clusterID and node can come to. */
export function vnodeHashedName(clusterID: string, node: string): string {
  return cutWithHash(`vnode-${clusterID}-${node}`, digest('vnode', clusterID, node));
}

/**
 * Every name that the vnode of a worker node may have. One that was adopted keeps the name that gocrane/kubeocean gave it,
 * which is another than ours where the plain name is too long; none is given it anew.
 */
export function vnodeNames(clusterID: string, node: string): readonly [string, string] {
  const plain = `vnode-${clusterID}-${node}`;
  const first = plain.length <= labelMax ? plain : migratedName(plain, plain);
  return [first, vnodeHashedName(clusterID, node)];
}

type Derived = Map<string, { text: string; name: string }>;

/**
 * Names that were derived lately. Controllers ask for the same ones again and again, for each pod at every look at it and
 * at its neighbours on the node, and a hash costs thirty times a look-up. Only saves work: dropped whole when full. By
 * binding, namespace, kind and the last part, so that nothing is joined to a text to find one.
 */
const derived = new Map<string, Map<string, Map<string, Derived>>>();
let derivedCount = 0;
const DERIVED_MOST = 50_000;

/** Kinds whose worker copies are named by {@link workerName}; a pod has no kind in its hash. */
export type CopiedKind = 'configmap' | 'secret' | 'persistentvolumeclaim';

/**
 * Name in the worker of the counterpart of a home pod, or with `kind` of the copy of a home object. Valid as a DNS
 * subdomain and as a label value, at most 63 characters.
 */
export function workerName(bindingUID: string, namespace: string, name: string, kind?: CopiedKind): string {
  return remembered(bindingUID, namespace, kind ?? 'pod', name, name, () =>
    kind ? digest(kind, bindingUID, namespace, name) : digest(bindingUID, namespace, name),
  );
}

/** `text` cut, with the digits, which all of the other parts and `text` decide. */
function remembered(
  bindingUID: string,
  namespace: string,
  kind: string,
  last: string,
  text: string,
  digits: () => string,
): string {
  const names = inMap(inMap(inMap(derived, bindingUID), namespace), kind);
  const known = names.get(last);
  if (known?.text === text) return known.name;
  const name = cutWithHash(text, digits());
  if (derivedCount++ >= DERIVED_MOST) {
    derived.clear();
    derivedCount = 0;
  } else names.set(last, { text, name });
  return name;
}

function inMap<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let inner = map.get(key);
  if (!inner) map.set(key, (inner = new Map()));
  return inner;
}

/**
 * Name that gocrane/kubeocean gave the counterpart of a home pod, which an adopted pod keeps: names never change. The cut is
 * by bytes there, and what is valid as a pod's name is ASCII.
 */
export function migratedWorkerName(namespace: string, name: string): string {
  return migratedName(name, `${namespace}/${name}`);
}

function migratedName(text: string, whole: string): string {
  return `${text.slice(0, prefixMax)}-${hash('md5', whole, 'hex')}`;
}

/**
 * {@link migratedWorkerName}, where the home pod says that its counterpart has it. Users may write what it says, so it decides
 * no more than that a pod of that name is looked for, too.
 */
export function migratedNameSaidBy({
  metadata: { namespace = '', name, annotations },
}: KubeObject): string | undefined {
  const said = annotations?.[Annotation.physicalPodName];
  return said !== undefined && said === migratedWorkerName(namespace, name) ? said : undefined;
}

/**
 * Whether a worker pod bears a name derived from the home pod `namespace/name`: ours, or the one it was adopted with. As
 * with any derived name, it counts only beside the binding's label and the home pod's UID.
 */
export function isWorkerNameOf(given: string, bindingUID: string, namespace: string, name: string): boolean {
  return given === workerName(bindingUID, namespace, name) || given === migratedWorkerName(namespace, name);
}

/**
 * Name in the worker of the Secret with the ServiceAccount tokens of one home pod. The pod's UID is in the hash: a
 * token is bound to the pod it was made for, so a new pod of the same name must not find the old one's.
 */
export function tokenSecretName(bindingUID: string, namespace: string, pod: string, podUID: string): string {
  return remembered(bindingUID, namespace, 'token', podUID, pod, () =>
    digest('token', bindingUID, namespace, pod, podUID),
  );
}

/**
 * Name of the LeasedNode of a binding and worker node: `<binding>.<node>`. Hashed, then without any dot, when that is
 * longer than 253 characters or the binding's own name has a dot (`a.b` + `c` would be `a` + `b.c`).
 */
export function leasedNodeName(binding: string, node: string): string {
  const plain = `${binding}.${node}`;
  if (plain.length <= subdomainMax && !binding.includes('.')) return plain;
  return cutWithHash(plain.replaceAll('.', '-'), digest('leasednode', binding, node));
}

/** Name of the Lease by which a binding claims its name in a mount namespace. */
export function claimName(binding: string): string {
  if (binding.length <= labelMax) return `kubeocean-claim.${binding}`;
  return `kubeocean-claim-${cutWithHash(binding, digest('claim', binding))}`;
}

/** Deployment, ServiceAccount, ClusterRoleBinding and RoleBindings of a binding's syncer. clusterID: at most 24. */
export function syncerName(clusterID: string): string {
  return `kubeocean-syncer-${clusterID}`;
}

/** Deployment, ServiceAccount, ClusterRoleBinding and headless Service of a binding's proxier. clusterID: at most 24. */
export function proxierName(clusterID: string): string {
  return `kubeocean-proxier-${clusterID}`;
}

/**
 * The text itself where it may be a label value (empty, or at most 63 of letters, digits, `-`, `_`, `.`, with a letter
 * or digit at both ends; k8s.io/apimachinery validation), otherwise a cut, cleaned and hashed form of it.
 */
export function labelValue(text: string): string {
  if (text.length <= labelMax && /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text)) return text;
  const clean = text.replace(/[^-A-Za-z0-9_.]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return cutWithHash(clean, digest('label', text));
}
