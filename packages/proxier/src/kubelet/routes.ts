/**
 * The paths of the kubelet API that vnodes answer, and what they become at the worker's API server. Pure. A path that
 * is not exactly one of these is none of them: no decoding twice, no dot segments, no empty segments.
 */
import { STATS_PATHS, type StatsPath } from '@kubeocean/shared/stats';

/** A request for one container of a home pod. */
export interface ContainerTarget {
  namespace: string;
  pod: string;
  container: string;
}

export type Route =
  | ({ kind: 'logs' } & ContainerTarget)
  | ({ kind: 'exec' } & ContainerTarget)
  | ({ kind: 'attach' } & ContainerTarget)
  | { kind: 'portForward'; namespace: string; pod: string }
  | { kind: 'healthz' }
  | { kind: 'pods' }
  | { kind: 'runningpods' }
  | { kind: 'stats'; path: StatsPath }
  | { kind: 'unknown' };

export type SessionKind = 'exec' | 'attach' | 'portForward';

export interface Target {
  /** First segment, decoded: what authorisation goes by. */
  first: string;
  route: Route;
  query: URLSearchParams;
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * Reads a request target (`/exec/ns/pod/container?command=ls`).
 * @returns undefined when it is malformed: then the request is answered 400 whoever asks.
 */
export function parseTarget(target: string): Target | undefined {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!path.startsWith('/') || path.length > 4096) return undefined;
  const segments: string[] = [];
  for (const raw of path.slice(1).split('/')) {
    let segment: string;
    try {
      segment = decodeURIComponent(raw);
    } catch {
      return undefined;
    }
    if (segment === '.' || segment === '..' || /[/\\\0]/.test(segment)) return undefined;
    segments.push(segment);
  }
  // The kubelet takes one slash at the end (`/pods/`, `/runningpods/`).
  if (segments.length > 1 && segments.at(-1) === '') segments.pop();
  if (segments.length > 1 && segments.includes('')) return undefined;
  return {
    first: segments[0] ?? '',
    route: routeOf(segments),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
  };
}

function routeOf(segments: readonly string[]): Route {
  const [first = '', namespace = '', pod = '', container = ''] = segments;
  switch (first) {
    case 'healthz':
    case 'pods':
    case 'runningpods':
      return { kind: segments.length === 1 ? first : 'unknown' };
    case 'stats':
    case 'metrics': {
      const path = STATS_PATHS.find((known) => known === segments.join('/'));
      return path ? { kind: 'stats', path } : { kind: 'unknown' };
    }
    case 'portForward':
      return segments.length === 3 && LABEL.test(namespace) && SUBDOMAIN.test(pod)
        ? { kind: first, namespace, pod }
        : { kind: 'unknown' };
    case 'containerLogs':
    case 'exec':
    case 'attach':
      return segments.length === 4 && LABEL.test(namespace) && SUBDOMAIN.test(pod) && LABEL.test(container)
        ? { kind: first === 'containerLogs' ? 'logs' : first, namespace, pod, container }
        : { kind: 'unknown' };
    default:
      return { kind: 'unknown' };
  }
}

/** A query that the kubelet would not take either. */
export class QueryError extends Error {
  readonly code: 400 | 422;

  constructor(code: 400 | 422, message: string) {
    super(message);
    this.name = 'QueryError';
    this.code = code;
  }
}

/**
 * Query of `pods/<pod>/log` from that of `/containerLogs/...`: only options of a log, each checked (core/v1 PodLogOptions).
 * @throws QueryError naming the option.
 */
export function logQuery(query: URLSearchParams, container: string): Record<string, string> {
  const mapped: Record<string, string> = { container };
  for (const name of ['follow', 'previous', 'timestamps'] as const) {
    const value = query.get(name);
    if (value !== null) mapped[name] = String(booleanOf(value));
  }
  for (const [name, min] of [
    ['tailLines', 0],
    ['sinceSeconds', 1],
    ['limitBytes', 1],
  ] as const) {
    const value = query.get(name);
    if (value === null) continue;
    const number = /^[+-]?\d{1,30}$/.test(value) ? BigInt(value.replace('+', '')) : undefined;
    // Programs name the most that there is when they want no limit.
    if (number === undefined || BigInt.asIntN(64, number) !== number) {
      throw new QueryError(400, `${name} must be a whole number`);
    }
    if (number < min) throw new QueryError(422, `${name} must be at least ${min}`);
    mapped[name] = String(number);
  }
  const sinceTime = query.get('sinceTime');
  if (sinceTime) {
    if (Number.isNaN(Date.parse(sinceTime)) || !/^\d{4}-\d\d-\d\dT/.test(sinceTime)) {
      throw new QueryError(400, 'sinceTime must be an RFC 3339 time');
    }
    if (mapped['sinceSeconds']) throw new QueryError(422, 'at most one of sinceTime and sinceSeconds may be given');
    mapped['sinceTime'] = sinceTime;
  }
  const stream = query.get('stream');
  if (stream) {
    if (!['All', 'Stdout', 'Stderr'].includes(stream)) {
      throw new QueryError(422, 'stream must be All, Stdout or Stderr');
    }
    // All is what none means. Where the feature is on, API servers name it with every log; where it is off, they refuse any.
    if (stream !== 'All') mapped['stream'] = stream;
  }
  return mapped;
}

/** As kubelet and API server read it (apimachinery's Convert_Slice_string_To_bool): whatever does not say no is a yes. */
function booleanOf(value: string): boolean {
  return value !== '0' && value.toLowerCase() !== 'false';
}

const STREAMS = { input: 'stdin', output: 'stdout', error: 'stderr', tty: 'tty' } as const;

/**
 * Query of `pods/<pod>/exec`, `attach` or `portforward` from that of the kubelet's path of the same kind.
 * @throws QueryError when it asks for nothing, or for what is not a port.
 */
export function sessionQuery(route: Route & { kind: SessionKind }, query: URLSearchParams): URLSearchParams {
  const mapped = new URLSearchParams();
  if (route.kind === 'portForward') {
    for (const port of query.getAll('port').flatMap((list) => list.split(','))) {
      if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
        throw new QueryError(400, `"${port.slice(0, 20)}" is not a port`);
      }
      mapped.append('ports', String(Number(port)));
    }
    return mapped;
  }
  const asked = new Set<string>();
  for (const [kubelet, api] of Object.entries(STREAMS)) {
    const value = query.get(kubelet);
    if (value === '1') asked.add(api);
  }
  // A terminal has one output; the kubelet leaves stderr out as well.
  if (asked.has('tty')) asked.delete('stderr');
  if (!asked.has('stdin') && !asked.has('stdout') && !asked.has('stderr')) {
    throw new QueryError(400, 'you must specify at least 1 of stdin, stdout, stderr');
  }
  if (route.kind === 'exec') {
    const command = query.getAll('command');
    if (command.length === 0) throw new QueryError(400, 'you must specify a command');
    for (const argument of command) mapped.append('command', argument);
  }
  for (const stream of asked) mapped.append(stream, 'true');
  mapped.append('container', route.container);
  return mapped;
}

/** Subresource of pods at the worker's API server. */
export const SESSION_SUBRESOURCE: Record<SessionKind, string> = {
  exec: 'exec',
  attach: 'attach',
  portForward: 'portforward',
};
