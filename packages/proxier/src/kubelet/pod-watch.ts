/**
 * Tells open sessions that their home pod is no more, so that nobody keeps a shell in what a deleted pod left behind. A
 * watch of the vnode's pods gives the hint, a live read decides, and short sessions cost neither.
 */
import { createReflector, isNotFound, type KubeClient, type KubeObject, Pods } from '@kubeocean/shared/kube';

export interface WatchedPod {
  vnode: string;
  namespace: string;
  pod: string;
  /** UID of the home pod that the session is in. */
  uid: string;
}

export interface PodWatch {
  /** Calls `gone` once, some time after the pod is no more. @returns what ends the watching. */
  watch: (pod: WatchedPod, gone: () => void) => () => void;
  close(): void;
}

export interface PodWatchOptions {
  /** Sessions are looked after from this age on, in milliseconds. Default 1,000. */
  afterMs?: number;
  /**
   * Time between the end of the pod and `gone`, in milliseconds: as a rule its containers have ended, and so do its
   * sessions, by themselves and with an exit code. Default 5,000.
   */
  lingerMs?: number;
  /** How long a vnode is watched after its last session, in milliseconds. Default 30,000. */
  keepMs?: number;
  onError: (error: unknown, vnode: string) => void;
}

/** After how long a pod is looked at again that the watch may not tell of any more. */
const RETRY_MS = 10_000;

interface Entry extends WatchedPod {
  gone: () => void;
  timer: NodeJS.Timeout | undefined;
}

interface VnodeWatch {
  entries: Set<Entry>;
  has: (entry: Entry) => boolean;
  stop: () => void;
  timer: NodeJS.Timeout | undefined;
}

export function createPodWatch(home: KubeClient, options: PodWatchOptions): PodWatch {
  const { afterMs = 1_000, lingerMs = 5_000, keepMs = 30_000 } = options;
  const vnodes = new Map<string, VnodeWatch>();

  function begin(vnode: string): VnodeWatch {
    const abort = new AbortController();
    const reflector = createReflector(home, {
      resource: Pods,
      fieldSelector: `spec.nodeName=${vnode}`,
      // A live read decides.
      cached: true,
      project: ({ metadata: { name, namespace, uid } }): KubeObject => ({
        metadata: { name, namespace, uid } as never,
      }),
      onError: (error, _, isNews) => void (isNews && options.onError(error, vnode)),
    });
    const { store } = reflector;
    const watch: VnodeWatch = {
      entries: new Set(),
      has: ({ namespace, pod, uid }) => !store.hasSynced || store.get(`${namespace}/${pod}`)?.metadata.uid === uid,
      stop: () => abort.abort(),
      timer: undefined,
    };
    store.onChange(({ key, previous }) => {
      if (!previous) return;
      for (const entry of watch.entries) if (key === `${entry.namespace}/${entry.pod}`) look(watch, entry);
    });
    void store.synced.then(() => {
      for (const entry of watch.entries) look(watch, entry);
    });
    void reflector.run(abort.signal);
    return watch;
  }

  function look(watch: VnodeWatch, entry: Entry): void {
    if (watch.has(entry)) return;
    home.get(Pods, entry.namespace, entry.pod, { timeoutMs: 10_000 }).then(
      // The watch has yet to learn of it. Should it list anew instead, with the pod gone by then, it never tells of it.
      ({ metadata }) => (metadata.uid === entry.uid ? lookAgain(watch, entry) : end(entry)),
      (error: unknown) => {
        if (isNotFound(error)) return end(entry);
        options.onError(error, entry.vnode);
        // Not knowing is no reason to end anything; the watch will not tell of it again, though.
        lookAgain(watch, entry);
      },
    );
  }

  function lookAgain(watch: VnodeWatch, entry: Entry): void {
    if (!watch.entries.has(entry)) return;
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => look(watch, entry), RETRY_MS).unref();
  }

  function end(entry: Entry): void {
    if (!vnodes.get(entry.vnode)?.entries.delete(entry)) return;
    entry.timer = setTimeout(entry.gone, lingerMs);
  }

  function add(entry: Entry): void {
    let watch = vnodes.get(entry.vnode);
    if (!watch) vnodes.set(entry.vnode, (watch = begin(entry.vnode)));
    clearTimeout(watch.timer);
    watch.entries.add(entry);
    look(watch, entry);
  }

  function remove(entry: Entry): void {
    clearTimeout(entry.timer);
    const watch = vnodes.get(entry.vnode);
    if (!watch) return;
    watch.entries.delete(entry);
    if (watch.entries.size > 0) return;
    clearTimeout(watch.timer);
    watch.timer = setTimeout(() => {
      watch.stop();
      vnodes.delete(entry.vnode);
    }, keepMs).unref();
  }

  return {
    watch(pod, gone) {
      const entry: Entry = { ...pod, gone, timer: undefined };
      entry.timer = setTimeout(() => add(entry), afterMs);
      return () => remove(entry);
    },
    close() {
      for (const watch of vnodes.values()) {
        clearTimeout(watch.timer);
        watch.stop();
      }
      vnodes.clear();
    },
  };
}
