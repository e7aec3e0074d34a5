/**
 * What is known of one kind: objects by key, with secondary indexes. A store is only ever filled by its reflector; it is
 * never emptied because something failed. Same name with another UID is told as a deletion and an addition.
 */
import { keyOf, type KubeObject } from './types.ts';

/** One change of a store. `previous` is undefined for an addition, `current` for a deletion. */
export interface Change<T> {
  key: string;
  previous: T | undefined;
  current: T | undefined;
  /**
   * The object as it was last, when the server itself told of its deletion on a watch: somebody asked for that. Left out
   * when it was only found missing (a new list, a successor), which may as well be a server that has lost it.
   */
  deleted?: T;
}

export type Listener<T> = (change: Change<T>) => void;

/** Values under which an object is found; none when it does not belong in the index. */
export type IndexFunction<T> = (object: T) => readonly string[];

export interface ReadonlyStore<T> {
  get(key: string): T | undefined;
  has(key: string): boolean;
  values(): IterableIterator<T>;
  keys(): IterableIterator<string>;
  readonly size: number;
  /** Objects that the index `name` files under `value`. */
  byIndex(name: string, value: string): T[];
  /** Resolves when the first complete list is in. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** Calls the listener for each change from now on. Gives a function that ends it. */
  onChange(listener: Listener<T>): () => void;
}

export interface StoreOptions {
  /** Told of a listener that threw. The other listeners and the store go on. Default: the process hears of it as uncaught. */
  onListenerError?: (error: unknown) => void;
}

export class Store<T extends KubeObject> implements ReadonlyStore<T> {
  private readonly objects = new Map<string, T>();
  private readonly indexes = new Map<string, { values: IndexFunction<T>; keys: Map<string, Set<string>> }>();
  private readonly listeners = new Set<Listener<T>>();
  private readonly firstSync = Promise.withResolvers<void>();
  hasSynced = false;

  private readonly options: StoreOptions;

  constructor(indexes: Record<string, IndexFunction<T>> = {}, options: StoreOptions = {}) {
    this.options = options;
    for (const [name, values] of Object.entries(indexes)) this.indexes.set(name, { values, keys: new Map() });
  }

  get synced(): Promise<void> {
    return this.firstSync.promise;
  }

  get size(): number {
    return this.objects.size;
  }

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  has(key: string): boolean {
    return this.objects.has(key);
  }

  values(): IterableIterator<T> {
    return this.objects.values();
  }

  keys(): IterableIterator<string> {
    return this.objects.keys();
  }

  byIndex(name: string, value: string): T[] {
    const index = this.indexes.get(name);
    if (!index) throw new Error(`the store has no index named ${name}`);
    const found: T[] = [];
    for (const key of index.keys.get(value) ?? []) {
      const object = this.objects.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  onChange(listener: Listener<T>): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Adds or updates one object. */
  set(object: T): void {
    const key = keyOf(object);
    const previous = this.objects.get(key);
    if (previous && previous.metadata.uid !== object.metadata.uid) {
      this.remove(key);
      this.put(key, undefined, object);
      return;
    }
    this.put(key, previous, object);
  }

  /**
   * Removes one object; nothing happens when it is not there.
   * @param deleted its last state, when the server told of the deletion
   */
  remove(key: string, deleted?: T): void {
    const previous = this.objects.get(key);
    if (!previous) return;
    this.objects.delete(key);
    this.unindex(key, previous);
    this.tell({ key, previous, current: undefined, ...(deleted && { deleted }) });
  }

  /**
   * Takes a complete list: what is missing in it is told as deleted (a tombstone with the last state known), what is
   * new or changed as such. Objects whose resourceVersion is unchanged are not told.
   */
  replace(objects: readonly T[]): void {
    const listed = new Set<string>();
    for (const object of objects) listed.add(keyOf(object));
    for (const key of this.objects.keys()) if (!listed.has(key)) this.remove(key);
    for (const object of objects) {
      const known = this.objects.get(keyOf(object));
      if (known && sameVersion(known, object)) continue;
      this.set(object);
    }
    this.hasSynced = true;
    this.firstSync.resolve();
  }

  private put(key: string, previous: T | undefined, current: T): void {
    this.objects.set(key, current);
    if (previous) this.unindex(key, previous);
    for (const index of this.indexes.values()) {
      for (const value of index.values(current)) {
        const keys = index.keys.get(value);
        if (keys) keys.add(key);
        else index.keys.set(value, new Set([key]));
      }
    }
    this.tell({ key, previous, current });
  }

  private unindex(key: string, object: T): void {
    for (const index of this.indexes.values()) {
      for (const value of index.values(object)) {
        const keys = index.keys.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.keys.delete(value);
      }
    }
  }

  private tell(change: Change<T>): void {
    for (const listener of this.listeners) {
      try {
        listener(change);
      } catch (error) {
        // One object that a listener cannot take must not keep all later ones from everybody.
        if (this.options.onListenerError) this.options.onListenerError(error);
        else queueMicrotask(() => throwIt(error));
      }
    }
  }
}

function throwIt(error: unknown): never {
  throw error;
}

function sameVersion(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}
