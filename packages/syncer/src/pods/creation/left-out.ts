/**
 * What an API server left out of a pod that it was asked for: one that is older than a field, or has its feature gate off,
 * takes it off without a word. Pure.
 */
import { firstFew } from '@kubeocean/shared/api';
import type { Json } from '@kubeocean/shared/kube';
import type { Container, Pod, PodSpec } from '../types.ts';

/** By what the items of a list are told apart; those of others by their place. */
const KEYS = ['name', 'mountPath', 'devicePath', 'containerPort'] as const;

/**
 * Fields that home's API server sets by itself, or that older ones do not keep because nothing depends on them there: that
 * they are missing takes nothing from the pod. Whole volumes have words of their own (dropped-volumes.ts), and so has the
 * host's name.
 */
const IGNORED = ['resizePolicy', 'hostnameOverride'];
const WHOLE_VOLUME = /^volumes\[[^\]]*\]$/;
/** Names so many are told. */
const MOST_NAMED = 10;

/** Paths of the fields in the spec of `asked` that `made` has not got, such as `containers[main].lifecycle.stopSignal`. */
export function leftOut(asked: Pod, made: Pod): string[] {
  const paths: string[] = [];
  compareObjects(asked.spec, made.spec, '', paths);
  return paths.filter((path) => !WHOLE_VOLUME.test(path));
}

/** For the pod's user; undefined when nothing is missing. */
export function leftOutWords(asked: Pod, made: Pod): string | undefined {
  const paths = leftOut(asked, made);
  if (paths.length === 0) return undefined;
  return `the worker cluster runs the pod without ${firstFew(paths, MOST_NAMED)}: its API server is too old for it, or its feature gates or webhooks take it off`;
}

/**
 * The same of the host name, in words of its own: the field is there because home's pod has it, or `setHostnameAsFQDN`. API
 * servers take only one of the two.
 */
export function hostnameWords(home: Pod, asked: Pod, made: Pod): string | undefined {
  if (asked.spec.hostnameOverride === undefined || made.spec.hostnameOverride !== undefined) return undefined;
  const field = home.spec.hostnameOverride === undefined ? 'setHostnameAsFQDN' : 'hostnameOverride';
  return `the worker cluster is too old for ${field}, which needs Kubernetes 1.35 there: the host name is ${asked.spec.hostname}`;
}

function compareObjects(asked: Json, made: Json, path: string, paths: string[]): void {
  for (const field of Object.keys(asked)) {
    if (IGNORED.includes(field)) continue;
    compare(asked[field], made[field], path ? `${path}.${field}` : field, paths);
  }
}

function compare(asked: unknown, made: unknown, path: string, paths: string[]): void {
  if (isEmpty(asked) || asked === made) return;
  if (made === undefined || made === null) {
    // The one value to which it is set by default where its feature is on.
    if (!(path.endsWith('.procMount') && asked === 'Default')) paths.push(path);
    return;
  }
  // A value that is another is somebody's decision.
  if (typeof asked !== 'object' || typeof made !== 'object' || asked === null) return;
  if (Array.isArray(asked)) {
    if (Array.isArray(made)) compareLists(asked, made, path, paths);
  } else compareObjects(asked as Json, made as Json, path, paths);
}

function compareLists(asked: readonly unknown[], made: readonly unknown[], path: string, paths: string[]): void {
  const key = KEYS.find((each) => keyIn(asked[0], each) !== undefined);
  if (key === undefined) {
    if (made.length !== asked.length) return;
    for (const [at, item] of asked.entries()) compare(item, made[at], `${path}[${at}]`, paths);
    return;
  }
  let byKey: Map<unknown, unknown> | undefined;
  for (const [at, item] of asked.entries()) {
    const name = keyIn(item, key);
    let counterpart = made[at];
    if (keyIn(counterpart, key) !== name) {
      byKey ??= new Map(made.map((each) => [keyIn(each, key), each]));
      counterpart = byKey.get(name);
    }
    compare(item, counterpart, `${path}[${String(name)}]`, paths);
  }
}

function keyIn(item: unknown, key: string): unknown {
  return typeof item === 'object' && item !== null ? (item as Json)[key] : undefined;
}

/** What API servers leave out because it says nothing. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

/** What of a pod isolates or limits it, or decides when it ends; without it the pod must not be run. */
type Guard =
  | 'hostUsers'
  | 'supplementalGroupsPolicy'
  | 'seccompProfile'
  | 'appArmorProfile'
  | 'procMount'
  | 'recursiveReadOnly'
  | 'bindMountOptions'
  | 'mode of emptyDir'
  | 'resources of the pod'
  | 'sidecars'
  | 'restartPolicy of containers';

/** What of a mount keeps its container from something. */
interface Mount {
  mountPath?: string;
  recursiveReadOnly?: string;
  bindMountOptions?: string[];
}

interface SecurityContext {
  supplementalGroupsPolicy?: string;
  seccompProfile?: unknown;
  appArmorProfile?: unknown;
  procMount?: string;
}

/** The guards that the pod has, in a form that is the same as long as they are. */
export function guardsOf({ spec }: Pod): Map<Guard, string> {
  const guards = new Map<Guard, string>();
  const add = (guard: Guard, what: string) => guards.set(guard, `${guards.get(guard) ?? ''}${what};`);
  if (spec['hostUsers'] === false) add('hostUsers', '');
  const own = securityOf(spec);
  if (own.supplementalGroupsPolicy === 'Strict') add('supplementalGroupsPolicy', '');
  const named: [string, Container | Pod['spec']][] = [['', spec]];
  const { containers, initContainers = [] } = spec;
  for (const container of [...initContainers, ...containers]) named.push([container.name, container]);
  for (const [name, holder] of named) {
    const { seccompProfile, appArmorProfile, procMount } = securityOf(holder);
    if (seccompProfile) add('seccompProfile', name);
    if (appArmorProfile) add('appArmorProfile', name);
    if (procMount !== undefined && procMount !== 'Default') add('procMount', `${name}=${procMount}`);
  }
  for (const container of [...initContainers, ...containers]) {
    for (const { mountPath, recursiveReadOnly, bindMountOptions = [] } of mountsOf(container)) {
      // IfPossible takes what it gets.
      if (recursiveReadOnly === 'Enabled') add('recursiveReadOnly', `${container.name}:${mountPath}`);
      for (const option of bindMountOptions) add('bindMountOptions', `${container.name}:${mountPath}=${option}`);
    }
  }
  for (const { name, ...source } of spec.volumes ?? []) {
    const { mode } = (source['emptyDir'] ?? {}) as { mode?: number };
    if (mode !== undefined) add('mode of emptyDir', `${name}=${mode}`);
  }
  if (hasAmounts(spec.resources)) add('resources of the pod', '');
  for (const container of [...initContainers, ...containers]) {
    const { name, restartPolicy } = container;
    if (restartPolicy === 'Always' && initContainers.includes(container)) add('sidecars', name);
    // Its own in the place of the pod's: one that is to run once would be run again and again.
    else if (restartPolicy !== undefined && restartPolicy !== spec['restartPolicy']) {
      add('restartPolicy of containers', name);
    }
    if (!isEmpty(container['restartPolicyRules'])) add('restartPolicy of containers', `rules of ${name}`);
  }
  return guards;
}

/** Guards of `asked` that `made` has not got. */
export function guardsLost(asked: Pod, made: Pod): Guard[] {
  const kept = guardsOf(made);
  return [...guardsOf(asked)].flatMap(([guard, what]) => (covers(kept.get(guard), what) ? [] : [guard]));
}

/** Others may be added (a webhook's sidecar). */
function covers(kept: string | undefined, asked: string): boolean {
  if (kept === undefined) return false;
  const parts = new Set(kept.split(';'));
  return asked.split(';').every((part) => parts.has(part));
}

export function guardsWords(lost: readonly Guard[], does: 'runs' | 'would run'): string {
  return `the worker cluster ${does} the pod without what isolates or limits it, or decides when it ends (${lost.join(', ')}): its API server is too old for that, or its feature gates or webhooks take it off`;
}

function hasAmounts({ requests, limits }: PodSpec['resources'] = {}): boolean {
  return !isEmpty(requests) || !isEmpty(limits);
}

function mountsOf(container: Container): Mount[] {
  return (container['volumeMounts'] ?? []) as Mount[];
}

function securityOf(holder: Json): SecurityContext {
  return holder['securityContext'] ?? {};
}
