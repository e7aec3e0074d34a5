/** Certificates that OpenSSL refuses although they can be read: the one in use stays, and what is said is why. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mounted, type ServingCertificate } from '../tls/certificates.ts';
import { createTlsServer, type TlsServer } from './tls-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeocean-tls-refused-'));
const BROKEN = '-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n';
let weak: ServingCertificate;

beforeAll(() => {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  const made = ['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=weak'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', ...made], { stdio: 'pipe' });
  weak = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
});
afterAll(() => rmSync(folder, { recursive: true }));

function sound(commonName: string): ServingCertificate {
  const key = newKeyPair();
  const subject = { commonName, organizations: [], ips: ['127.0.0.1'], dnsNames: [] };
  const now = Date.now();
  return {
    cert: selfSignedCertificate(subject, key, new Date(now - 60_000), new Date(now + 3_600_000)),
    key: privateKeyPem(key),
  };
}

function make(): TlsServer {
  return createTlsServer({ onRequest: (_, response) => response.end(), onUpgrade: (_, socket) => socket.destroy() });
}

/** The common name that a new connection is shown. */
async function shown(server: TlsServer): Promise<string> {
  const listener = createServer((socket) => server.accept(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
    listener.close();
  }
}

describe('a certificate that OpenSSL refuses', () => {
  it.each<[string, () => ServingCertificate, RegExp]>([
    ['a key that is too short', () => weak, /key too small/],
    [
      'a chain that cannot be read',
      () => {
        const { cert, key } = sound('leaf');
        return { cert: cert + BROKEN, key };
      },
      /PEM|base64|asn1|decode/i,
    ],
    ['the key of another', () => ({ cert: sound('a').cert, key: sound('b').key }), /key values mismatch/],
  ])('%s: is told, whether or not the client CA is known', (_, certificate, why) => {
    const server = make();
    expect(() => server.setCertificate(certificate())).toThrow(why);
    expect([server.hasCertificate, server.isServing]).toEqual([false, false]);
    server.setClientCa(sound('ca').cert);
    expect(() => server.setCertificate(certificate())).toThrow(why);
    expect([server.hasCertificate, server.isServing]).toEqual([false, false]);
  });

  it('takes nothing from the one in use, not even when the client CA changes later', async () => {
    const server = make();
    server.setCertificate(sound('good'));
    server.setClientCa(sound('ca').cert);
    expect(() => server.setCertificate(weak)).toThrow(/key too small/);
    expect(await shown(server)).toBe('good');
    server.setClientCa(sound('new-ca').cert);
    expect(server.isServing).toBe(true);
    expect(await shown(server)).toBe('good');
    server.setCertificate(sound('better'));
    expect(await shown(server)).toBe('better');
    server.setClientCa(undefined);
    expect(server.isServing).toBe(false);
    server.close();
  });

  it('when it is mounted, is told with its cause, and does not make a proxier ready', async () => {
    const server = make();
    server.setClientCa(sound('ca').cert);
    const errors: string[] = [];
    const stop = new AbortController();
    const source = mounted({ folder, onError: ({ message }) => errors.push(message), checkEveryMs: 5 });
    const running = source((certificate) => server.setCertificate(certificate), stop.signal);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), { timeout: 5000, interval: 5 });
    expect(errors[0]).toMatch(/^the serving certificate in .* cannot be used: .*key too small/);
    expect(server.isServing).toBe(false);
    stop.abort();
    await running;
  });
});
