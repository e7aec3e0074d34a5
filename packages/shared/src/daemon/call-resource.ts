/** What a call to an API server is about, for the label of a metric: a kind and its subresource, never an object's name. */

/** `pods`, `pods/status`, `leases` of an API path; empty for paths that are no resource, such as `/version`. */
export function resourceOfPath(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '');
  const start = segments[0] === 'api' ? 2 : segments[0] === 'apis' ? 3 : Number.POSITIVE_INFINITY;
  const rest = segments.slice(start);
  // `namespaces/x` alone is the Namespace; with more behind it, it is where that lies.
  const [resource = '', , subresource] = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest;
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}
