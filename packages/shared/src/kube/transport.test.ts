/** Calls over real TLS to a server of the tests' own; how real API servers answer is in e2e/kube-calls.test.ts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { say, TestServer } from '../testing/api-server.ts';
import { fixedCredentials } from './credentials.ts';
import { isNotFound, isNotServed, unlessMissing } from './errors.ts';
import { Transport } from './transport.ts';

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

test('calls one after the other take one connection, parallel ones as many as there are', async () => {
  server.answer = say({ fine: true });
  const client = server.transport();
  for (let n = 0; n < 5; n++) expect(await client.call({ method: 'GET', path: '/' })).toEqual({ fine: true });
  expect(server.connections).toBe(1);
  await Promise.all([1, 2, 3].map(() => client.call({ method: 'GET', path: '/' })));
  expect(server.connections).toBe(3);
});

test("the server's own path stays before that of a call, and a query is escaped", async () => {
  server.answer = (request, response) => say({ url: request.url })(request, response);
  const query = { labelSelector: 'a=b,c in (d e)', limit: 5, watch: undefined, 'x&y': true };
  expect(await server.transport('/clusters/one').call({ method: 'GET', path: '/api', query })).toEqual({
    url: '/clusters/one/api?labelSelector=a%3Db%2Cc%20in%20(d%20e)&limit=5&x%26y=true',
  });
});

test.each([
  ['no headers come', () => undefined],
  ['the body stops', (_: IncomingMessage, response: ServerResponse) => void response.write('{')],
])('a call ends at its deadline when %s, and the next one works', async (_, silence) => {
  const client = server.transport();
  server.answer = silence;
  await expect(client.call({ method: 'POST', path: '/', timeoutMs: 50 })).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'ETIMEDOUT',
  });
  server.answer = say(1);
  expect(await client.call({ method: 'GET', path: '/' })).toBe(1);
});

test.each(['before the answer', 'within the body'])('a caller ends its call %s', async (when) => {
  const caller = new AbortController();
  server.answer = (_, response) => {
    if (when === 'within the body') response.write('{');
    setImmediate(() => caller.abort());
  };
  await expect(server.transport().call({ method: 'GET', path: '/', signal: caller.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
});

/** A server that answers about Leases and nothing else, and how many calls it leaves without an answer. */
function silentButForLeases(): { hung: () => number } {
  let hung = 0;
  server.answer = (request, response) => {
    if (request.url?.startsWith('/apis/coordination.k8s.io/')) say('lease')(request, response);
    else hung++;
  };
  return { hung: () => hung };
}

/** Takes up all connections for calls, with calls that are not answered. */
async function takeAllConnections(client: Transport, signal: AbortSignal): Promise<void> {
  const { hung } = silentButForLeases();
  for (let n = 0; n < 64; n++) client.call({ method: 'GET', path: '/api/v1/secrets', signal }).catch(() => undefined);
  await vi.waitFor(() => expect(hung()).toBe(64), 10_000);
}

const aLease = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/vnode-a';

test('a call that waits for a connection ends at its deadline, or when its caller ends it', async () => {
  const over = new AbortController();
  const client = server.transport();
  await takeAllConnections(client, over.signal);
  const late = client.call({ method: 'POST', path: '/api/v1/pods', timeoutMs: 50 });
  await expect(late).rejects.toMatchObject({ name: 'ConnectionError', code: 'ETIMEDOUT' });
  const caller = new AbortController();
  const ended = client.call({ method: 'POST', path: '/api/v1/pods', signal: caller.signal });
  setImmediate(() => caller.abort());
  await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
  // Nor do they stand in the way of those behind them.
  server.answer = say('fine');
  const next = client.call({ method: 'POST', path: '/api/v1/pods' });
  over.abort();
  expect(await next).toBe('fine');
});

test('Leases are written while all other calls wait for answers, by connections of their own that are kept', async () => {
  const over = new AbortController();
  const client = server.transport();
  await takeAllConnections(client, over.signal);
  for (let n = 0; n < 3; n++) {
    expect(await client.call({ method: 'PATCH', path: aLease, body: '{}', timeoutMs: 5000 })).toBe('lease');
  }
  expect(server.connections).toBe(65);
  over.abort();
});

test('a call may ask for a connection of its own', async () => {
  const client = server.transport();
  server.answer = say('lease');
  await client.call({ method: 'PUT', path: aLease, body: '{}' });
  await client.call({ method: 'PUT', path: aLease, body: '{}', newConnection: true });
  expect(server.connections).toBe(2);
});

test.each([
  ['with', 'Connection: Upgrade\r\nUpgrade: other\r\n'],
  ['without', ''],
])('an answer 101 %s the name of a protocol is an error', async (_, headers) => {
  server.answer = (_request, response) =>
    void response.socket?.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`);
  const call = { method: 'POST', path: '/', timeoutMs: 5000 } as const;
  const refused = { name: 'ConnectionError', code: 'EPROTO' };
  await expect(server.transport().call(call)).rejects.toMatchObject(refused);
  await expect(server.transport().stream(call)).rejects.toMatchObject(refused);
});

test('a signal that has ended already sends nothing', async () => {
  let asked = 0;
  server.answer = () => void asked++;
  const signal = AbortSignal.abort();
  await expect(server.transport().call({ method: 'GET', path: '/', signal })).rejects.toBe(signal.reason);
  expect(asked).toBe(0);
});

test('what may not be sent any more once there is a connection for it is not sent, over a new one and one that is there', async () => {
  const answered: string[] = [];
  server.answer = (request, response) => {
    answered.push(`${request.method}`);
    say(1)(request, response);
  };
  const client = server.transport();
  const held = { method: 'POST', path: '/', body: '{}', maySend: () => false } as const;
  const refused = { name: 'ConnectionError', code: 'NOT_SENT' };
  await expect(client.call(held)).rejects.toMatchObject(refused);
  // Asked when the handshake is over, not when the call begins.
  let may = true;
  const late = client.call({ ...held, maySend: () => may });
  setImmediate(() => (may = false));
  await expect(late).rejects.toMatchObject(refused);
  expect(await client.call({ method: 'GET', path: '/' })).toBe(1);
  await expect(client.call(held)).rejects.toMatchObject(refused);
  expect(answered).toEqual(['GET']);
});

test('a write that was told to come back later is sent again only if it still may be', async () => {
  let [may, asked] = [true, 0];
  server.answer = (_, response) => {
    asked++;
    may = false;
    response.writeHead(429, { 'retry-after': '1' }).end('Too many requests\n');
  };
  const call = { method: 'POST', path: '/', body: '{}', maySend: () => may } as const;
  await expect(server.transport().call(call)).rejects.toMatchObject({ code: 'NOT_SENT' });
  expect(asked).toBe(1);
});

test('an answer that is cut off is an error of the connection', async () => {
  server.answer = (_, response) => {
    response.write('{');
    setImmediate(() => response.destroy());
  };
  await expect(server.transport().call({ method: 'POST', path: '/' })).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a stream is ended by its signal, long after its headers', async () => {
  server.answer = (_, response) => void response.write('one\n');
  const caller = new AbortController();
  const stream = await server.transport().stream({ method: 'GET', path: '/', signal: caller.signal, timeoutMs: 5000 });
  const read = (async () => {
    for await (const chunk of stream) {
      expect(String(chunk)).toBe('one\n');
      caller.abort();
    }
  })();
  await expect(read).rejects.toThrow('abort');
});

test.each<[what: string, answer: (response: ServerResponse) => void, error: object]>([
  ['leads elsewhere', (to) => to.writeHead(302, { location: 'https://login' }).end(), { name: 'ApiError', code: 302 }],
  ['says nothing', (to) => to.end(), { name: 'ConnectionError', code: 'NOT_JSON' }],
  ['says null', (to) => to.end('null'), { name: 'ConnectionError', code: 'NOT_JSON' }],
  ['gives a page', (to) => to.end('<html></html>'), { name: 'ConnectionError', code: 'NOT_JSON' }],
])('what %s is no API server, and no word on an object', async (_, answer, error) => {
  server.answer = (_request, response) => answer(response);
  const call = { method: 'GET', path: '/api/v1/namespaces/a/pods/b', timeoutMs: 5000 } as const;
  await expect(unlessMissing(server.transport().call(call))).rejects.toMatchObject(error);
});

test('a stream is not led elsewhere either', async () => {
  server.answer = (_request, response) => void response.writeHead(302, { location: 'https://login' }).end();
  await expect(server.transport().stream({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 302 });
});

test.each([
  ['an API server that has no such object', { kind: 'Status', code: 404, reason: 'NotFound', message: 'no b' }, true],
  ['an API server that has no such kind', '404 page not found\n', false],
  ['a gateway that knows no such way', { message: 'no Route matched with those values' }, false],
])('a 404 of %s', async (_, body, isWordOnObject) => {
  server.answer = (_request, response) =>
    void response.writeHead(404).end(typeof body === 'string' ? body : JSON.stringify(body));
  const error: unknown = await server
    .transport()
    .call({ method: 'GET', path: '/' })
    .catch((thrown: unknown) => thrown);
  expect([isNotFound(error), isNotServed(error)]).toEqual([isWordOnObject, !isWordOnObject]);
});

test('of an answer that is longer than it may be nothing more is read, be it an error', async () => {
  let code = 200;
  server.answer = (_request, response) => {
    response.writeHead(code);
    // Without end.
    const write = () => response.write('x'.repeat(64 * 1024)) && setImmediate(write);
    response.on('drain', write);
    write();
  };
  const transport = new Transport(fixedCredentials(server.access()), { mostBytes: 1024 * 1024 });
  for (code of [200, 403]) {
    const call = { method: 'GET', path: '/', timeoutMs: 60_000, retry: false } as const;
    await expect(transport.call(call)).rejects.toThrow('longer than 1048576 bytes');
  }
  transport.close();
});
