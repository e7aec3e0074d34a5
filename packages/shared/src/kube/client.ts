/** Verbs on kinds: builds paths and bodies, keeps objects as raw JSON. One client per cluster. */
import { parsed } from './answer.ts';
import { applyText, jsonText } from './json-text.ts';
import { continueIn, pageWithoutManagedFields } from './page-text.ts';
import { Pods } from './resources.ts';
import type { RequestOptions } from './request.ts';
import type { Transport } from './transport.ts';
import { apiVersionOf, type Json, type KubeList, type KubeObject, type Resource } from './types.ts';

export type PatchType = 'merge' | 'strategic';

/**
 * Fields that the server does not know are dropped, as they are by default, but without a list of them in a header that
 * nobody reads: strict decoding costs the server more than the rest of reading a body.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level
 */
const fieldValidation = 'Ignore';

const PATCH_CONTENT: Record<PatchType, string> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

/** Objects of a page: as fast as more, and their texts are the most memory that a process ever needs. */
export const PAGE_SIZE = 200;

/** Selects among the objects of a kind. An absent or empty namespace means all of them. */
export interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface PageSelection extends Selection {
  /** Most objects of a page. */
  limit?: number;
  /** Where the page before ended, as its metadata say. */
  continue?: string;
  resourceVersion?: string;
}

export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  retry?: boolean;
  /** Opens a connection for this call: when one got no answer, others that stand idle may be as dead. */
  newConnection?: boolean;
  /** `true`: the server checks everything and stores nothing. */
  dryRun?: boolean;
  /** `true`: the answer has the object's metadata only. Cheaper for both sides where nothing else of it is read. */
  metadataOnly?: boolean;
}

export interface PatchOptions extends CallOptions {
  type?: PatchType;
  subresource?: string;
}

export interface DeleteOptions extends CallOptions {
  /** Preconditions: 409 Conflict when the object is another one by now. */
  uid?: string;
  resourceVersion?: string;
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}

/** Path of a kind, an object or a subresource. Every segment is escaped. */
export function pathOf(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  const base = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  const sub = subresource ? `/${subresource}` : '';
  return `${base}${scope}/${resource.plural}${object}${sub}`;
}

/** Talks to one API server. All methods throw ApiError or ConnectionError. */
export class KubeClient {
  readonly transport: Transport;
  private readonly maySend: (() => boolean) | undefined;

  /** @param maySend asked at the moment a write is sent; false: it is not, and fails with a ConnectionError */
  constructor(transport: Transport, maySend?: () => boolean) {
    this.transport = transport;
    this.maySend = maySend;
  }

  /** Of the same cluster by the same connections. Its writes are sent while we lead, however long they waited. */
  ledBy({ isCurrent }: { isCurrent: () => boolean }): KubeClient {
    return new KubeClient(this.transport, isCurrent);
  }

  get<T extends KubeObject>(
    resource: Resource,
    namespace: string,
    name: string,
    options: CallOptions = {},
  ): Promise<T> {
    return this.transport.call({ method: 'GET', path: pathOf(resource, namespace, name), ...plain(options) });
  }

  /** One page, and no more. */
  async list<T extends KubeObject>(
    resource: Resource,
    selection: PageSelection = {},
    options: CallOptions = {},
  ): Promise<KubeList<T>> {
    const request = listRequest(resource, selection, options);
    return this.page(request, await this.transport.text(request));
  }

  /**
   * All pages, one after the other, their objects without managedFields. The next page is asked for before the last one is
   * parsed, so that the server works on it while the caller looks at that.
   */
  async *pages<T extends KubeObject>(
    resource: Resource,
    selection: Omit<PageSelection, 'continue'> = {},
    options: CallOptions = {},
  ): AsyncGenerator<KubeList<T>> {
    // Only an object that is sure to have a spec shows where its managedFields end.
    const cut = resource === Pods && !options.metadataOnly;
    const ask = (token?: string): Promise<string> => {
      const text = this.transport.text(
        listRequest(resource, { ...selection, ...(token && { continue: token }) }, options),
      );
      // It may fail while nobody awaits it yet.
      text.catch(() => undefined);
      return text;
    };
    const request = listRequest(resource, selection, options);
    let asked: Promise<string> | undefined = ask();
    while (asked) {
      const text = await asked;
      const early = continueIn(text);
      asked = early === undefined ? undefined : ask(early);
      const page: KubeList<T> = this.page(request, cut ? pageWithoutManagedFields(text) : text);
      for (const { metadata } of page.items) delete metadata.managedFields;
      if (!asked && page.metadata.continue) asked = ask(page.metadata.continue);
      yield page;
    }
  }

  private page<T extends KubeObject>(request: RequestOptions, text: string): KubeList<T> {
    const page = parsed<KubeList<T>>(text, request.path, this.transport.server);
    // An empty list of metadata only (PartialObjectMetadataList) comes with `items: null`.
    page.items ??= [];
    return page;
  }

  /** Creates `object`, or posts to its subresource (`eviction`, `token`, `binding`) when one is named. */
  create<T extends KubeObject>(
    resource: Resource,
    object: Omit<T, 'metadata'> & { metadata: { name?: string; namespace?: string; generateName?: string } & Json },
    options: CallOptions & { subresource?: string } = {},
  ): Promise<T> {
    const { subresource } = options;
    const { namespace, name } = object.metadata;
    const body = subresource ? object : { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
    return this.transport.call({
      method: 'POST',
      maySend: this.maySend,
      path: pathOf(resource, namespace, subresource ? name : undefined, subresource),
      query: { fieldValidation, dryRun: options.dryRun ? 'All' : undefined },
      body: jsonText(body),
      ...plain(options),
    });
  }

  /** Writes the whole object; fails with 409 when its resourceVersion is not the current one. */
  replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: CallOptions & { subresource?: string } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.transport.call({
      method: 'PUT',
      maySend: this.maySend,
      path: pathOf(resource, namespace, name, options.subresource),
      query: { fieldValidation, dryRun: options.dryRun ? 'All' : undefined },
      body: jsonText(object),
      ...plain(options),
    });
  }

  /** Patches; the default type is a JSON merge patch. Put `metadata.uid` into the patch to guard against a namesake. */
  patch<T extends KubeObject>(
    resource: Resource,
    namespace: string,
    name: string,
    patch: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.transport.call({
      method: 'PATCH',
      maySend: this.maySend,
      path: pathOf(resource, namespace, name, options.subresource),
      query: { fieldValidation, dryRun: options.dryRun ? 'All' : undefined },
      headers: { 'content-type': PATCH_CONTENT[options.type ?? 'merge'] },
      body: jsonText(patch),
      ...plain(options),
    });
  }

  /** Server-side apply: the object becomes ours in exactly the fields given, taken over from other managers. */
  apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    fieldManager: string,
    options: CallOptions & { subresource?: string } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.transport.call({
      method: 'PATCH',
      maySend: this.maySend,
      path: pathOf(resource, namespace, name, options.subresource),
      query: {
        fieldManager,
        fieldValidation,
        force: true,
        dryRun: options.dryRun ? 'All' : undefined,
      },
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: applyText({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...object }),
      ...plain(options),
    });
  }

  delete(resource: Resource, namespace: string, name: string, options: DeleteOptions = {}): Promise<KubeObject> {
    const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options;
    const preconditions = uid || resourceVersion ? { uid, resourceVersion } : undefined;
    return this.transport.call({
      method: 'DELETE',
      maySend: this.maySend,
      path: pathOf(resource, namespace, name),
      query: { dryRun: options.dryRun ? 'All' : undefined },
      body: jsonText({
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        preconditions,
        gracePeriodSeconds,
        propagationPolicy,
      }),
      ...plain(options),
    });
  }
}

function listRequest(resource: Resource, selection: PageSelection, options: CallOptions): RequestOptions {
  const { namespace, ...query } = selection;
  return {
    method: 'GET',
    path: pathOf(resource, namespace),
    query,
    ...plain(options),
    ...(options.metadataOnly && { metadataOnly: 'list' }),
  };
}

function plain(
  options: CallOptions,
): Pick<RequestOptions, 'signal' | 'timeoutMs' | 'retry' | 'newConnection' | 'metadataOnly'> {
  const { signal, timeoutMs, retry, newConnection, metadataOnly } = options;
  return {
    ...(metadataOnly && { metadataOnly: 'object' }),
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(retry !== undefined && { retry }),
    ...(newConnection && { newConnection }),
  };
}
