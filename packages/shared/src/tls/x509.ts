/**
 * Makes what node:crypto cannot: a certificate request (PKCS#10, RFC 2986) and a self-signed certificate (RFC 5280),
 * both for a server with a P-256 key. Reading is left to `crypto.X509Certificate`.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
  utf8String,
} from './der.ts';

export interface KeyPair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** Who a certificate is for. At least one of `ips` and `dnsNames` has an entry. */
export interface Subject {
  commonName: string;
  organizations: readonly string[];
  ips: readonly string[];
  dnsNames: readonly string[];
}

const Oid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  extensionRequest: '1.2.840.113549.1.9.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const SIGNATURE = sequence(oid(Oid.ecdsaWithSha256));

/** A fresh P-256 key pair. */
export function newKeyPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

/** The private key as PEM (PKCS#8), as a TLS server takes it. */
export function privateKeyPem(key: KeyPair): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** A certificate request as PEM, signed with the key it is for. */
export function certificateRequest(subject: Subject, key: KeyPair): string {
  const info = sequence(
    integer(0),
    name(subject),
    spki(key),
    context(0, sequence(oid(Oid.extensionRequest), setOf(sequence(altNames(subject))))),
  );
  return pem('CERTIFICATE REQUEST', signed(info, key));
}

/** A self-signed server certificate as PEM. Both ends of its life are given by the caller. */
export function selfSignedCertificate(subject: Subject, key: KeyPair, notBefore: Date, notAfter: Date): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01;
  const body = sequence(
    context(0, integer(2)),
    integer(serial),
    SIGNATURE,
    name(subject),
    sequence(time(notBefore), time(notAfter)),
    name(subject),
    spki(key),
    context(
      3,
      sequence(
        extension(Oid.basicConstraints, sequence(), true),
        // Bit 0: digitalSignature.
        extension(Oid.keyUsage, bitString(Buffer.from([0x80]), 7), true),
        extension(Oid.extendedKeyUsage, sequence(oid(Oid.serverAuth))),
        altNames(subject),
      ),
    ),
  );
  return pem('CERTIFICATE', signed(body, key));
}

function signed(body: Buffer, key: KeyPair): Buffer {
  return sequence(body, SIGNATURE, bitString(sign('sha256', body, key.privateKey)));
}

function spki(key: KeyPair): Buffer {
  return key.publicKey.export({ type: 'spki', format: 'der' });
}

function name(subject: Subject): Buffer {
  const attribute = (type: string, value: string) => setOf(sequence(oid(type), utf8String(value)));
  return sequence(
    ...subject.organizations.map((organization) => attribute(Oid.organization, organization)),
    attribute(Oid.commonName, subject.commonName),
  );
}

function extension(type: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(type), ...(critical ? [boolean(true)] : []), octetString(value));
}

function altNames(subject: Subject): Buffer {
  // GeneralName (RFC 5280 4.2.1.6): [2] is a DNS name, [7] the octets of an address.
  const names = [
    ...subject.dnsNames.map((dns) => contextPrimitive(2, Buffer.from(dns, 'latin1'))),
    ...subject.ips.map((ip) => contextPrimitive(7, ipOctets(ip))),
  ];
  return extension(Oid.subjectAltName, sequence(...names));
}

/**
 * The four or sixteen octets of an address.
 * @throws Error when the text is not an IP address.
 */
export function ipOctets(ip: string): Buffer {
  if (isIP(ip) === 4) return Buffer.from(ip.split('.').map(Number));
  if (isIP(ip) !== 6 || ip.includes('%')) throw new Error(`"${ip}" is not an IP address`);
  // SocketAddress writes the shortest form, with the IPv4 tail of mapped addresses as dotted decimal.
  const text = new SocketAddress({ address: ip, family: 'ipv6' }).address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`,
  );
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
