/** Calls over real TLS to a server of this test's own; how real API servers answer is in e2e/kube-calls.test.ts. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '../tls/index.ts';
import { fixedCredentials } from './credentials.ts';
import { Transport } from './transport.ts';

const key = newKeyPair();
const day = 86_400_000;
const ca = selfSignedCertificate(
  { commonName: 'test', organizations: [], ips: ['127.0.0.1'], dnsNames: [] },
  key,
  new Date(Date.now() - day),
  new Date(Date.now() + day),
);
let server: Server;
let connections = 0;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const transports: Transport[] = [];

beforeAll(async () => {
  server = createServer({ key: privateKeyPem(key), cert: ca }, (request, response) => {
    request.resume();
    answer(request, response);
  });
  server.on('secureConnection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  for (const transport of transports.splice(0)) transport.close();
  connections = 0;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function transport(prefix = ''): Transport {
  const made = new Transport(
    fixedCredentials({
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
      ca,
      token: 't',
    }),
  );
  transports.push(made);
  return made;
}

function say(value: unknown) {
  return (_: IncomingMessage, response: ServerResponse) => void response.end(JSON.stringify(value));
}

test('calls one after the other take one connection, parallel ones as many as there are', async () => {
  answer = say({ fine: true });
  const client = transport();
  for (let n = 0; n < 5; n++) expect(await client.call({ method: 'GET', path: '/' })).toEqual({ fine: true });
  expect(connections).toBe(1);
  await Promise.all([1, 2, 3].map(() => client.call({ method: 'GET', path: '/' })));
  expect(connections).toBe(3);
});

test("the server's own path stays before that of a call, and a query is escaped", async () => {
  answer = (request, response) => say({ url: request.url })(request, response);
  const query = { labelSelector: 'a=b,c in (d e)', limit: 5, watch: undefined, 'x&y': true };
  expect(await transport('/clusters/one').call({ method: 'GET', path: '/api', query })).toEqual({
    url: '/clusters/one/api?labelSelector=a%3Db%2Cc%20in%20(d%20e)&limit=5&x%26y=true',
  });
});

test.each([
  ['no headers come', () => undefined],
  ['the body stops', (_: IncomingMessage, response: ServerResponse) => void response.write('{')],
])('a call ends at its deadline when %s, and the next one works', async (_, silence) => {
  const client = transport();
  answer = silence;
  await expect(client.call({ method: 'POST', path: '/', timeoutMs: 50 })).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'ETIMEDOUT',
  });
  answer = say(1);
  expect(await client.call({ method: 'GET', path: '/' })).toBe(1);
});

test.each(['before the answer', 'within the body'])('a caller ends its call %s', async (when) => {
  const caller = new AbortController();
  answer = (_, response) => {
    if (when === 'within the body') response.write('{');
    setImmediate(() => caller.abort());
  };
  await expect(transport().call({ method: 'GET', path: '/', signal: caller.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('a signal that has ended already sends nothing', async () => {
  let asked = 0;
  answer = () => void asked++;
  const signal = AbortSignal.abort();
  await expect(transport().call({ method: 'GET', path: '/', signal })).rejects.toBe(signal.reason);
  expect(asked).toBe(0);
});

test('an answer that is cut off is an error of the connection', async () => {
  answer = (_, response) => {
    response.write('{');
    setImmediate(() => response.destroy());
  };
  await expect(transport().call({ method: 'POST', path: '/' })).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a stream is ended by its signal, long after its headers', async () => {
  answer = (_, response) => void response.write('one\n');
  const caller = new AbortController();
  const stream = await transport().stream({ method: 'GET', path: '/', signal: caller.signal, timeoutMs: 5000 });
  const read = (async () => {
    for await (const chunk of stream) {
      expect(String(chunk)).toBe('one\n');
      caller.abort();
    }
  })();
  await expect(read).rejects.toThrow('abort');
});
