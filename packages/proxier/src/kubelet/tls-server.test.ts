/** The TLS side with certificates that openssl made, over real connections on loopback. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { userOfConnection } from '../auth/authenticate.ts';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import { createTlsServer, type TlsServer } from './tls-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeocean-tls-'));
const file = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(file(name), 'utf8');

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

function makeCa(name: string): void {
  const made = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`), '-days', '2', '-subj', `/CN=${name}`];
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', ...made);
}

function makeClient(name: string, ca: string, subject: string, usage = 'clientAuth', days = '1'): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file(`${name}.key`)];
  openssl('req', '-new', ...key, '-out', file(`${name}.csr`), '-subj', subject);
  writeFileSync(file('extensions'), `extendedKeyUsage=${usage}\n`);
  const by = ['-CA', file(`${ca}.crt`), '-CAkey', file(`${ca}.key`), '-CAcreateserial', '-extfile', file('extensions')];
  openssl('x509', '-req', '-in', file(`${name}.csr`), ...by, '-out', file(`${name}.crt`), '-days', days);
}

function serving(commonName: string) {
  const key = newKeyPair();
  const subject = { commonName, organizations: [], ips: ['127.0.0.1'], dnsNames: [] };
  const from = Date.now() - 60_000;
  return {
    cert: selfSignedCertificate(subject, key, new Date(from), new Date(from + 3_600_000)),
    key: privateKeyPem(key),
  };
}

let server: TlsServer;
let listener: Server;
let port: number;
const certificate = serving('first');
/** What the tests' own clients trust: the certificate that the server has now. */
let trusted: string;

beforeAll(() => {
  for (const ca of ['ca', 'other-ca', 'new-ca']) makeCa(ca);
  makeClient('good', 'ca', '/O=system:masters/O=second/CN=kube-apiserver');
  makeClient('other', 'other-ca', '/O=system:masters/CN=kube-apiserver');
  makeClient('server-only', 'ca', '/CN=kube-apiserver', 'serverAuth');
  makeClient('nameless', 'ca', '/O=system:masters');
  makeClient('renewed', 'new-ca', '/CN=kube-apiserver');
}, 60_000);

beforeEach(async () => {
  trusted = certificate.cert;
  server = createTlsServer({
    onRequest(request, response) {
      const socket = request.socket as TLSSocket;
      const user = server.isCurrent(socket) ? userOfConnection(socket, new Date()) : undefined;
      response.end(JSON.stringify({ user: user ?? null, port: request.socket.localPort, vouched: socket.authorized }));
    },
    onUpgrade: (_request, socket) => socket.destroy(),
  });
  listener = createServer({ allowHalfOpen: true }, (socket) => server.accept(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  port = (listener.address() as AddressInfo).port;
});

afterEach(() => {
  server.close();
  listener.close();
});

afterAll(() => rmSync(folder, { recursive: true }));

/** The certificate and the client CA are there. */
function known(): void {
  server.setCertificate(certificate);
  server.setClientCa(read('ca.crt'));
}

interface Seen {
  user: { name: string; groups: string[] } | null;
  port: number;
  vouched: boolean;
}

function ask(client?: string, agent?: Agent): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const credential = client ? { cert: read(`${client}.crt`), key: read(`${client}.key`) } : {};
  const request = httpsRequest(
    { host: '127.0.0.1', port, ca: trusted, agent: agent ?? false, ...credential },
    (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(JSON.parse(text) as Seen));
    },
  );
  request.on('error', reject).end();
  return promise;
}

/** The same over a connection that is there already, but has not begun to speak TLS. */
function askThrough(early: Socket, client: string): Promise<Seen> {
  const socket = connect({
    socket: early,
    ca: trusted,
    cert: read(`${client}.crt`),
    key: read(`${client}.key`),
    checkServerIdentity: () => undefined,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', reject);
  socket.on('close', () => resolve(JSON.parse(text.slice(text.indexOf('{'))) as Seen));
  socket.write('GET / HTTP/1.1\r\nhost: vnode\r\nconnection: close\r\n\r\n');
  return promise;
}

describe('before certificate and client CA are known', () => {
  it('no connection is made', async () => {
    await expect(ask('good')).rejects.toThrow();
    server.setCertificate(certificate);
    await expect(ask('good')).rejects.toThrow();
    server.setClientCa(read('ca.crt'));
    await expect(ask('good')).resolves.toMatchObject({ user: { name: 'kube-apiserver' } });
  });
});

describe('who a client certificate stands for', () => {
  beforeEach(known);

  it('is its CN with every O', async () => {
    expect(await ask('good')).toEqual({
      user: { name: 'kube-apiserver', groups: ['system:masters', 'second', 'system:authenticated'] },
      port,
      vouched: true,
    });
  });

  it.each([undefined, 'other', 'server-only', 'nameless'])('is nobody: %s', async (client) => {
    expect((await ask(client)).user).toBeNull();
  });

  it('is nobody once it has expired, however old the connection', () => {
    const socket = {
      authorized: true,
      getPeerCertificate: () => ({ subject: { CN: 'kube' }, valid_to: 'Nov 21 06:00:00 2026 GMT' }),
    } as unknown as TLSSocket;
    expect(userOfConnection(socket, new Date('2026-11-21T06:00:00Z'))?.name).toBe('kube');
    expect(userOfConnection(socket, new Date('2026-11-21T06:00:01Z'))).toBeUndefined();
  });
});

describe('TLS', () => {
  beforeEach(known);

  it('plain HTTP gets no answer', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    httpRequest({ host: '127.0.0.1', port, agent: false }, (response) => resolve(response.statusCode))
      .on('error', reject)
      .end();
    await expect(promise).rejects.toThrow(/socket hang up|ECONNRESET|Parse Error/);
  });

  it.each([
    [{ maxVersion: 'TLSv1.1' as const, minVersion: 'TLSv1' as const, ciphers: 'ALL:@SECLEVEL=0' }, 'refused'],
    [{ maxVersion: 'TLSv1.2' as const }, 'TLSv1.2'],
    [{}, 'TLSv1.3'],
  ])('%j: %s', async (options, expected) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: trusted,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...options,
    });
    socket.on('secureConnect', () => {
      expect(socket.alpnProtocol).toBe('http/1.1');
      resolve(String(socket.getProtocol()));
    });
    socket.on('error', () => resolve('refused'));
    expect(await promise).toBe(expected);
    socket.destroy();
  });

  it('takes a new certificate without dropping a connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await ask('good', agent);
    const second = serving('second');
    server.setCertificate(second);
    trusted = second.cert;
    expect((await ask('good', agent)).user?.name).toBe('kube-apiserver');
    expect((await ask('good')).user?.name).toBe('kube-apiserver');
    agent.destroy();
  });

  it('after a change of the client CA the old one vouches for nobody, on old connections neither', async () => {
    // Connected before the change, its handshake comes after it.
    const early = connectTcp({ host: '127.0.0.1', port });
    const accepted = once(listener, 'connection');
    await Promise.all([once(early, 'connect'), accepted]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await ask('good', agent)).user?.name).toBe('kube-apiserver');
    const idle = Object.values(agent.freeSockets).flat()[0];
    if (!idle) throw new Error('the connection was not kept');
    const closed = once(idle, 'close');
    server.setClientCa(read('new-ca.crt'));
    expect((await askThrough(early, 'good')).user).toBeNull();
    await closed;
    expect((await ask('good')).user).toBeNull();
    expect((await ask('renewed')).user?.name).toBe('kube-apiserver');
    agent.destroy();
  });

  it('who connects and says nothing, or stops in the middle of a request, is let go', async () => {
    const impatient = createTlsServer({
      onRequest: (_request, response) => response.end(),
      onUpgrade: () => undefined,
      headersMs: 300,
      lookEveryMs: 100,
    });
    impatient.setCertificate(certificate);
    impatient.setClientCa(read('ca.crt'));
    const there = createServer((socket) => impatient.accept(socket)).listen(0, '127.0.0.1');
    await once(there, 'listening');
    for (const text of ['', 'GET / HTTP/1.1\r\nhost: a\r\n']) {
      const to = (there.address() as AddressInfo).port;
      const socket = connect({ host: '127.0.0.1', port: to, ca: trusted });
      await once(socket, 'secureConnect');
      socket.write(text);
      socket.resume();
      await once(socket, 'close');
    }
    there.close();
  });

  it('without a client CA nobody gets a connection', async () => {
    expect((await ask('good')).user?.name).toBe('kube-apiserver');
    server.setClientCa(undefined);
    await expect(ask('good')).rejects.toThrow();
  });
});
