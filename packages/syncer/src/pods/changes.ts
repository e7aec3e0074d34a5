/**
 * What of a home pod may change while it runs, and what of it the worker pod has to follow: images, a shorter deadline,
 * debug containers, resources (in place). Pure; each function gives the smallest patch, or nothing.
 *
 * Which fields may change at all: k8s.io/kubernetes/pkg/apis/core/validation ValidatePodUpdate, ValidatePodResize,
 * ValidatePodEphemeralContainersUpdate.
 */
import type { Json } from '@kubeocean/shared/kube';
import { parseQuantity, podRequests, type Quantity } from '@kubeocean/shared/lease';
import { translateContainer } from './environment.ts';
import type { WorkerFacts } from './to-worker.ts';
import type { Container, Pod } from './types.ts';

/** A strategic merge patch that names the pod it means. */
export interface SpecPatch extends Json {
  metadata: { uid: string | undefined };
  spec: Json;
}

/** Images of containers and init containers, and `activeDeadlineSeconds`. */
export function specPatch(home: Pod, worker: Pod): SpecPatch | undefined {
  const spec: Json = {};
  for (const list of ['containers', 'initContainers'] as const) {
    const changed = paired(home, worker, list)
      .filter(([wanted, present]) => wanted.image !== undefined && wanted.image !== present.image)
      .map(([{ name, image }]) => ({ name, image }));
    if (changed.length > 0) spec[list] = changed;
  }
  const { activeDeadlineSeconds } = home.spec;
  if (activeDeadlineSeconds !== undefined && activeDeadlineSeconds !== worker.spec.activeDeadlineSeconds) {
    spec['activeDeadlineSeconds'] = activeDeadlineSeconds;
  }
  return patchOf(worker, spec);
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

/** Resources that can be resized while a container runs (KEP-1287). */
const RESIZABLE = ['cpu', 'memory'] as const;

/** Requests and limits that differ. What only the worker has (defaults of a LimitRange there) stays. For `pods/resize`. */
export function resizePatch(home: Pod, worker: Pod): SpecPatch | undefined {
  const spec: Json = {};
  for (const list of ['containers', 'initContainers'] as const) {
    const changed = paired(home, worker, list)
      .filter(([wanted]) => list === 'containers' || wanted.restartPolicy === 'Always')
      .map(([wanted, present]) => ({ name: wanted.name, resources: resourcesDifference(wanted, present) }))
      .filter(({ resources }) => resources !== undefined);
    if (changed.length > 0) spec[list] = changed;
  }
  return patchOf(worker, spec);
}

function resourcesDifference(wanted: Container, present: Container): Json | undefined {
  const difference: Json = {};
  for (const field of ['requests', 'limits'] as const) {
    const changed = RESIZABLE.filter((resource) => {
      const [to, from] = [wanted.resources?.[field]?.[resource], present.resources?.[field]?.[resource]];
      return to !== undefined && (from === undefined || nanos(to) !== nanos(from));
    });
    if (changed.length === 0) continue;
    difference[field] = Object.fromEntries(
      changed.map((resource) => [resource, wanted.resources?.[field]?.[resource]]),
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

function patchOf(worker: Pod, spec: Json): SpecPatch | undefined {
  return Object.keys(spec).length > 0 ? { metadata: { uid: worker.metadata.uid }, spec } : undefined;
}
