/** What callers read when there is no log and no session: the handlers between a home and a worker that refuse. */
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Annotation, workerName } from '@kubeocean/shared/api';
import { createLogger, Registry } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Admitted } from './gate.ts';
import { createHandlers } from './handlers.ts';
import { parseTarget, type Target } from './routes.ts';
import { createSessions, type Sessions } from './sessions.ts';

const homePod = {
  metadata: { namespace: 'shop', name: 'web', uid: 'u' },
  spec: { nodeName: 'v', containers: [{ name: 'main' }] },
};
const counterpart = {
  metadata: { name: workerName('b', 'shop', 'web'), annotations: { [Annotation.virtualPodUID]: 'u' } },
};
const LOG = '/containerLogs/shop/web/main?follow=true';
const EXEC = '/exec/shop/web/main?command=id&output=1';

type Answer = TestServer['answer'];
const says =
  (code: number, body: object): Answer =>
  (_, response) =>
    void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const status = (code: number, message: string) => says(code, { kind: 'Status', status: 'Failure', message, code });

let home: TestServer;
let worker: TestServer;
let vnode: Server;
let sessions: Sessions;
/** All that was logged. */
let logged: string;

beforeAll(async () => {
  [home, worker] = await Promise.all([TestServer.start(), TestServer.start()]);
});

beforeEach(async () => {
  home.reset();
  worker.reset();
  vnode?.close();
  home.answer = says(200, homePod);
  worker.answer = says(200, counterpart);
  logged = '';
  const log = createLogger('test', 'info', { write: (line) => void (logged += line) });
  const registry = new Registry();
  sessions = createSessions({ total: 10, perVnode: 10, log, registry });
  const handlers = createHandlers({
    clusters: {
      home: new KubeClient(home.transport()),
      worker: new KubeClient(worker.transport()),
      binding: { name: 'b', uid: 'b', clusterID: 'c', mountNamespace: 'mount' },
    },
    gate: async ({ url }): Promise<Admitted> => ({
      ...(parseTarget(url ?? '') as Target),
      user: { name: 'api-server', groups: [] },
      vnode: 'v',
    }),
    sessions,
    stats: { get: () => Promise.reject(new Error('no metrics here')), forget: () => undefined },
    log,
    registry,
    userAgent: 'test',
  });
  vnode = createServer((request, response) => handlers.onRequest(request, response));
  vnode.on('upgrade', (request, socket, head) => handlers.onUpgrade(request, socket as TLSSocket, head));
  await new Promise<void>((resolve) => vnode.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  vnode.closeAllConnections();
  vnode.close();
  home.stop();
  worker.stop();
});

/** Code and body of the answer to a log, or to an exec over SPDY. */
function ask(path: string): Promise<[code: number, text: string]> {
  const { promise, resolve, reject } = Promise.withResolvers<[number, string]>();
  const upgrade = path.startsWith('/exec/') && {
    method: 'POST',
    headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' },
  };
  const { port } = vnode.address() as AddressInfo;
  const request = httpRequest({ port, host: '127.0.0.1', path, agent: false, ...upgrade });
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => resolve([response.statusCode ?? 0, text]));
  });
  request.on('error', reject).end();
  return promise;
}

const messageIn = (text: string) => JSON.parse(text) as unknown;

describe('an API server that asks for a log passes on the words of 400 and 502, and not those of', () => {
  it('404: a pod that has not been started in the worker', async () => {
    worker.answer = status(404, 'pods "x" not found');
    const [code, text] = await ask(LOG);
    expect([code, text]).toEqual([400, expect.stringMatching(/^pod "web" has no container in the worker cluster: it/)]);
  });

  it('404: a pod that the worker refuses, which its status says', async () => {
    home.answer = says(200, {
      ...homePod,
      status: { phase: 'Pending', reason: 'RefusedByWorker', message: 'no quota' },
    });
    worker.answer = status(404, 'pods "x" not found');
    const text = 'pod "web" has no container in the worker cluster: RefusedByWorker: no quota';
    expect(await ask(LOG)).toEqual([400, `${text}\n`]);
    expect(messageIn((await ask(EXEC))[1])).toMatchObject({ kind: 'Status', message: text });
  });

  it('503: a home that cannot say which pod that is', async () => {
    home.answer = status(403, 'not you');
    expect(await ask(LOG)).toEqual([502, 'cannot look up pod "shop/web": not you\n']);
  });

  it('503: a log that is ended before anything was written', async () => {
    worker.answer = (request, response) => {
      if (!request.url?.includes('/log')) says(200, counterpart)(request, response);
    };
    const answer = ask(LOG);
    await vi.waitFor(() => expect(sessions.size).toBe(1), { timeout: 10_000 });
    sessions.killAll('the pod is gone');
    expect(await answer).toEqual([502, 'the log has ended: the pod is gone\n']);
    expect(sessions.size).toBe(0);
  });
});

it('a list of pods is one that Go reads, though users write the largest number that there is', async () => {
  const pod = '{"metadata":{"name":"web"},"spec":{"terminationGracePeriodSeconds":9223372036854775807}}';
  home.answer = (_, response) => response.end(`{"metadata":{"resourceVersion":"1"},"items":[${pod}]}`);
  expect(await ask('/pods')).toEqual([200, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[${pod}]}`]);
});

describe('kubectl takes `this: that` for YAML, and finds no words in it; so it gets a Status', () => {
  it('of a pod that has not been started in the worker', async () => {
    worker.answer = status(404, 'pods "x" not found');
    const [code, text] = await ask(EXEC);
    expect(code).toBe(404);
    expect(messageIn(text)).toMatchObject({ kind: 'Status', message: expect.stringMatching(/worker cluster: it has/) });
  });

  it('of a worker that fails', async () => {
    worker.answer = (request, response) =>
      request.method === 'GET'
        ? says(200, counterpart)(request, response)
        : status(500, 'Internal error occurred: no room')(request, response);
    const [code, text] = await ask(EXEC);
    expect(code).toBe(500);
    expect(messageIn(text)).toMatchObject({ kind: 'Status', message: 'Internal error occurred: no room' });
  });

  it('but not of what has no colon: that is said as kubelets say it', async () => {
    home.answer = says(200, { ...homePod, spec: { ...homePod.spec, containers: [] } });
    expect(await ask(EXEC)).toEqual([500, 'container not found ("main")\n']);
  });
});

it('whoever is refused an upgrade, and goes on sending, is not listened to for ever', async () => {
  const { port } = vnode.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const sending = setInterval(() => client.write('more'), 20);
  client.on('error', () => undefined).on('close', () => clearInterval(sending));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    client.write('GET /nothing HTTP/1.1\r\nhost: v\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n');
    await once(client.resume(), 'end');
    expect(client.destroyed).toBe(false);
    vi.advanceTimersByTime(10_000);
  } finally {
    vi.useRealTimers();
  }
  await vi.waitFor(() => expect(client.destroyed).toBe(true), 5000).finally(() => client.destroy());
});

const SECRET = 'hunter2 & "co"';
const asked = ['mysql', `-p${SECRET}`, 'db'].map((argument) => `command=${encodeURIComponent(argument)}`);
const WITH_SECRET = `/exec/shop/web/main?${asked.join('&')}&output=1`;
/** Of a worker whose API server is asked to switch: what it, or something before it, answers. */
const refuses =
  (code: number, words: (url: string) => string): Answer =>
  (request, response) => {
    const { url = '' } = request;
    if (!url.includes('/exec')) says(200, counterpart)(request, response);
    else response.writeHead(code).end(words(url));
  };

it.each([
  ['the page of a proxy that names the URL', refuses(502, (url) => `<p>cannot reach <code>${url}</code></p>`), /reach/],
  [
    'a policy that names the command',
    refuses(403, () =>
      JSON.stringify({ kind: 'Status', code: 403, message: `denied the request: mysql -p${SECRET} is not allowed` }),
    ),
    /denied the request: mysql …/,
  ],
  [
    'a policy that names it in quotes',
    refuses(403, () =>
      JSON.stringify({ kind: 'Status', code: 403, message: `denied: ${JSON.stringify(['mysql', `-p${SECRET}`])}` }),
    ),
    /denied: \[\\+"mysql\\+",\\+"…\\+"\]/,
  ],
])('no argument of a command is in the log, whoever quotes it: %s', async (_, answer, words) => {
  worker.answer = answer;
  const [code, text] = await ask(WITH_SECRET);
  expect([code, text]).toEqual([502, expect.stringContaining('hunter2')]);
  await vi.waitFor(() => expect(logged).toMatch(/session ended[^]*request refused/));
  expect(logged).toMatch(words);
  expect(logged).toContain('"command":"mysql"');
  expect(logged).not.toContain('hunter2');
});
