/**
 * What a pod takes from its node, as the scheduler counts it: k8s.io/component-helpers/resource PodRequests with the
 * options the scheduler uses (in-place resize and pod-level resources on; resize of these as from 1.36), plus the one
 * place in `pods`.
 */
import type { KubeObject } from '../kube/types.ts';
import { addQuantities, parseQuantity, type Quantity, Zero } from './quantity.ts';
import { accumulate, parseResources, raise, type Resources } from './resources.ts';

type ResourceList = Record<string, string | number>;

interface Container {
  name: string;
  restartPolicy?: string;
  resources?: { requests?: ResourceList };
}

interface ContainerStatus {
  name: string;
  resources?: { requests?: ResourceList };
  allocatedResources?: ResourceList;
}

/** The fields of a Pod that decide what it takes. A store may keep just these. */
export interface PodForRequests extends KubeObject {
  /** What it takes, where whoever keeps it has counted that. Not a field of Kubernetes. */
  counted?: Resources;
  spec: {
    containers?: Container[];
    initContainers?: Container[];
    overhead?: ResourceList;
    resources?: { requests?: ResourceList };
    [field: string]: unknown;
  };
  status?: {
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
    conditions?: { type: string; reason?: string }[];
    /** In force and set aside for the whole pod, where the kubelet tells that. */
    resources?: { requests?: ResourceList };
    allocatedResources?: ResourceList;
    [field: string]: unknown;
  };
}

/**
 * Requests of a pod, with `pods: 1`. Sidecars (init containers that restart always) run beside everything after them;
 * any other init container counts only where it needs more than what runs later. Phase is not looked at.
 * @throws QuantityError when an amount is no quantity, which no API server lets through
 */
export function podRequests(pod: PodForRequests): Map<string, Quantity> {
  const statuses = new Map<string, ContainerStatus>();
  for (const status of pod.status?.containerStatuses ?? []) statuses.set(status.name, status);
  for (const status of pod.status?.initContainerStatuses ?? []) statuses.set(status.name, status);
  const infeasible =
    pod.status?.conditions?.find((condition) => condition.type === 'PodResizePending')?.reason === 'Infeasible';

  const total = new Map<string, Quantity>();
  for (const container of pod.spec.containers ?? []) {
    accumulate(total, resizableRequests(container, statuses.get(container.name), infeasible));
  }
  const sidecars = new Map<string, Quantity>();
  const startup = new Map<string, Quantity>();
  for (const container of pod.spec.initContainers ?? []) {
    const requests = resizableRequests(container, statuses.get(container.name), infeasible);
    if (container.restartPolicy === 'Always') {
      accumulate(total, requests);
      accumulate(sidecars, requests);
    } else {
      accumulate(requests, sidecars);
      raise(startup, requests);
    }
  }
  raise(total, startup);
  const given = givenToPod(pod);
  // Where the kubelet tells all that the pod has, that holds whatever it says of the containers.
  if (pod.status?.resources?.requests && pod.status.allocatedResources) raise(total, given);
  for (const [name, amount] of podLevelRequests(pod, given, infeasible)) {
    if (isPodLevelResource(name)) total.set(name, amount);
  }
  accumulate(total, parseResources(pod.spec.overhead));
  total.set('pods', addQuantities(total.get('pods') ?? Zero, parseQuantity(1)));
  return total;
}

/**
 * All that {@link podRequests} reads, as text: pods of the same text take the same. A twentieth of the work, for whoever
 * sees many pods of few templates.
 */
export function requestsText({ spec, status }: PodForRequests): string {
  const resize = status?.conditions?.find(({ type }) => type === 'PodResizePending')?.reason;
  return JSON.stringify([
    spec.containers?.map(askedBy),
    spec.initContainers?.map(askedBy),
    spec.resources?.requests,
    spec.overhead,
    status?.resources && (status.resources.requests ?? 0),
    status?.allocatedResources,
    status?.containerStatuses?.map(givenTo),
    status?.initContainerStatuses?.map(givenTo),
    resize,
  ]);
}

function askedBy({ name, restartPolicy, resources }: Container): unknown[] {
  return [name, restartPolicy, resources?.requests];
}

/** Whether a status has `resources` at all counts too. */
function givenTo({ name, resources, allocatedResources }: ContainerStatus): unknown[] {
  return [name, resources && (resources.requests ?? 0), allocatedResources];
}

/** While a resize is under way, the largest of what is asked for, set aside and in force; an infeasible one is not asked for. */
function resizableRequests(
  container: Container,
  status: ContainerStatus | undefined,
  infeasible: boolean,
): Map<string, Quantity> {
  const asked = parseResources(container.resources?.requests);
  if (!status?.resources && !status?.allocatedResources) return asked;
  const requests = infeasible ? new Map<string, Quantity>() : asked;
  raise(requests, parseResources(status.resources?.requests));
  raise(requests, parseResources(status.allocatedResources));
  return requests;
}

/** What the pod as a whole has: the larger of what is in force and what is set aside. */
function givenToPod({ status }: PodForRequests): Resources {
  const given = parseResources(status?.resources?.requests);
  raise(given, parseResources(status?.allocatedResources));
  return given;
}

/** What counts in place of the sum of the containers; as for one of them while a resize is under way. */
function podLevelRequests({ spec, status }: PodForRequests, given: Resources, infeasible: boolean): Resources {
  const asked = parseResources(spec.resources?.requests);
  if (![...asked.keys()].some(isPodLevelResource) || !status?.resources) return asked;
  const requests = infeasible ? new Map<string, Quantity>() : asked;
  raise(requests, given);
  return requests;
}

/** Resources that `spec.resources` of a pod may name (KEP-2837). */
function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}
