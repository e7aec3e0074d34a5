/** Calls over real TLS to a server of the tests' own; how real API servers answer is in e2e/kube-calls.test.ts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { say, TestServer } from '../testing/api-server.ts';

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

test('a signal that has ended already sends nothing', async () => {
  let asked = 0;
  server.answer = () => void asked++;
  const signal = AbortSignal.abort();
  await expect(server.transport().call({ method: 'GET', path: '/', signal })).rejects.toBe(signal.reason);
  expect(asked).toBe(0);
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
