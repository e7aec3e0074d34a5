/** What is asked of a real kubelet and of a vnode alike, as data. `{web}` and the like stand for the names of pods. */
import { SPDY, WEBSOCKET } from './ask.ts';

export interface Question {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  /** Default: a user with all rights. */
  as?: 'admin' | 'nobody' | 'stranger';
  /** Only the code is compared: the text is about the place that answers. */
  codeOnly?: boolean;
  /** The answer has no end: only its code is compared. */
  endless?: boolean;
}

const LOGS = '/containerLogs/{ns}/{web}/main';
const EXEC = '/exec/{ns}/{web}/main';
const ATTACH = '/attach/{ns}/{web}/main';
const FORWARD = '/portForward/{ns}/{web}';
const PORT_FORWARD = { ...SPDY, 'x-stream-protocol-version': 'portforward.k8s.io' };

/** Queries of a log, good and bad. */
const LOG_QUERIES = [
  '',
  'tailLines=2',
  'tailLines=0',
  'tailLines=',
  'tailLines=-1',
  'tailLines=x',
  'tailLines=1.5',
  'tailLines=99999999999999999999',
  'limitBytes=10',
  'limitBytes=0',
  'limitBytes=-1',
  'limitBytes=x',
  'sinceSeconds=3600',
  'sinceSeconds=0',
  'sinceSeconds=-5',
  'sinceSeconds=x',
  'sinceTime=2020-01-01T00:00:00Z',
  'sinceTime=2120-01-01T00:00:00Z',
  'sinceTime=yesterday',
  'sinceTime=2020-01-01T00:00:00Z&sinceSeconds=5',
  'timestamps=true&tailLines=1',
  'timestamps=2',
  'previous=true',
  'previous=maybe',
  'follow=maybe',
  'follow=',
  'follow=false&previous=false&timestamps=false',
  'tailLines=1&tailLines=2',
  'stream=Stdout',
  'stream=Stderr',
  'stream=stdout',
  'stream=Stdout&tailLines=1',
  'container=other&tailLines=1',
  'insecureSkipTLSVerifyBackend=true&tailLines=1',
  'unknown=1&tailLines=1',
];

function questions(): Record<string, Question> {
  const all: Record<string, Question> = {};
  for (const query of LOG_QUERIES) {
    const endless = /follow=(maybe)?$/.test(query);
    all[`logs ${query || 'as they are'}`] = { path: `${LOGS}${query ? `?${query}` : ''}`, endless };
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
    all[`logs by ${method}`] = { path: `${LOGS}?tailLines=1`, method };
    all[`healthz by ${method}`] = { path: '/healthz', method };
    all[`pods by ${method}`] = { path: '/pods', method };
  }
  for (const [what, where] of [
    ['of an unknown pod', '{ns}/nothing/main'],
    ['of an unknown namespace', 'nowhere/{web}/main'],
    ['of an unknown container', '{ns}/{web}/nothing'],
    ['of a container that waits', '{ns}/{pending}/main'],
    ['of a container that has ended', '{ns}/{ended}/main'],
    ['of an init container', '{ns}/{web}/first'],
  ] as const) {
    all[`logs ${what}`] = { path: `/containerLogs/${where}` };
    all[`previous logs ${what}`] = { path: `/containerLogs/${where}?previous=true` };
    all[`exec ${what}, WebSocket`] = { path: `/exec/${where}?command=true&output=1`, headers: WEBSOCKET };
    all[`exec ${what}, SPDY`] = { path: `/exec/${where}?command=true&output=1`, method: 'POST', headers: SPDY };
    all[`attach ${what}, SPDY`] = { path: `/attach/${where}?output=1`, method: 'POST', headers: SPDY };
  }
  all['previous logs of a container that was restarted'] = { path: '/containerLogs/{ns}/{web}/again?previous=true' };
  for (const [name, path] of [
    ['exec', `${EXEC}?command=true&output=1`],
    ['attach', `${ATTACH}?output=1`],
    ['portForward', FORWARD],
  ] as const) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'])
      all[`${name} by ${method}, no upgrade`] = { path, method };
    all[`${name} by PUT, SPDY`] = { path, method: 'PUT', headers: SPDY };
    all[`${name} to another protocol`] = { path, method: 'POST', headers: { connection: 'Upgrade', upgrade: 'h2c' } };
    all[`${name} with an unknown stream protocol`] = {
      path,
      method: 'POST',
      headers: { ...SPDY, 'x-stream-protocol-version': 'v99.channel.k8s.io' },
    };
  }
  return Object.assign(all, {
    'exec, WebSocket': { path: `${EXEC}?command=true&output=1`, headers: WEBSOCKET },
    'exec, SPDY': { path: `${EXEC}?command=true&output=1`, method: 'POST', headers: SPDY },
    'exec, SPDY by GET': { path: `${EXEC}?command=true&output=1`, headers: SPDY },
    'exec with a terminal': { path: `${EXEC}?command=true&output=1&input=1&tty=1`, method: 'POST', headers: SPDY },
    'exec with a terminal and errors apart': {
      path: `${EXEC}?command=true&output=1&error=1&tty=1`,
      method: 'POST',
      headers: SPDY,
    },
    'exec of no stream': { path: `${EXEC}?command=true`, method: 'POST', headers: SPDY },
    'exec of no command': { path: `${EXEC}?output=1`, method: 'POST', headers: SPDY },
    'exec of an empty command': { path: `${EXEC}?command=&output=1`, method: 'POST', headers: SPDY },
    'exec of output=yes': { path: `${EXEC}?command=true&output=yes`, method: 'POST', headers: SPDY },
    'exec without a container': { path: '/exec/{ns}/{web}?command=true&output=1', method: 'POST', headers: SPDY },
    'attach, WebSocket': { path: `${ATTACH}?output=1`, headers: WEBSOCKET },
    'attach of no stream': { path: ATTACH, method: 'POST', headers: SPDY },
    'portForward, SPDY': { path: FORWARD, method: 'POST', headers: PORT_FORWARD },
    'portForward of an unknown pod': { path: '/portForward/{ns}/nothing', method: 'POST', headers: PORT_FORWARD },
    'portForward of a pod that waits': { path: '/portForward/{ns}/{pending}', method: 'POST', headers: PORT_FORWARD },
    'portForward to port x, WebSocket': {
      path: `${FORWARD}?port=x`,
      headers: { ...WEBSOCKET, 'sec-websocket-protocol': 'v4.channel.k8s.io' },
    },
    pods: { path: '/pods', codeOnly: true },
    'pods with a slash': { path: '/pods/', codeOnly: true },
    runningpods: { path: '/runningpods', codeOnly: true },
    'runningpods with a slash': { path: '/runningpods/', codeOnly: true },
    healthz: { path: '/healthz' },
    'healthz/ping': { path: '/healthz/ping' },
    configz: { path: '/configz', codeOnly: true },
    metrics: { path: '/metrics', codeOnly: true },
    'metrics/nothing': { path: '/metrics/nothing' },
    stats: { path: '/stats', codeOnly: true },
    'logs of the node': { path: '/logs/', codeOnly: true },
    run: { path: '/run/{ns}/{web}/main?cmd=true', method: 'POST', codeOnly: true },
    checkpoint: { path: '/checkpoint/{ns}/{web}/main', method: 'POST', codeOnly: true },
    debug: { path: '/debug/pprof/cmdline', codeOnly: true },
    'an unknown path': { path: '/nothing' },
    'the root': { path: '/' },
    'logs, nobody': { path: LOGS, as: 'nobody' },
    'exec, nobody': { path: `${EXEC}?command=true&output=1`, as: 'nobody', headers: WEBSOCKET },
    'healthz, nobody': { path: '/healthz', as: 'nobody' },
    'an unknown path, nobody': { path: '/nothing', as: 'nobody' },
    'logs, a stranger': { path: LOGS, as: 'stranger' },
    'pods, a stranger': { path: '/pods', as: 'stranger' },
    'healthz, a stranger': { path: '/healthz', as: 'stranger' },
    'configz, a stranger': { path: '/configz', as: 'stranger' },
    'metrics, a stranger': { path: '/metrics/resource', as: 'stranger' },
    'stats, a stranger': { path: '/stats/summary', as: 'stranger' },
    'exec by POST, a stranger': {
      path: `${EXEC}?command=true&output=1`,
      method: 'POST',
      headers: SPDY,
      as: 'stranger',
    },
    'exec by GET, a stranger': { path: `${EXEC}?command=true&output=1`, headers: WEBSOCKET, as: 'stranger' },
    'an unknown path, a stranger': { path: '/nothing', as: 'stranger' },
  } satisfies Record<string, Question>);
}

export const QUESTIONS: Record<string, Question> = questions();
