/**
 * Home pod → worker pod. Pure: no clock, no network, no store. Everything of the spec is carried, fields unknown here
 * included, except what this file and its neighbours (volumes, environment, network, downward) say.
 * docs/pods.md is the table of it.
 */
import { Annotation, ChartName, Finalizer, Label, labelValue, ManagedByValue, workerName } from '@kubeocean/shared/api';
import { askedText, asksFor } from './asked.ts';
import { downwardAnnotations } from './downward.ts';
import { rename, translateContainer } from './environment.ts';
import { dnsOf, hostAliasesOf, namesOf } from './network.ts';
import { Refusal } from './refusal.ts';
import type { ServiceAddress } from './service-variables.ts';
import { controllerOf, type Pod, type PodSpec } from '../types.ts';
import { translateVolume } from './volumes.ts';

/** What the translation must know beside the pod. */
export interface WorkerFacts {
  bindingName: string;
  bindingUID: string;
  mountNamespace: string;
  /** Worker node behind the pod's vnode. */
  node: string;
  /** Name the node directly instead of letting the worker's scheduler check it. */
  directScheduling: boolean;
  /** Empty: the chart's class. */
  priorityClassName?: string;
  /** Home's API server as worker pods reach it. */
  apiServer?: { host: string; port: number };
  /** Home's DNS servers as worker pods reach them, and the cluster domain. */
  dns?: { servers: string[]; domain: string };
  /** Services of the pod's namespace at home, for its environment, in the order of their names. */
  services?: readonly ServiceAddress[];
  /** Claims in the worker by name of the pod's volume. */
  claims?: ReadonlyMap<string, string>;
  /** Home labels and annotations whose key begins with one of these are carried. Default: none. */
  carriedPrefixes?: readonly string[];
}

/** Set anew here, or never carried: each of them means something else, or gives power, in the worker cluster. */
const NOT_CARRIED = [
  'nodeName',
  'nodeSelector',
  'affinity',
  'topologySpreadConstraints',
  'schedulerName',
  'schedulingGates',
  'priority',
  'priorityClassName',
  'preemptionPolicy',
  'serviceAccount',
  'serviceAccountName',
  'readinessGates',
  // Of groups of pods that are placed together (KEP-4671): home's scheduler's.
  'workloadRef',
  'schedulingGroup',
  // Controllers of home that are to see to an eviction (KEP-4563): the worker would wait for each of them, 20 minutes long.
  'evictionResponders',
  // Taken up by a subresource once the pod is there (following/changes.ts).
  'ephemeralContainers',
  'subdomain',
  'setHostnameAsFQDN',
] as const;

/** The labels by which everything of a binding in the worker is found, and known to be its own. */
export function bindingLabels(facts: { bindingName: string; bindingUID: string }): Record<string, string> {
  return {
    [Label.managedBy]: ManagedByValue,
    [Label.clusterBinding]: labelValue(facts.bindingName),
    [Label.bindingUID]: facts.bindingUID,
  };
}

/** What a worker pod carries to be found and known by: the same as long as its home pod is the same. */
export function ownMetadata(
  home: Pod,
  facts: { bindingName: string; bindingUID: string },
): { labels: Record<string, string>; annotations: Record<string, string> } {
  const { namespace = '', name, uid = '' } = home.metadata;
  return {
    labels: { ...bindingLabels(facts), [Label.virtualNamespace]: namespace },
    annotations: {
      [Annotation.virtualPodNamespace]: namespace,
      [Annotation.virtualPodName]: name,
      [Annotation.virtualPodUID]: uid,
      [Annotation.virtualNodeName]: home.spec.nodeName ?? '',
    },
  };
}

/** @throws Refusal when the pod cannot be carried as it is. */
export function toWorkerPod(home: Pod, facts: WorkerFacts): Pod {
  if ((home.spec.resourceClaims?.length ?? 0) > 0) {
    throw new Refusal('ResourceClaimsNotCarried', 'resource claims (spec.resourceClaims) are not carried to a worker');
  }
  const { namespace = '', name } = home.metadata;
  const own = ownMetadata(home, facts);
  const asked = { [Annotation.asked]: askedText(asksFor(home)) };
  const followed = wantedMetadata(home, facts);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: workerName(facts.bindingUID, namespace, name),
      namespace: facts.mountNamespace,
      labels: { ...followed.labels, ...own.labels, ...workloadLabels(home) },
      annotations: { ...followed.annotations, ...own.annotations, ...asked },
      finalizers: [Finalizer.homeSync],
    },
    spec: toWorkerSpec(home, facts),
  };
}

function toWorkerSpec(home: Pod, facts: WorkerFacts): PodSpec {
  // Parts that are not translated stay home's own: nobody writes to either pod.
  const spec: PodSpec = { ...home.spec };
  for (const field of NOT_CARRIED) delete spec[field];
  const translated: PodSpec = {
    ...spec,
    ...placement(facts),
    ...dnsOf(home, facts),
    priorityClassName: facts.priorityClassName || ChartName.workerPriorityClass,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    containers: spec.containers.map((container) => translateContainer(container, home, facts)),
  };
  if (spec.initContainers) {
    translated.initContainers = spec.initContainers.map((container) => translateContainer(container, home, facts));
  }
  if (spec.volumes) translated.volumes = spec.volumes.map((volume) => translateVolume(volume, home, facts));
  if (spec.imagePullSecrets) {
    translated.imagePullSecrets = spec.imagePullSecrets.map((secret) => rename(secret, 'secret', home, facts));
  }
  Object.assign(translated, namesOf(home, facts));
  const hostAliases = hostAliasesOf(home, facts);
  if (hostAliases) translated.hostAliases = hostAliases;
  return translated;
}

/** Exactly one term that names exactly one node: the form that the worker's admission policy can check. */
function placement(facts: WorkerFacts): Partial<PodSpec> {
  if (facts.directScheduling) return { nodeName: facts.node };
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [facts.node] }];
  const required = { nodeSelectorTerms: [{ matchFields }] };
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } };
}

/** Kind and name of what made the pod, for the worker's owner to sort by. It stays so, whoever controls the pod later. */
function workloadLabels(home: Pod): Record<string, string> {
  const controller = controllerOf(home);
  if (!controller) return { [Label.workloadType]: 'pod' };
  return {
    [Label.workloadType]: labelValue(controller.kind.toLowerCase()),
    [Label.workloadName]: labelValue(controller.name),
  };
}

/** Of what Kubeocean itself means by a key, nothing of home's is carried, whatever the owner lists. */
export function carriedOf(
  map: Record<string, string> | undefined,
  facts: Pick<WorkerFacts, 'carriedPrefixes'>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => mayBeCarried(key, facts)));
}

function mayBeCarried(key: string, { carriedPrefixes = [] }: Pick<WorkerFacts, 'carriedPrefixes'>): boolean {
  return !key.startsWith('kubeocean.io/') && carriedPrefixes.some((prefix) => key.startsWith(prefix));
}

type Followed = Record<'labels' | 'annotations', Record<string, string>>;

/** Keys of labels and annotations. */
type Keys = Record<'labels' | 'annotations', readonly string[]>;

/**
 * What of home's metadata the worker pod has, and has to follow: downward API files, and what is carried, with its note.
 * @param stuck keys that came from home, too, and cannot be taken off now: the note goes on naming them
 */
export function wantedMetadata(
  home: Pod,
  facts: Pick<WorkerFacts, 'carriedPrefixes'>,
  stuck: Keys = { labels: [], annotations: [] },
): Followed {
  const labels = carriedOf(home.metadata.labels, facts);
  const annotations = carriedOf(home.metadata.annotations, facts);
  const note = [
    [...Object.keys(labels), ...stuck.labels],
    [...Object.keys(annotations), ...stuck.annotations],
  ]
    .map((keys) => keys.sort().join(','))
    .join(';');
  const followed = { ...annotations, ...downwardAnnotations(home) };
  return { labels, annotations: note === ';' ? followed : { ...followed, [Annotation.carried]: note } };
}

/**
 * What of the worker pod's metadata has to follow the home pod. One that home no longer has is taken off only when it came
 * from home, as the worker pod notes, and while its key may be carried: whatever else is on the worker pod, its cluster
 * has put there, under the same prefixes too (webhooks, its network). One whose key may not be carried now stays noted, as
 * it may be again: an owner lists it again, an agent that is made anew has yet to tell what its owner lists.
 * @returns a merge patch, or undefined when nothing changed.
 */
export function workerMetadataPatch(
  home: Pod,
  worker: Pod,
  facts: Pick<WorkerFacts, 'carriedPrefixes'> = {},
): { metadata: Record<string, unknown> } | undefined {
  const note = worker.metadata.annotations?.[Annotation.carried];
  const [carriedLabels = [], carriedAnnotations = []] = (note?.split(';') ?? []).map((keys) => keys.split(','));
  const mayGo = (key: string) => mayBeCarried(key, facts);
  const stuckOn =
    (map: Record<string, string> = {}) =>
    (key: string) =>
      Object.hasOwn(map, key) && !mayGo(key);
  const wanted = wantedMetadata(home, facts, {
    labels: carriedLabels.filter(stuckOn(worker.metadata.labels)),
    annotations: carriedAnnotations.filter(stuckOn(worker.metadata.annotations)),
  });
  const labels = mapDifference(worker.metadata.labels, wanted.labels, carriedLabels.filter(mayGo));
  const formerly = [...carriedAnnotations.filter(mayGo), ...(note === undefined ? [] : [Annotation.carried])];
  const annotations = mapDifference(worker.metadata.annotations, wanted.annotations, formerly);
  if (!labels && !annotations) return undefined;
  return { metadata: { uid: worker.metadata.uid, ...(labels && { labels }), ...(annotations && { annotations }) } };
}

/** @param formerly keys that go when they are not wanted any more */
function mapDifference(
  present: Record<string, string> = {},
  wanted: Record<string, string>,
  formerly: readonly string[],
): Record<string, string | null> | undefined {
  const changed: [string, string | null][] = Object.entries(wanted).filter(([key, value]) => present[key] !== value);
  const goes = (key: string) => !Object.hasOwn(wanted, key) && Object.hasOwn(present, key);
  for (const key of formerly) if (goes(key)) changed.push([key, null]);
  return changed.length > 0 ? Object.fromEntries(changed) : undefined;
}
