/**
 * Keeps a store in step with one kind on one API server: list in pages, then watch with bookmarks. Watches that the
 * server cuts are resumed from the last resourceVersion; only a revision the server no longer keeps, or one from its
 * future, makes it list again. It never gives up, and no failure ever empties the store.
 *
 * Rules after client-go's reflector (tools/cache) and https://kubernetes.io/docs/reference/using-api/api-concepts/.
 */
import type { IncomingMessage } from 'node:http';
import { type KubeClient, pathOf, type Selection } from './client.ts';
import { ApiError, isExpired, isTooLargeResourceVersion, type Status } from './errors.ts';
import { type IndexFunction, type ReadonlyStore, Store } from './store.ts';
import { sleep } from './transport.ts';
import type { KubeObject, Resource } from './types.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  resource: Resource;
  indexes?: Record<string, IndexFunction<T>>;
  /**
   * What is kept of an object as the server sent it; undefined leaves it out of the store. Default: the whole object
   * without managedFields. An object that is left out after an update is told as deleted, so decide by what cannot change.
   */
  project?: (object: KubeObject) => T | undefined;
  /**
   * Looks at a watch event's text before it is parsed; false skips it. For kinds of which nearly all events belong to
   * somebody else. It must say true for every event that `project` could keep.
   */
  concerns?: (line: Buffer) => boolean;
  /** Ask for metadata only (PartialObjectMetadata). */
  metadataOnly?: boolean;
  /** Objects a page. Default 500. */
  pageSize?: number;
  /** Told of each failed list or watch. The reflector goes on by itself. */
  onError?: (error: unknown, doing: 'list' | 'watch') => void;
  /** Told whenever a request succeeds: the server answered a list, opened a watch or sent an event. */
  onContact?: () => void;
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

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject;
}

/** Bookmarks come about once a minute (apiserver's cacher); silence this long means a dead connection, not a quiet kind. */
const SILENCE_MS = 150_000;

export function createReflector<T extends KubeObject = KubeObject>(
  client: KubeClient,
  options: ReflectorOptions<T>,
): Reflector<T> {
  const store = new Store<T>(options.indexes);
  const random = options.random ?? Math.random;
  const project = options.project ?? withoutManagedFields<T>;
  const accept = (list: boolean) =>
    options.metadataOnly
      ? { accept: `application/json;as=PartialObjectMetadata${list ? 'List' : ''};g=meta.k8s.io;v=v1` }
      : undefined;
  let revision = '';
  let lists = 0;
  let watches = 0;

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const doing = revision === '' ? 'list' : 'watch';
      const started = performance.now();
      try {
        if (doing === 'list') await list(signal);
        else await watch(signal);
        // A watch that the server ended is resumed at once, unless it ends them as fast as we open them.
        if (doing === 'list' || performance.now() - started > 1000) {
          failures = 0;
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        options.onError?.(error, doing);
        if (doing === 'watch' && (isExpired(error) || isTooLargeResourceVersion(error))) revision = '';
        if (performance.now() - started > 60_000) failures = 0;
      }
      failures++;
      await sleep(backOffMs(failures, random), signal).catch(() => undefined);
    }
  }

  async function list(signal: AbortSignal): Promise<void> {
    const objects: T[] = [];
    const headers = accept(true);
    let next: string | undefined;
    do {
      const page = await client.list<KubeObject>(
        options.resource,
        { ...selection(), limit: options.pageSize ?? 500, ...(next && { continue: next }) },
        { signal, timeoutMs: 60_000, ...(headers && { headers }) },
      );
      options.onContact?.();
      for (const item of page.items) {
        const kept = project(item);
        if (kept) objects.push(kept);
      }
      next = page.metadata.continue || undefined;
      if (!next) {
        lists++;
        store.replace(objects);
        revision = page.metadata.resourceVersion;
      }
    } while (next);
  }

  function selection(): Selection {
    const { namespace, labelSelector, fieldSelector } = options;
    return {
      ...(namespace && { namespace }),
      ...(labelSelector && { labelSelector }),
      ...(fieldSelector && { fieldSelector }),
    };
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const { namespace, ...query } = selection();
    const headers = accept(false);
    const response = await client.transport.stream({
      method: 'GET',
      path: pathOf(options.resource, namespace),
      query: {
        ...query,
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: revision,
        timeoutSeconds: 300 + Math.floor(random() * 300),
      },
      signal,
      ...(headers && { headers }),
    });
    watches++;
    options.onContact?.();
    // Silence is noticed by the socket: nothing for so long, not even a bookmark.
    response.socket.setTimeout(SILENCE_MS, () => response.destroy(new Error('the watch fell silent')));
    for await (const line of lines(response)) {
      options.onContact?.();
      take(line);
    }
  }

  function take(line: Buffer): void {
    if (options.concerns && isChange(line) && !options.concerns(line)) {
      revision = revisionIn(line) ?? revision;
      return;
    }
    const event = JSON.parse(line.toString('utf8')) as WatchEvent;
    if (event.type === 'ERROR') {
      const status = event.object as unknown as Status;
      throw new ApiError(status.code ?? 500, status, 'WATCH', pathOf(options.resource, options.namespace));
    }
    const { metadata } = event.object;
    if (event.type !== 'BOOKMARK') {
      const kept = project(event.object);
      const key = metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
      if (event.type === 'DELETED' || !kept) {
        // A late DELETED of a namesake that is gone already must not remove its successor.
        if (store.get(key)?.metadata.uid === metadata.uid) store.remove(key);
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

const CHANGE = /^\{"type":"(?:ADDED|MODIFIED|DELETED)"/;
const REVISION = '"resourceVersion":"';

function isChange(line: Buffer): boolean {
  return CHANGE.test(line.toString('latin1', 0, 20));
}

/**
 * The object's own resourceVersion in the text of a watch event. The first occurrence is the right one: metadata comes
 * before spec and status, and inside annotations the quotes are escaped.
 */
export function revisionIn(line: Buffer): string | undefined {
  const start = line.indexOf(REVISION);
  if (start < 0) return undefined;
  const from = start + REVISION.length;
  const end = line.indexOf('"', from);
  return end < 0 ? undefined : line.toString('latin1', from, end);
}

/** Splits a stream at newlines, on bytes. What follows the last newline when the stream ends is dropped: a torn event. */
export async function* lines(stream: IncomingMessage | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at);
      from = at + 1;
      if (rest.length > 0) {
        rest.push(piece);
        yield Buffer.concat(rest);
        rest = [];
      } else if (piece.length > 0) {
        yield piece;
      }
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
}

function withoutManagedFields<T extends KubeObject>(object: KubeObject): T {
  delete object.metadata.managedFields;
  return object as T;
}
