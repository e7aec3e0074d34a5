/**
 * The copies in the worker as we know them: the watch's word, or our own last write while the watch lags behind it.
 * One writer at a time per copy.
 */
import { isOlder, type KubeObject, keyOf, type ReadonlyStore } from '@kubeocean/shared/kube';
import { ours } from './kept.ts';

export interface Written {
  latest(name: string): KubeObject | undefined;
  /** Notes what a write gave back. */
  note(object: KubeObject): void;
  /** Our last write may not be what is there now. */
  forget(name: string): void;
  /** We have removed the object: it is not there, although the watch may not have told of it yet. */
  gone(object: KubeObject): void;
  /** True when the object is as our own last write left it. */
  isOwn(object: KubeObject): boolean;
  /** Runs `work` when nothing else of this name runs. */
  alone<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export function createWritten(store: ReadonlyStore<KubeObject>, namespace: string): Written {
  const own = new Map<string, KubeObject>();
  /** Revision of our last write, by key. */
  const revisions = new Map<string, string | undefined>();
  /** UIDs of what we have removed, by key, until the watch tells. */
  const removed = new Map<string, string | undefined>();
  const tails = new Map<string, Promise<unknown>>();
  /** By name what went while it was worked on, as the watch told: an answer from before that may come after it. */
  const went = new Map<string, KubeObject>();
  store.onChange(({ key, previous, current, deleted }) => {
    if (deleted && tails.has(deleted.metadata.name)) went.set(deleted.metadata.name, deleted);
    if (!current) revisions.delete(key);
    if (current?.metadata.uid !== removed.get(key)) removed.delete(key);
    const known = own.get(key);
    // Once the watch has caught up its word is enough.
    if (!known || (current ? isBefore(current, known) : previous?.metadata.uid !== known.metadata.uid)) return;
    own.delete(key);
  });

  return {
    latest(name) {
      const key = `${namespace}/${name}`;
      const known = own.get(key) ?? store.get(key);
      return known && removed.has(key) && removed.get(key) === known.metadata.uid ? undefined : known;
    },
    note(object) {
      const kept = ours(object);
      const since = went.get(kept.metadata.name);
      if (since && isBefore(kept, since)) return;
      const key = keyOf(kept);
      const stored = store.get(key);
      revisions.set(key, kept.metadata.resourceVersion);
      if (!stored || isBefore(stored, kept)) own.set(key, kept);
    },
    forget(name) {
      own.delete(`${namespace}/${name}`);
    },
    gone({ metadata: { name, uid } }) {
      const key = `${namespace}/${name}`;
      own.delete(key);
      if (store.get(key)?.metadata.uid === uid) removed.set(key, uid);
    },
    isOwn: (object) => revisions.get(keyOf(object)) === object.metadata.resourceVersion,
    async alone(name, work) {
      const before = tails.get(name) ?? Promise.resolve();
      const mine = before.catch(() => undefined).then(work);
      tails.set(name, mine);
      try {
        return await mine;
      } finally {
        if (tails.get(name) === mine) {
          tails.delete(name);
          went.delete(name);
        }
      }
    },
  };
}

/** A namesake with another UID is newer when its revision is. */
function isBefore(a: KubeObject, b: KubeObject): boolean {
  return isOlder(a.metadata.resourceVersion ?? '', b.metadata.resourceVersion ?? '');
}
