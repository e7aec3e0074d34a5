/**
 * What the worker was last asked for of what may change while a pod runs: the deadline, and each container's image and
 * resources. It is noted on the worker pod, because the worker's owner may make something else of it (a webhook that names
 * a mirror, or enlarges requests): followed is what home has changed since, not what differs. Pure.
 */
import { hash } from 'node:crypto';
import { Annotation, migratedWorkerName } from '@kubeocean/shared/api';
import type { Container, Pod } from '../types.ts';

/** Resources that can be resized while a container runs (KEP-1287). */
export const RESIZABLE = ['cpu', 'memory'] as const;

interface AskedOfContainer {
  /** Beginning of the hash of its name: names may be long, and all who watch the pod are sent the note each time. */
  image: string;
  /** Requests, then limits, of each of {@link RESIZABLE}, as they were written; empty where there was none. */
  amounts: readonly string[];
}

export interface Asked {
  /** `activeDeadlineSeconds`; empty when there was none. */
  deadline: string;
  /** By name, in home's order: first the containers, then the init containers. Neither changes of a pod that is there. */
  containers: ReadonlyMap<string, AskedOfContainer>;
}

/** What the pod asks for now. */
export function asksFor(pod: Pod): Asked {
  return {
    deadline: String(pod.spec.activeDeadlineSeconds ?? ''),
    containers: new Map(containersOf(pod).map((container) => [container.name, askedOf(container)])),
  };
}

/**
 * What was asked for, as the worker pod says; undefined when it does not say: it was made before this was noted. Such a
 * pod follows home in all that differs. One that gocrane/kubeocean made is taken as it is: that carried no changes over, so
 * that an old difference must not start its containers anew.
 */
export function askedBefore(home: Pod, worker: Pod): Asked | undefined {
  const text = worker.metadata.annotations?.[Annotation.asked];
  if (text === undefined) return isAdopted(home, worker) ? asksFor(home) : undefined;
  const [deadline = '', containers = ''] = text.split(';');
  const parts = containers.split(',').map((part) => part.split(':'));
  const known = containersOf(home).map(({ name }, at): [string, AskedOfContainer] => {
    const [image = '', amounts = ''] = parts[at] ?? [];
    return [name, { image, amounts: amounts.split('/') }];
  });
  return { deadline, containers: new Map(known) };
}

/** Whether the worker pod was made by gocrane/kubeocean for this home pod. */
export function isAdopted({ metadata: { namespace = '', name } }: Pod, worker: Pod): boolean {
  return worker.metadata.name === migratedWorkerName(namespace, name);
}

/** As it stands on the worker pod. Two that say the same are equal texts. */
export function askedText({ deadline, containers }: Asked): string {
  const parts = [...containers.values()].map(({ image, amounts }) => {
    const sized = amounts.join('/').replace(/\/+$/, '');
    return sized ? `${image}:${sized}` : image;
  });
  return `${deadline};${parts.join(',')}`;
}

/** The same, with the amounts of `other`. */
export function withAmountsOf(asked: Asked, other: Asked): Asked {
  const containers = [...asked.containers].map(([name, { image, amounts }]): [string, AskedOfContainer] => [
    name,
    { image, amounts: other.containers.get(name)?.amounts ?? amounts },
  ]);
  return { ...asked, containers: new Map(containers) };
}

export function isResizable(container: Container, list: 'containers' | 'initContainers'): boolean {
  return list === 'containers' || container.restartPolicy === 'Always';
}

/** Where {@link AskedOfContainer.amounts} has it. */
export function amountAt(field: 'requests' | 'limits', resource: (typeof RESIZABLE)[number]): number {
  return (field === 'requests' ? 0 : RESIZABLE.length) + RESIZABLE.indexOf(resource);
}

export function imageHash(image: string | undefined): string {
  return image ? hash('sha256', image, 'base64url').slice(0, 8) : '';
}

function askedOf({ image, resources }: Container): AskedOfContainer {
  const amounts = (['requests', 'limits'] as const).flatMap((field) =>
    RESIZABLE.map((resource) => resources?.[field]?.[resource] ?? ''),
  );
  return { image: imageHash(image), amounts };
}

function containersOf({ spec }: Pod): Container[] {
  return [...spec.containers, ...(spec.initContainers ?? [])];
}
