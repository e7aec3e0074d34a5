/** What a request to an API server says. */
import type { ClusterAccess } from './kubeconfig.ts';

export interface RequestOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the server's URL, beginning with `/`. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  body?: string;
  /** Deadline of the whole call with its retries, in milliseconds. Default 30,000. A stream's deadline is until its headers. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Only metadata is answered, of an object (or the events of a watch) or of a list. Where a server cannot, all is. */
  metadataOnly?: 'object' | 'list' | undefined;
  /**
   * False: give the first answer back, whatever it is. Evictions need it: their 429 means "not now", not "slow down". `unacted`:
   * ask again only where the server did nothing (429, 401 after a new token), as for a write: somebody waits for the first words.
   */
  retry?: boolean | 'unacted';
  /** Opens a connection for this call: when one got no answer, others that stand idle may be as dead. */
  newConnection?: boolean;
  /** Asked at the moment of each sending, which a pause between tries or a wait for a connection may have put off. */
  maySend?: (() => boolean) | undefined;
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/, alternate representations. */
const METADATA = {
  object: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json',
  list: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
};

/** Everything before the body. */
export function headersOf(
  access: ClusterAccess,
  { body, headers: own, metadataOnly }: RequestOptions,
  userAgent: string,
): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    accept: metadataOnly ? METADATA[metadataOnly] : 'application/json',
    'user-agent': userAgent,
    ...authorization(access),
    ...own,
  };
  if (body !== undefined) {
    headers['content-type'] ??= 'application/json';
    headers['content-length'] = Buffer.byteLength(body);
  }
  return headers;
}

export function queryText(query: RequestOptions['query']): string {
  let text = '';
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) text += `${text ? '&' : '?'}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  }
  return text;
}

export function authorization(access: ClusterAccess): Record<string, string> {
  return access.token ? { authorization: `Bearer ${access.token}` } : {};
}
