/**
 * What of a home pod may change while it runs, and what of it the worker pod has to follow: images, a shorter deadline,
 * debug containers, resources (in place). Pure; each function gives the smallest patch, or nothing.
 *
 * Which fields may change at all: k8s.io/kubernetes/pkg/apis/core/validation ValidatePodUpdate, ValidatePodResize,
 * ValidatePodEphemeralContainersUpdate.
 */
import { Annotation } from '@kubeocean/shared/api';
import type { Json } from '@kubeocean/shared/kube';
import { parseQuantity, podRequests, type Quantity } from '@kubeocean/shared/lease';
import {
  amountAt,
  type Asked,
  askedBefore,
  askedText,
  asksFor,
  imageHash,
  isAdopted,
  isResizable,
  RESIZABLE,
  withAmountsOf,
} from '../translation/asked.ts';
import { translateContainer } from '../translation/environment.ts';
import type { WorkerFacts } from '../translation/to-worker.ts';
import type { Container, Pod } from '../types.ts';

/** A strategic merge patch that names the pod it means. */
export interface SpecPatch extends Json {
  metadata: { uid: string | undefined };
  spec: Json;
}

/** For `pods/resize`. */
export interface ResizePatch extends SpecPatch {
  spec: { [list in 'containers' | 'initContainers']?: { name: string; resources: ResizedResources }[] };
}

type ResizedResources = { [field in 'requests' | 'limits']?: Record<string, string> };

/**
 * Images of containers and init containers, and `activeDeadlineSeconds`: what home has changed since it was asked for. What
 * the worker's owner made of it stays.
 */
export function specPatch(home: Pod, worker: Pod): SpecPatch | undefined {
  const spec: Json = {};
  const before = askedBefore(home, worker);
  for (const list of ['containers', 'initContainers'] as const) {
    const changed = paired(home, worker, list)
      .filter(([wanted, present]) => wanted.image !== undefined && wanted.image !== present.image)
      .filter(([{ name, image }]) => before?.containers.get(name)?.image !== imageHash(image))
      .map(([{ name, image }]) => ({ name, image }));
    if (changed.length > 0) spec[list] = changed;
  }
  const { activeDeadlineSeconds: wanted } = home.spec;
  // A later one is refused by every API server.
  const isSooner = wanted !== undefined && wanted < (worker.spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY);
  if (isSooner && before?.deadline !== String(wanted)) spec['activeDeadlineSeconds'] = wanted;
  return patchOf(worker, spec);
}

/**
 * What is sent of `spec` (that of {@link specPatch}): with it goes the note of what is asked for, or the note alone where
 * only that is out of date. A worker pod without one gets it with the first change.
 * @param resize what became of the resize, if there is one: `waits` is not asked for yet
 */
export function updatePatch(
  home: Pod,
  worker: Pod,
  spec: SpecPatch | undefined,
  resize: 'none' | 'sent' | 'waits',
): { metadata: Json; spec?: Json } | undefined {
  const noted = worker.metadata.annotations?.[Annotation.asked];
  if (noted === undefined && !spec && resize !== 'sent' && !isAdopted(home, worker)) return undefined;
  const now = asksFor(home);
  const asked = resize === 'waits' ? withAmountsOf(now, askedBefore(home, worker) ?? asksFor(worker)) : now;
  const text = askedText(asked);
  if (text === noted) return spec;
  return { ...spec, metadata: { uid: worker.metadata.uid, annotations: { [Annotation.asked]: text } } };
}

/**
 * The note of the amounts alone, for when they were asked for and what else {@link updatePatch} has was not taken;
 * undefined when it says so already.
 */
export function amountsPatch(home: Pod, worker: Pod): { metadata: Json } | undefined {
  const before = askedBefore(home, worker) ?? asksFor(worker);
  const text = askedText(withAmountsOf(before, asksFor(home)));
  if (text === worker.metadata.annotations?.[Annotation.asked]) return undefined;
  return { metadata: { uid: worker.metadata.uid, annotations: { [Annotation.asked]: text } } };
}

/** Debug containers that the worker pod has not got; none is ever removed. For `pods/ephemeralcontainers`. */
export function ephemeralPatch(home: Pod, worker: Pod, facts: WorkerFacts): SpecPatch | undefined {
  const missing = missingEphemeral(home, worker);
  if (missing.length === 0) return undefined;
  const ephemeralContainers = missing.map((container) => translateContainer(container, home, facts));
  return patchOf(worker, { ephemeralContainers });
}

export function missingEphemeral(home: Pod, worker: Pod): Container[] {
  const present = new Set(worker.spec.ephemeralContainers?.map(({ name }) => name));
  return (home.spec.ephemeralContainers ?? []).filter(({ name }) => !present.has(name));
}

/**
 * Requests and limits that differ and that home has changed since they were asked for. What only the worker has (defaults of
 * a LimitRange there) stays, and so does what its owner made of them.
 * @param noted false when the note may not say what was asked for last: then all that differs is sent
 */
export function resizePatch(home: Pod, worker: Pod, noted = true): ResizePatch | undefined {
  const spec: ResizePatch['spec'] = {};
  const before = noted ? askedBefore(home, worker) : undefined;
  for (const list of ['containers', 'initContainers'] as const) {
    const changed = paired(home, worker, list)
      .filter(([wanted]) => isResizable(wanted, list))
      .flatMap(([wanted, present]) => {
        const resources = resourcesDifference(wanted, present, before);
        return resources ? [{ name: wanted.name, resources }] : [];
      });
    if (changed.length > 0) spec[list] = changed;
  }
  return patchOf(worker, spec);
}

/** The worker pod as it asks once `patch` is through. */
export function resized(worker: Pod, { spec }: ResizePatch): Pod {
  const after = structuredClone(worker);
  for (const list of ['containers', 'initContainers'] as const) {
    for (const { name, resources } of spec[list] ?? []) {
      const container = after.spec[list]?.find((each) => each.name === name);
      if (!container) continue;
      const { requests, limits, ...rest } = container.resources ?? {};
      container.resources = {
        ...rest,
        requests: { ...requests, ...resources.requests },
        limits: { ...limits, ...resources.limits },
      };
    }
  }
  return after;
}

function resourcesDifference(
  wanted: Container,
  present: Container,
  before: Asked | undefined,
): ResizedResources | undefined {
  const difference: ResizedResources = {};
  const asked = before?.containers.get(wanted.name)?.amounts;
  for (const field of ['requests', 'limits'] as const) {
    const changed = RESIZABLE.filter((resource) => {
      const [to, from] = [wanted.resources?.[field]?.[resource], present.resources?.[field]?.[resource]];
      if (to === undefined || to === asked?.[amountAt(field, resource)]) return false;
      return from === undefined || nanos(to) !== nanos(from);
    });
    if (changed.length === 0) continue;
    difference[field] = Object.fromEntries(
      changed.map((resource) => [resource, wanted.resources?.[field]?.[resource] ?? '']),
    );
  }
  return Object.keys(difference).length > 0 ? difference : undefined;
}

/** What the pod asks for by its spec alone: resizes that are not through are in it. */
export function askedRequests(pod: Pod): Map<string, Quantity> {
  const { status: _, ...asked } = pod;
  return podRequests(asked);
}

/** Whether any resource is asked for that is more than before. */
export function grows(before: ReadonlyMap<string, Quantity>, after: ReadonlyMap<string, Quantity>): boolean {
  return [...after].some(([resource, { nanos: wanted }]) => wanted > (before.get(resource)?.nanos ?? 0n));
}

function nanos(text: string): bigint {
  return parseQuantity(text).nanos;
}

function paired(home: Pod, worker: Pod, list: 'containers' | 'initContainers'): [home: Container, worker: Container][] {
  const present = new Map(worker.spec[list]?.map((container) => [container.name, container]));
  return (home.spec[list] ?? []).flatMap((wanted): [Container, Container][] => {
    const container = present.get(wanted.name);
    return container ? [[wanted, container]] : [];
  });
}

function patchOf<S extends Json>(worker: Pod, spec: S): { metadata: { uid: string | undefined }; spec: S } | undefined {
  return Object.keys(spec).length > 0 ? { metadata: { uid: worker.metadata.uid }, spec } : undefined;
}
