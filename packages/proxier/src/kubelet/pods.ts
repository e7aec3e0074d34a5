/**
 * From the pod in a path to its counterpart in the worker. Nothing that a user can write decides where a session goes:
 * the worker pod's name is derived, and it counts only when it says it belongs to the home pod's UID.
 */
import { Annotation, Label, migratedNameSaidBy, workerName } from '@kubeocean/shared/api';
import { isNotFound, type KubeClient, type KubeObject, messageOf, Pods } from '@kubeocean/shared/kube';
import { Refusal, workerRefusal } from '../errors.ts';
import type { SessionKind } from './routes.ts';

/** What the proxier knows of its binding; none of it ever changes. */
export interface BindingIdentity {
  name: string;
  uid: string;
  clusterID: string;
  mountNamespace: string;
}

export interface Clusters {
  home: KubeClient;
  worker: KubeClient;
  binding: BindingIdentity;
}

interface Pod extends KubeObject {
  spec: Record<'containers' | 'initContainers' | 'ephemeralContainers', { name: string }[] | undefined> & {
    nodeName?: string;
  };
  status?: { reason?: string; message?: string };
}

export interface Counterpart {
  /** Name in the mount namespace. */
  name: string;
  homeUID: string;
}

/**
 * Finds the counterpart of a home pod that is bound to `vnode`. Both pods are read live.
 * @throws Refusal 400, 404 or 500, as a kubelet does, when the pod, the container or the counterpart is not there, or the pod is
 * another node's.
 */
export async function findCounterpart(
  { home, worker, binding }: Clusters,
  vnode: string,
  target: { kind: 'logs' | SessionKind; namespace: string; pod: string; container?: string },
): Promise<Counterpart> {
  const { namespace, pod: name, container } = target;
  const counterpart = workerName(binding.uid, namespace, name);
  // Both clusters are asked at once, as sessions wait for it; what the worker says counts only when the home pod passes.
  const asking = inWorker(counterpart);
  // When the home pod does not pass, nobody waits for it.
  asking.catch(() => undefined);
  const pod = await home.get<Pod>(Pods, namespace, name, { timeoutMs: 10_000 }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw new Refusal(503, `cannot look up pod "${namespace}/${name}": ${messageOf(error)}`, { cause: error });
  });
  if (!pod || pod.spec.nodeName !== vnode) {
    throw new Refusal(404, target.kind === 'logs' ? `pod "${name}" does not exist` : 'pod does not exist');
  }
  if (container !== undefined && !containersOf(pod).includes(container)) throw noContainer(target, container);
  const found = (await asking) ?? (await adopted());
  const homeUID = pod.metadata.uid;
  // A namesake of an earlier home pod may still be there, terminating; it is somebody else's.
  if (!homeUID || found?.metadata.annotations?.[Annotation.virtualPodUID] !== homeUID) throw noCounterpart(target, pod);
  return { name: found.metadata.name, homeUID };

  /** Of the worker pod of that name only whose it is; undefined when there is none. */
  function inWorker(called: string): Promise<KubeObject | undefined> {
    const options = { timeoutMs: 10_000, metadataOnly: true };
    return worker.get<KubeObject>(Pods, binding.mountNamespace, called, options).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw workerRefusal(error, { worker: called, home: name });
    });
  }

  /** One that bears the name gocrane/kubeocean gave it, and the label that says it was adopted. Home decides only that it is looked for. */
  async function adopted(): Promise<KubeObject | undefined> {
    const other = pod && migratedNameSaidBy(pod);
    if (other === undefined) return undefined;
    const known = await inWorker(other);
    return known?.metadata.labels?.[Label.bindingUID] === binding.uid ? known : undefined;
  }
}

/** In the words of its status, which says of a pod why it is refused, not run, or has ended. */
function noCounterpart(
  { kind, pod }: { kind: string; pod: string },
  { status: { reason, message } = {} }: Pod,
): Refusal {
  const why = [reason, message].filter((part) => part).join(': ') || 'it has not been started there yet, or is gone';
  const text = `pod "${pod}" has no container in the worker cluster: ${why}`;
  // 400 as of a container that waits in a kubelet: of a 404 for a log the API server keeps the words to itself.
  return new Refusal(kind === 'logs' ? 400 : 404, text);
}

/** In the words of a kubelet, which has others for each kind of request. */
function noContainer(
  { kind, namespace, pod }: { kind: string; namespace: string; pod: string },
  container: string,
): Refusal {
  if (kind === 'logs') return new Refusal(404, `container "${container}" not found in pod "${pod}"`);
  if (kind === 'exec') return new Refusal(500, `container not found ("${container}")`);
  return new Refusal(500, `container ${container} not found in pod ${pod}_${namespace}`);
}

function containersOf({ spec }: Pod): string[] {
  return [spec.containers, spec.initContainers, spec.ephemeralContainers].flatMap((list) =>
    (list ?? []).map(({ name }) => name),
  );
}

/**
 * For lists of the pods of one node, which may be a moment old: an API server's cache finds them by an index. For the newest
 * list those before Kubernetes 1.31 read every pod of the cluster from etcd, and a thousand vnodes are asked for their
 * metrics every fifteen seconds. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
export const CACHED = { resourceVersion: '0', limit: 250 } as const;

/** All home pods of a vnode, as `/pods` lists them. @param signal ends it when nobody waits for them any more */
export async function podsOf(home: KubeClient, vnode: string, signal?: AbortSignal): Promise<KubeObject[]> {
  const pods: KubeObject[] = [];
  const selection = { fieldSelector: `spec.nodeName=${vnode}`, ...CACHED };
  for await (const page of home.pages(Pods, selection, signal && { signal })) pods.push(...page.items);
  return pods;
}

/** What `/runningpods` shows of a pod that runs: who it is and what it is made of, as the runtime knows it. */
export function asRunningPod(pod: KubeObject): KubeObject | undefined {
  const { phase } = (pod['status'] ?? {}) as { phase?: string };
  if (phase !== 'Running') return undefined;
  const { name, namespace, uid } = pod.metadata;
  const { containers = [] } = (pod['spec'] ?? {}) as { containers?: { name: string; image?: string }[] };
  return {
    metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
    spec: { containers: containers.map((container) => ({ name: container.name, image: container.image })) },
    status: {},
  };
}
