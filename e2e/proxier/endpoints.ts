/** Who calls the port of a vnode, what is asked there, and who may: the table that proxier-access.test.ts goes through. */
import { SPDY, WEBSOCKET } from './ask.ts';
import type { Right } from './callers.ts';

/** What each caller's rights are, on all nodes unless names are given. */
export const RIGHTS: Record<string, Right> = {
  stranger: { verbs: [], resources: [] },
  looker: { verbs: ['get', 'list', 'watch'], resources: ['nodes', 'nodes/proxy'] },
  opener: { verbs: ['create'], resources: ['nodes/proxy'] },
  lister: { verbs: ['get'], resources: ['nodes/pods', 'nodes/healthz', 'nodes/configz'] },
  scraper: { verbs: ['get'], resources: ['nodes/metrics'] },
  statistician: { verbs: ['get'], resources: ['nodes/stats'] },
  loggerhead: { verbs: ['get', 'create'], resources: ['nodes/log', 'nodes/checkpoint'] },
  owner: { verbs: ['*'], resources: ['pods', 'pods/exec', 'pods/log', 'pods/attach', 'pods/portforward'] },
  admin: { verbs: ['*'], resources: ['nodes/proxy', 'nodes/metrics', 'nodes/stats'] },
};

export interface Endpoint {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  /** Who is let in, beside `admin`. */
  may: string[];
  /** What those get. */
  code: number;
}

/** Paths about one pod. */
export interface PodPaths {
  exec: string;
  attach: string;
  forward: string;
  logs: string;
}

export function podPaths(namespace: string, pod: string): PodPaths {
  return {
    exec: `/exec/${namespace}/${pod}/main?command=true&output=1`,
    attach: `/attach/${namespace}/${pod}/main?output=1`,
    forward: `/portForward/${namespace}/${pod}`,
    logs: `/containerLogs/${namespace}/${pod}/main?tailLines=1`,
  };
}

/** Metrics have no agent to come from in these tests. */
const NO_AGENT = 503;

/** Every endpoint about the pod that is there. */
export function endpointsOf(namespace: string, pod: string): Record<string, Endpoint> {
  const { exec, attach, forward, logs } = podPaths(namespace, pod);
  return {
    'GET containerLogs': { path: logs, may: ['looker'], code: 200 },
    'POST containerLogs': { path: logs, method: 'POST', may: ['opener'], code: 405 },
    'DELETE containerLogs': { path: logs, method: 'DELETE', may: [], code: 405 },
    'exec over WebSocket': { path: exec, headers: WEBSOCKET, may: ['opener'], code: 101 },
    'exec over SPDY': { path: exec, method: 'POST', headers: SPDY, may: ['opener'], code: 101 },
    'exec over SPDY by GET': { path: exec, headers: SPDY, may: ['opener'], code: 101 },
    'exec without upgrade': { path: exec, method: 'POST', may: ['opener'], code: 400 },
    'exec without upgrade by GET': { path: exec, may: ['opener'], code: 400 },
    'attach over WebSocket': { path: attach, headers: WEBSOCKET, may: ['opener'], code: 101 },
    'attach over SPDY': { path: attach, method: 'POST', headers: SPDY, may: ['opener'], code: 101 },
    'portForward over SPDY': {
      path: forward,
      method: 'POST',
      headers: { ...SPDY, 'x-stream-protocol-version': 'portforward.k8s.io' },
      may: ['opener'],
      code: 101,
    },
    run: { path: `/run/${namespace}/${pod}/main?cmd=id`, method: 'POST', may: ['opener'], code: 404 },
    'run by GET': { path: `/run/${namespace}/${pod}/main?cmd=id`, may: ['opener'], code: 404 },
    'run over WebSocket': { path: `/run/${namespace}/${pod}/main`, headers: WEBSOCKET, may: ['opener'], code: 404 },
    cri: { path: '/cri/exec/x', may: ['opener'], code: 404 },
    pods: { path: '/pods', may: ['lister', 'looker'], code: 200 },
    runningpods: { path: '/runningpods/', may: ['lister', 'looker'], code: 200 },
    healthz: { path: '/healthz', may: ['lister', 'looker'], code: 200 },
    configz: { path: '/configz', may: ['lister', 'looker'], code: 404 },
    metrics: { path: '/metrics', may: ['scraper'], code: 404 },
    'metrics/resource': { path: '/metrics/resource', may: ['scraper'], code: NO_AGENT },
    'metrics/cadvisor': { path: '/metrics/cadvisor', may: ['scraper'], code: NO_AGENT },
    'stats/summary': { path: '/stats/summary', may: ['statistician'], code: NO_AGENT },
    logs: { path: '/logs/', may: ['loggerhead'], code: 404 },
    checkpoint: { path: `/checkpoint/${namespace}/${pod}/main`, method: 'POST', may: ['loggerhead'], code: 404 },
    debug: { path: '/debug/pprof/', may: ['looker'], code: 404 },
    nothing: { path: '/nothing', may: ['looker'], code: 404 },
    'the root': { path: '/', may: ['looker'], code: 404 },
  };
}

/** Rights of `admin` that RIGHTS does not name. */
export const NOT_ADMIN = new Set(['logs', 'checkpoint']);
