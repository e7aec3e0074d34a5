/** The worker's side of a session against a TLS server of the test's that answers whatever a worker might. */
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { fixedCredentials, Transport } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loopbackIdentity } from './samples.ts';
import { answerRefusal, checkUpgrade, openUpstream } from './upgrade.ts';

const identity = loopbackIdentity();

let worker: Server;
/** How each connection since the last look began. */
let connections: string[] = [];
let opened = 0;
let behave: (socket: Socket, request: IncomingMessage) => void;
let seen: { url: string; method: string; rawHeaders: string[] };

beforeAll(async () => {
  worker = createServer(identity, (_, response) => void response.end('{}'));
  worker.on('secureConnection', (socket: TLSSocket) => {
    connections.push(socket.isSessionReused() ? 'resumed' : 'new');
    opened++;
    socket.on('close', () => opened--);
  });
  worker.on('upgrade', (request, socket: Socket) => {
    socket.on('error', () => undefined);
    seen = { url: request.url ?? '', method: request.method ?? '', rawHeaders: request.rawHeaders };
    behave(socket, request);
  });
  await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  worker.closeAllConnections();
  worker.close();
});

function transportTo(port = (worker.address() as AddressInfo).port): Transport {
  return new Transport(fixedCredentials({ server: `https://127.0.0.1:${port}/prefix`, ca: identity.cert, token: 't' }));
}

interface OpenOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
  method?: string;
  port?: number;
  transport?: Transport;
}

function open(options: OpenOptions = {}) {
  return openUpstream({
    transport: options.transport ?? transportTo(options.port),
    namespace: 'mount',
    pod: 'web-1',
    kind: 'exec',
    query: new URLSearchParams([['command', 'a b&c']]),
    upgrade: 'SPDY/3.1',
    request: {
      method: options.method ?? 'POST',
      rawHeaders: ['X-Stream-Protocol-Version', 'v4', 'X-Stream-Protocol-Version', 'v3', 'Authorization', 'theirs'],
    } as IncomingMessage,
    userAgent: 'kubeocean-proxier/test',
    signal: options.signal ?? new AbortController().signal,
    ...(options.timeoutMs && { timeoutMs: options.timeoutMs }),
  });
}

const raw = (status: string, headers: string[], body = '') =>
  `HTTP/1.1 ${status}\r\n${[...headers, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`;
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n';

describe('the worker’s side', () => {
  it.each(['POST', 'GET'])('is asked with our credential, by %s, and its first bytes are kept', async (method) => {
    behave = (socket) => socket.write(`${SWITCH}X-Stream-Protocol-Version: v4\r\n\r\nfirst bytes`);
    const { answer, head, socket } = await open({ method });
    expect(seen.url).toBe('/prefix/api/v1/namespaces/mount/pods/web-1/exec?command=a+b%26c');
    expect(seen.method).toBe(method);
    expect(seen.rawHeaders.join(' ')).toContain('Authorization Bearer t');
    expect(seen.rawHeaders.filter((header) => header === 'X-Stream-Protocol-Version').length).toBe(2);
    expect(seen.rawHeaders.join(' ')).not.toContain('theirs');
    expect(answer).toMatch(/^HTTP\/1\.1 101 .*\r\nX-Stream-Protocol-Version: v4\r\n\r\n$/s);
    expect(String(head)).toBe('first bytes');
    socket.destroy();
  });

  it.each([
    ['a 101 to another protocol', SWITCH.replace('SPDY/3.1', 'websocket'), 502, /not asked for/],
    ['a stream protocol nobody offered', `${SWITCH}X-Stream-Protocol-Version: v9`, 502, /not offered/],
  ])('%s is refused', async (_, text, code, message) => {
    behave = (socket) => socket.write(`${text.trimEnd()}\r\n\r\n`);
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it.each([
    ['200 OK', 'hello', 502, /hello/],
    ['307 Temporary Redirect', '', 502, /answered 307/],
    ['404 Not Found', '{"message":"pods \\"web-1\\" not found"}', 404, /^pods "web-1" not found$/],
    ['400 Bad Request', 'container not found', 400, /container not found/],
    [
      '400 Bad Request',
      '{"kind":"Status","message":"pod web-1 does not have a host assigned"}',
      400,
      /^pod web-1 has not been given a node by the worker cluster yet$/,
    ],
    [
      '403 Forbidden',
      '{"kind":"Status","message":"cannot create pods/exec"}',
      502,
      /refuses Kubeocean's own credential: cannot create/,
    ],
    [
      '403 Forbidden',
      '{"kind":"Status","message":"admission webhook \\"no-shells\\" denied the request: ask first"}',
      502,
      /^the worker cluster does not allow it: admission webhook "no-shells" denied the request: ask first$/,
    ],
    ['403 Forbidden', 'unable to negotiate protocol', 403, /^unable to negotiate protocol$/],
    ['401 Unauthorized', 'x', 502, /own credential/],
    ['500 Internal Server Error', 'dial tcp', 500, /dial tcp/],
  ])('%s becomes a refusal', async (status, body, code, message) => {
    behave = (socket) => socket.end(raw(status, ['Location: https://elsewhere'], body));
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('that says nothing is given up', async () => {
    behave = () => undefined;
    await expect(open({ timeoutMs: 50 })).rejects.toMatchObject({
      code: 503,
      message: expect.stringMatching(/in time/) as string,
    });
  });

  it('that hangs up, or is not there, is told', async () => {
    behave = (socket) => socket.destroy();
    await expect(open()).rejects.toMatchObject({ code: 503 });
    await expect(open({ port: 1 })).rejects.toMatchObject({
      code: 503,
      message: expect.stringMatching(/ECONNREFUSED/) as string,
    });
  });

  it('is left when the client goes', async () => {
    const gone = new AbortController();
    const closed = Promise.withResolvers<void>();
    behave = (socket) => {
      socket.on('close', () => closed.resolve());
      gone.abort();
    };
    await expect(open({ signal: gone.signal })).rejects.toMatchObject({ code: 503 });
    await closed.promise;
  });
});

describe('the connection of a session', () => {
  beforeEach(() => (connections = []));

  it('is the one that the pod was just looked up on; else a new one that resumes the TLS session', async () => {
    behave = (socket) => socket.write(`${SWITCH}X-Stream-Protocol-Version: v4\r\n\r\n`);
    const transport = transportTo();
    const look = () => transport.call({ method: 'GET', path: '/' });
    await look();
    const first = await open({ transport });
    expect(connections).toEqual(['new']);
    await look();
    expect(connections).toEqual(['new', 'resumed']);
    const second = await open({ transport });
    const [third, fourth] = [await open({ transport }), await open({ transport })];
    // New ones, as none was idle; the first of these has no session of its own kind to resume.
    expect(connections).toEqual(['new', 'resumed', 'new', 'resumed']);
    for (const { socket } of [first, second, third, fourth]) socket.destroy();
    transport.close();
  });

  it('is made ready for the next one when it is asked to be, one at a time', async () => {
    behave = (socket) => socket.write(`${SWITCH}X-Stream-Protocol-Version: v4\r\n\r\n`);
    const transport = transportTo();
    await transport.call({ method: 'GET', path: '/' });
    const { socket } = await open({ transport });
    await Promise.all([transport.keepOneReady(), transport.keepOneReady()]);
    expect(connections).toEqual(['new', 'resumed']);
    await transport.keepOneReady();
    await transport.call({ method: 'GET', path: '/' });
    expect(connections).toEqual(['new', 'resumed']);
    socket.destroy();
    transport.close();
  });

  it('is not made ready, and nobody is told, when the server is not there', async () => {
    await expect(transportTo(1).keepOneReady()).resolves.toBeUndefined();
  });

  it('counts towards no limit of calls', async () => {
    behave = (socket) => socket.write(`${SWITCH}X-Stream-Protocol-Version: v4\r\n\r\n`);
    const transport = transportTo();
    const sessions = [];
    for (let i = 0; i < 70; i++) {
      await transport.call({ method: 'GET', path: '/' });
      sessions.push(await open({ transport }));
    }
    await transport.call({ method: 'GET', path: '/' });
    for (const { socket } of sessions) socket.destroy();
    transport.close();
  });

  it('is closed when the worker refuses, also one that was idle before', async () => {
    const transport = transportTo();
    behave = (socket) => socket.write(raw('404 Not Found', [], 'no such pod'));
    await vi.waitFor(() => expect(opened).toBe(0));
    await transport.call({ method: 'GET', path: '/' });
    await expect(open({ transport })).rejects.toMatchObject({ code: 404 });
    await expect(open({ transport })).rejects.toMatchObject({ code: 404 });
    await vi.waitFor(() => expect(opened).toBe(0));
    transport.close();
  });
});

describe('a request to upgrade', () => {
  const request = (method: string, headers: Record<string, string>) =>
    ({ method, headers }) as unknown as IncomingMessage;

  it.each([
    ['POST', { upgrade: 'SPDY/3.1' }, 'SPDY/3.1'],
    ['GET', { upgrade: 'spdy/3.1', 'content-length': '0' }, 'SPDY/3.1'],
    ['GET', { upgrade: 'websocket' }, 'websocket'],
  ])('%s %j', (method, headers, expected) => {
    expect(checkUpgrade(request(method, headers), Buffer.alloc(0))).toBe(expected);
  });

  it.each([
    ['GET', { upgrade: 'h2c' }, ''],
    ['GET', {}, ''],
    ['POST', { upgrade: 'websocket' }, ''],
    ['DELETE', { upgrade: 'SPDY/3.1' }, ''],
    ['POST', { upgrade: 'SPDY/3.1', 'content-length': '1' }, ''],
    ['POST', { upgrade: 'SPDY/3.1', 'content-length': 'x' }, ''],
    ['POST', { upgrade: 'SPDY/3.1', 'transfer-encoding': 'chunked' }, ''],
    ['POST', { upgrade: 'SPDY/3.1' }, 'smuggled'],
  ])('refused: %s %j "%s"', (method, headers, head) => {
    expect(() => checkUpgrade(request(method, headers), Buffer.from(head))).toThrow(/unable to upgrade|405/);
  });
});

describe('texts of a refusal', () => {
  it.each([
    [404, 'plain\n', 404, 'plain'],
    [404, '{"no":"message"}', 404, '{"no":"message"}'],
    [200, '', 502, 'the worker cluster answered 200'],
  ])('%d %s', (code, text, expectedCode, message) => {
    expect(answerRefusal(code, text)).toMatchObject({ code: expectedCode, message });
  });
});
