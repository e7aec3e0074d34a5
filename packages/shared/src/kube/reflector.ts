/**
 * Keeps a store in step with one kind on one API server: list in pages, then watch with bookmarks. Watches that the
 * server cuts are resumed from the last resourceVersion; only a revision the server no longer keeps, or one from its
 * future, makes it list again. It never gives up, and no failure ever empties the store.
 *
 * Rules after client-go's reflector (tools/cache) and https://kubernetes.io/docs/reference/using-api/api-concepts/.
 */
import { type KubeClient, PAGE_SIZE, type PageSelection, pathOf, type Selection } from './client.ts';
import { ApiError, isExpired, messageOf, type Status } from './errors.ts';
import { eventCame } from './coalescing.ts';
import { createNews, type OnWatchError } from './news.ts';
import { isOlder, mustListAgain, StateWentBack } from './revisions.ts';
import { Sharing } from './share.ts';
import { type IndexFunction, type ReadonlyStore, Store } from './store.ts';
import { sleep } from './sleep.ts';
import { keyOf, type KubeObject, type Resource } from './types.ts';
import { eventIn, isChange, lines, mustBeWatch, revisionIn } from './watch-lines.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  resource: Resource;
  indexes?: Record<string, IndexFunction<T>>;
  /**
   * What is kept of an object as the server sent it, without managedFields; undefined leaves it out of the store. Default:
   * all of it. An object that is left out after an update is told as deleted, so decide by what cannot change.
   */
  project?: (object: KubeObject) => T | undefined;
  /**
   * Looks at a watch event's text before it is parsed; false skips it. For kinds of which nearly all events belong to
   * somebody else. It must say true for every event that `project` could keep.
   */
  concerns?: (line: Buffer) => boolean;
  /**
   * For kinds of which many are kept: names the family of an object, within which most is alike, such as its workload. What
   * they say alike is in memory once, so nobody may write to what the store gives. Default: nothing is shared.
   */
  familyOf?: (object: T) => string;
  /** Ask for metadata only (PartialObjectMetadata). */
  metadataOnly?: boolean;
  /** Lists may be a moment old: for a selection that an API server finds in its cache by an index, and etcd by reading all. */
  cached?: boolean;
  /** Objects a page; default: {@link PAGE_SIZE}. */
  pageSize?: number;
  /** Told of each failed list or watch. The reflector goes on by itself. */
  onError?: OnWatchError;
  /** Told whenever a request succeeds: the server answered a list, opened a watch or sent an event. */
  onContact?: () => void;
  /** How long the server is asked to keep a watch, in seconds; up to twice as long. Default 300. */
  watchSeconds?: number;
  /** A watch on which nothing came for so long, in milliseconds, is dead. Default 150,000. Not of kinds without bookmarks. */
  silenceMs?: number;
  random?: () => number;
}

export interface Reflector<T extends KubeObject> {
  readonly store: ReadonlyStore<T>;
  /** Lists and watches until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Lists done so far; more than one means that a revision was lost. */
  readonly lists: number;
  /** Watches opened so far. */
  readonly watches: number;
}

/** Bookmarks come about once a minute (apiserver's cacher); silence this long means a dead connection, not a quiet kind. */
const SILENCE_MS = 150_000;
/** A sample is compared with the server between two watches at most this often. */
const VERIFY_MS = 600_000;
/** Objects of that sample. */
const SAMPLE = 50;

export function createReflector<T extends KubeObject = KubeObject>(
  client: KubeClient,
  options: ReflectorOptions<T>,
): Reflector<T> {
  const store = new Store<T>(options.indexes, {
    ...(options.onError && { onListenerError: (error: unknown) => tell(error, 'watch') }),
  });
  const isNews = createNews();
  const random = options.random ?? Math.random;
  const { metadataOnly = false } = options;
  const sharing = options.familyOf && new Sharing<T>(options.familyOf);
  /** Custom resources belong to groups of other domains. */
  const ownKind = !options.resource.group.includes('.') || options.resource.group.endsWith('.k8s.io');
  const bookmarks = !options.resource.uncached;
  let revision = '';
  let lists = 0;
  let watches = 0;
  /** False after a list that outlived its own pages: the next one takes everything at once. */
  let paged = true;
  /** Whether the watch that runs, or ran last, told of a change. */
  let told = false;
  /** Set when a connection broke: the server may have been put back to an older state meanwhile. */
  let doubtful = false;
  let verifiedAt = performance.now();

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    /** Revisions that were lost, one after the other, before their watch was of any use. */
    let lost = 0;
    while (!signal.aborted) {
      const doing = revision === '' ? 'list' : 'watch';
      const started = performance.now();
      told = false;
      try {
        if (doing === 'list') await list(signal);
        else {
          if (!options.cached && (doubtful || performance.now() - verifiedAt > VERIFY_MS)) await verify(signal);
          await watch(signal);
        }
        // A watch that the server ended is resumed at once, unless it ends them as fast as we open them and for nothing: a
        // busy server cuts those that do not keep up, within a moment when there is much to catch up with, and to wait
        // would make that more.
        if (doing === 'list') {
          // Whether it was of use its watch will show: a server that forgets the revision meanwhile is not to be asked for
          // all it has as fast as it can answer.
          failures = lost;
          continue;
        }
        if (told || performance.now() - started > 1000) {
          failures = lost = 0;
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (bookmarks || doing === 'list' || !isExpired(error)) tell(error, doing);
        doubtful = true;
        if (told || performance.now() - started > 10_000) failures = lost = 0;
        if (doing === 'watch' && mustListAgain(error)) {
          revision = '';
          lost++;
        }
        if (doing === 'list') paged = !isExpired(error);
      }
      failures++;
      await sleep(backOffMs(failures, random), signal).catch(() => undefined);
    }
  }

  function tell(error: unknown, doing: 'list' | 'watch'): void {
    options.onError?.(error, doing, isNews(messageOf(error)));
  }

  async function list(signal: AbortSignal): Promise<void> {
    const objects: T[] = [];
    let listed = '';
    for await (const page of client.pages(
      options.resource,
      { ...selection(), ...(paged && { limit: options.pageSize ?? PAGE_SIZE }) },
      { signal, timeoutMs: 60_000, metadataOnly },
    )) {
      options.onContact?.();
      for (const item of page.items) {
        const kept = project(item, 'list');
        if (kept) objects.push(kept);
      }
      listed = page.metadata.resourceVersion;
    }
    // No API server's list is without: something else answers, which has no objects for another reason.
    if (!listed) throw new Error(`the answer is no list of ${options.resource.plural}: it names no resourceVersion`);
    lists++;
    store.replace(objects);
    revision = listed;
    paged = true;
    trusted();
  }

  /**
   * Compares the first objects of a fresh list with the store. A server that was restored from a backup accepts a watch
   * from a revision of its future and then says nothing until it gets there, so it has to be asked.
   * @throws StateWentBack when the server's state is not a continuation of ours.
   */
  async function verify(signal: AbortSignal): Promise<void> {
    const page = await client.list<KubeObject>(
      options.resource,
      { ...selection(), limit: SAMPLE },
      { signal, timeoutMs: 30_000, metadataOnly },
    );
    options.onContact?.();
    if (isOlder(page.metadata.resourceVersion, revision)) throw new StateWentBack(options.resource.plural);
    for (const item of page.items) {
      const { resourceVersion = '' } = item.metadata;
      const kept = project(item, 'list');
      if (!kept || isOlder(revision, resourceVersion)) continue;
      // The watch has told everything up to our revision, so this object must be known as it is.
      const known = store.get(keyOf(kept))?.metadata.resourceVersion;
      if (known !== kept.metadata.resourceVersion) throw new StateWentBack(options.resource.plural);
    }
    trusted();
  }

  function trusted(): void {
    doubtful = false;
    verifiedAt = performance.now();
  }

  /**
   * One object that cannot be read must not keep all others from being seen: it is told of, and stays as it was known.
   */
  function project(object: KubeObject, doing: 'list' | 'watch'): T | undefined {
    delete object.metadata.managedFields;
    try {
      const kept = options.project ? options.project(object) : (object as T);
      if (!kept) return undefined;
      // Whatever is kept: by its UID the end of an object is told from a namesake's, so that without one it would never go.
      kept.metadata.uid = object.metadata.uid as string;
      sharing?.take(kept, store.get(keyOf(kept)));
      return kept;
    } catch (error) {
      const words = `${options.resource.kind} ${keyOf(object)} cannot be read, stays as it was: ${messageOf(error)}`;
      tell(new Error(words, { cause: error }), doing);
      const known = store.get(keyOf(object));
      return known?.metadata.uid === object.metadata.uid ? known : undefined;
    }
  }

  function selection(): PageSelection {
    const { namespace, labelSelector, fieldSelector } = options;
    return {
      ...(namespace && { namespace }),
      ...(labelSelector && { labelSelector }),
      ...(fieldSelector && { fieldSelector }),
      ...(options.cached && { resourceVersion: '0' }),
    };
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const watchSeconds = options.watchSeconds ?? 300;
    const { namespace, ...query } = selection();
    const response = await client.transport.stream({
      method: 'GET',
      path: pathOf(options.resource, namespace),
      query: {
        ...query,
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: revision,
        timeoutSeconds: watchSeconds + Math.floor(random() * watchSeconds),
      },
      signal,
      metadataOnly: metadataOnly ? 'object' : undefined,
    });
    mustBeWatch(response);
    watches++;
    options.onContact?.();
    // Silence is noticed by the socket: nothing for so long, not even a bookmark, or the end that was asked for.
    const silenceMs = bookmarks ? (options.silenceMs ?? SILENCE_MS) : 2 * watchSeconds * 1000 + 30_000;
    response.socket.setTimeout(silenceMs, () => response.destroy(new Error('the watch fell silent')));
    for await (const line of lines(response)) {
      options.onContact?.();
      eventCame();
      take(line);
    }
  }

  function take(line: Buffer): void {
    if (options.concerns && isChange(line) && !options.concerns(line)) {
      told = true;
      revision = revisionIn(line) ?? revision;
      return;
    }
    const event = eventIn(line, ownKind);
    if (event.type === 'ERROR') {
      const status = event.object as unknown as Status;
      throw new ApiError(status.code ?? 500, status, 'WATCH', pathOf(options.resource, options.namespace));
    }
    const { metadata } = event.object;
    if (event.type !== 'BOOKMARK') {
      told = true;
      const key = keyOf(event.object);
      // The end of one that was never kept concerns nobody, `project` least: it may count what it admits.
      const kept = event.type === 'DELETED' && !store.has(key) ? undefined : project(event.object, 'watch');
      if (event.type === 'DELETED' || !kept) {
        // A late DELETED of a namesake that is gone already must not remove its successor.
        const known = store.get(key);
        if (known?.metadata.uid === metadata.uid) {
          store.remove(key, event.type === 'DELETED' ? (kept ?? known) : undefined);
        }
      } else {
        store.set(kept);
      }
    }
    if (metadata.resourceVersion) revision = metadata.resourceVersion;
  }

  return {
    store,
    run,
    get lists() {
      return lists;
    },
    get watches() {
      return watches;
    },
  };
}

/** Waiting time before try `failures`: 0.8 s doubling to 30 s, half of it random. */
export function backOffMs(failures: number, random: () => number): number {
  return Math.min(800 * 2 ** (failures - 1), 30_000) * (0.5 + random() / 2);
}
