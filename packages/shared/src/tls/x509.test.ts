/** What the writer makes is read back by OpenSSL and by Node, which know nothing of it. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integer, oid, sequence, time } from './der.ts';
import { certificateRequest, ipOctets, newKeyPair, privateKeyPem, selfSignedCertificate } from './x509.ts';

function openssl(input: string, ...args: string[]): string {
  return execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}

const key = newKeyPair();
const subject = {
  commonName: 'system:node:proxier-0',
  organizations: ['system:nodes'],
  ips: ['10.1.2.3', 'fd00::1:2'],
  dnsNames: ['proxier.example'],
};

describe('DER', () => {
  it.each([
    [integer(0), '020100'],
    [integer(127), '02017f'],
    [integer(128), '02020080'],
    [integer(Buffer.from('0000ff', 'hex')), '020200ff'],
    [oid('1.2.840.113549.1.9.14'), '06092a864886f70d01090e'],
    [sequence(Buffer.alloc(200)).subarray(0, 3), '3081c8'],
    [sequence(Buffer.alloc(300)).subarray(0, 4), '3082012c'],
    [time(new Date('2049-12-31T23:59:59.9Z')), `170d${Buffer.from('491231235959Z').toString('hex')}`],
    [time(new Date('2050-01-01T00:00:00Z')), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
  ])('%#', (element, expected) => expect(element.toString('hex')).toBe(expected));
});

describe('certificate request', () => {
  it('is verified by openssl and says what it is for', () => {
    const text = openssl(certificateRequest(subject, key), 'req', '-verify', '-noout', '-text', '-nameopt', 'RFC2253');
    expect(text).toMatch(/Subject: CN=system:node:proxier-0,O=system:nodes/);
    expect(text).toMatch(/DNS:proxier\.example, IP Address:10\.1\.2\.3, IP Address:FD00:0:0:0:0:0:1:2/);
    expect(text).toMatch(/ecdsa-with-SHA256/);
  });

  it('carries our key', () => {
    const pem = openssl(certificateRequest(subject, key), 'req', '-pubkey', '-noout');
    expect(pem).toBe(key.publicKey.export({ type: 'spki', format: 'pem' }));
  });
});

describe('self-signed certificate', () => {
  const from = new Date('2026-01-01T00:00:00Z');
  const to = new Date('2050-06-01T00:00:00Z');
  const pem = selfSignedCertificate(subject, key, from, to);
  const certificate = new X509Certificate(pem);

  it('is of its key, for its addresses and times', () => {
    expect(certificate.verify(key.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(key.privateKey)).toBe(true);
    expect(certificate.checkIP('10.1.2.3')).toBe('10.1.2.3');
    expect(certificate.checkHost('proxier.example')).toBe('proxier.example');
    expect(certificate.checkIP('10.1.2.4')).toBeUndefined();
    expect([certificate.validFromDate, certificate.validToDate]).toEqual([from, to]);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(privateKeyPem(key)).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });

  it('is taken by openssl under its strict rules', () => {
    expect(openssl(pem, 'x509', '-noout', '-text')).toMatch(/TLS Web Server Authentication/);
  });

  it('has another serial number each time', () => {
    expect(new X509Certificate(selfSignedCertificate(subject, key, from, to)).serialNumber).not.toBe(
      certificate.serialNumber,
    );
  });
});

describe('octets of an address', () => {
  it.each([
    ['0.0.0.0', '00000000'],
    ['255.1.2.3', 'ff010203'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['fe80::', `fe80${'00'.repeat(14)}`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:10.1.2.3', `${'00'.repeat(10)}ffff0a010203`],
  ])('%s', (ip, expected) => expect(ipOctets(ip).toString('hex')).toBe(expected));

  it.each(['', 'host', '1.2.3', 'fe80::1%eth0', '1.2.3.4/24'])('refuses "%s"', (ip) => {
    expect(() => ipOctets(ip)).toThrow(/is not an IP address/);
  });

  it('any address is sixteen or four octets that say the same', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const octets = ipOctets(ip);
        expect(octets.length).toBe(16);
        const plain = (octets.toString('hex').match(/..../g) ?? []).join(':');
        expect(ipOctets(plain)).toEqual(octets);
      }),
    );
  });
});
