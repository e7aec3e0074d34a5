/**
 * When what happened to each pod of a namespace, as the watch of an API server tells it. The watch resumes from its last
 * revision when the server cuts it, so nothing is missed; of each pod only times are kept.
 */
import { createReflector, type KubeClient, type KubeObject, Pods } from '@kubeocean/shared/kube';

/** Milliseconds of `performance.now()`; undefined while it has not happened. */
export interface Times {
  uid: string;
  seen: number;
  bound?: number;
  ready?: number;
  gone?: number;
  /** Its last resourceVersion, and how many it has had: each write makes one. */
  revision: string;
  revisions: number;
  /** Sum of its containers' restartCounts as last told. */
  restarts: number;
  /** When `restarts` was told first. */
  restartsAt: number;
}

export interface Tracker {
  /** By pod name, or by the name the worker pod's annotation gives. */
  readonly times: Map<string, Times>;
  /** Pods that are there now. */
  readonly present: number;
  /** Of the pods that are expected: those that are Ready, or were. */
  readonly readyCount: number;
  /** Watches opened; each beyond the first was cut. */
  readonly watches: number;
  /** performance.now() of the last change told. */
  readonly lastEvent: number;
  /** Forgets what was, for a new run. @throws Error while pods of an earlier one are there: they would be measured, too. */
  begin(): void;
  /** These keys (`namespace/name`) are pods of the run: only they are counted. */
  expect(keys: Iterable<string>): void;
  stop(): Promise<void>;
}

/** Of a worker pod: `namespace/name` of the home pod it stands for. */
export const HOME_NAMESPACE = 'kubeocean.io/virtual-pod-namespace';
const HOME_NAME = 'kubeocean.io/virtual-pod-name';

interface Status {
  conditions?: { type: string; status: string }[];
  containerStatuses?: { restartCount?: number }[];
}

function isReady(status: Status | undefined): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

/** Follows the pods of a namespace; an empty namespace is all. Resolves once the first list is in. */
export async function track(client: KubeClient, namespace: string, labelSelector?: string): Promise<Tracker> {
  const stop = new AbortController();
  let times = new Map<string, Times>();
  let expected = new Set<string>();
  let ready = 0;
  let lastEvent = performance.now();
  const present = new Map<string, string>();

  /** Notes the state of a pod as just told; what is kept of the object is next to nothing. */
  function note(pod: KubeObject): KubeObject {
    const now = performance.now();
    lastEvent = now;
    const { annotations, uid = '', namespace: inside = '', resourceVersion } = pod.metadata;
    const homeName = annotations?.[HOME_NAME];
    const name =
      homeName === undefined ? `${inside}/${pod.metadata.name}` : `${annotations?.[HOME_NAMESPACE]}/${homeName}`;
    let known = times.get(name);
    if (known && known.uid !== uid) {
      // Another pod by the name of one that was Ready has not been Ready yet.
      if (known.ready !== undefined && expected.has(name)) ready--;
      known = undefined;
    }
    if (!known) {
      known = { uid, seen: now, revision: '', revisions: 0, restarts: 0, restartsAt: now };
      times.set(name, known);
    }
    // A list after a cut watch tells of pods that did not change.
    if (known.revision !== resourceVersion) known.revisions++;
    known.revision = resourceVersion ?? '';
    present.set(`${inside}/${pod.metadata.name}`, name);
    if ((pod['spec'] as { nodeName?: string }).nodeName) known.bound ??= now;
    const status = pod['status'] as Status | undefined;
    if (known.ready === undefined && isReady(status)) {
      known.ready = now;
      if (expected.has(name)) ready++;
    }
    const restarts = (status?.containerStatuses ?? []).reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
    if (restarts !== known.restarts) {
      known.restarts = restarts;
      known.restartsAt = now;
    }
    return { metadata: { name: pod.metadata.name, namespace: inside, uid, resourceVersion: resourceVersion ?? '' } };
  }

  const reflector = createReflector(client, {
    resource: Pods,
    ...(namespace && { namespace }),
    ...(labelSelector && { labelSelector }),
    project: note,
  });
  reflector.store.onChange(({ key, current }) => {
    if (current) return;
    const now = performance.now();
    lastEvent = now;
    const known = times.get(present.get(key) ?? '');
    present.delete(key);
    if (known) known.gone ??= now;
  });
  const running = reflector.run(stop.signal);
  await reflector.store.synced;

  return {
    get times() {
      return times;
    },
    get present() {
      return reflector.store.size;
    },
    get readyCount() {
      return ready;
    },
    get watches() {
      return reflector.watches;
    },
    get lastEvent() {
      return lastEvent;
    },
    begin() {
      const [one] = reflector.store.keys();
      if (one !== undefined) {
        const others = reflector.store.size - 1;
        throw new Error(
          `pods of an earlier run are still there: ${one}${others > 0 ? ` and ${others} more` : ''}; they would be measured with this one`,
        );
      }
      times = new Map();
      expected = new Set();
      ready = 0;
    },
    expect(keys) {
      for (const key of keys) {
        if (expected.has(key)) continue;
        expected.add(key);
        if (times.get(key)?.ready !== undefined) ready++;
      }
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
