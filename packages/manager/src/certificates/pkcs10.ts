/**
 * What a PKCS#10 certificate request (RFC 2986) asks for: its subject and its alternative names. The API server has
 * checked its signature already when it took the CertificateSigningRequest.
 */
import { type DerNode, DerError, oidOf, readAll, readOnly, Tag } from './der.ts';

export interface CertificateRequest {
  commonNames: string[];
  organizations: string[];
  /** Object identifiers of whatever else the subject has. */
  otherSubject: string[];
  dnsNames: string[];
  /** Text form; IPv6 in full, see {@link canonicalIP}. */
  ipAddresses: string[];
  /** How many names of other sorts: e-mail, URI, anything. */
  otherNames: number;
}

const Oid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  extensionRequest: '1.2.840.113549.1.9.14',
  subjectAltName: '2.5.29.17',
} as const;

/** Context tags of GeneralName (RFC 5280, 4.2.1.6). */
const GeneralName = { dns: 0x82, ip: 0x87 } as const;

/** @throws DerError when it is not one well-formed request. */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const match = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/.exec(
    pem,
  );
  if (!match?.[1]) throw new DerError('the request is not a single PEM block CERTIFICATE REQUEST');
  const [info] = readAll(readOnly(Buffer.from(match[1], 'base64'), Tag.sequence));
  if (info?.tag !== Tag.sequence) throw new DerError('the request has no CertificationRequestInfo');
  const [version, subject, key, attributes, ...more] = readAll(info.content);
  if (version?.tag !== Tag.integer || subject?.tag !== Tag.sequence || key?.tag !== Tag.sequence || more.length > 0) {
    throw new DerError('the CertificationRequestInfo is not as RFC 2986 has it');
  }
  const request: CertificateRequest = {
    commonNames: [],
    organizations: [],
    otherSubject: [],
    dnsNames: [],
    ipAddresses: [],
    otherNames: 0,
  };
  readSubject(subject.content, request);
  if (attributes) readAttributes(attributes, request);
  return request;
}

function readSubject(content: Buffer, request: CertificateRequest): void {
  for (const set of readAll(content)) {
    if (set.tag !== Tag.set) throw new DerError('the subject is not a list of sets');
    for (const pair of readAll(set.content)) {
      const [type, value, ...more] = readAll(expect(pair, Tag.sequence));
      if (!type || !value || more.length > 0) throw new DerError('a part of the subject is not a type and a value');
      const oid = oidOf(expect(type, Tag.oid));
      if (oid === Oid.commonName) request.commonNames.push(text(value));
      else if (oid === Oid.organization) request.organizations.push(text(value));
      else request.otherSubject.push(oid);
    }
  }
}

function readAttributes(attributes: DerNode, request: CertificateRequest): void {
  let extensionRequests = 0;
  for (const attribute of readAll(expect(attributes, Tag.attributes))) {
    const [type, values] = readAll(expect(attribute, Tag.sequence));
    if (!type || !values) throw new DerError('an attribute is not a type and values');
    if (oidOf(expect(type, Tag.oid)) !== Oid.extensionRequest) continue;
    if (++extensionRequests > 1) throw new DerError('extensions are requested twice');
    const extensions = readAll(readOnly(expect(values, Tag.set), Tag.sequence));
    let names = 0;
    for (const extension of extensions) {
      const parts = readAll(expect(extension, Tag.sequence));
      const [oid] = parts;
      const value = parts.at(-1);
      if (!oid || !value || parts.length < 2 || parts.length > 3) throw new DerError('an extension is malformed');
      if (oidOf(expect(oid, Tag.oid)) !== Oid.subjectAltName) continue;
      if (++names > 1) throw new DerError('alternative names are requested twice');
      readNames(readOnly(expect(value, Tag.octetString), Tag.sequence), request);
    }
  }
}

function readNames(content: Buffer, request: CertificateRequest): void {
  for (const name of readAll(content)) {
    if (name.tag === GeneralName.dns) request.dnsNames.push(name.content.toString('latin1'));
    else if (name.tag === GeneralName.ip) request.ipAddresses.push(ipOf(name.content));
    else request.otherNames++;
  }
}

function ipOf(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.length !== 16) throw new DerError('an IP address has neither 4 nor 16 bytes');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return canonicalIP(groups.join(':'));
}

/** One spelling for one address, so that texts can be compared. */
export function canonicalIP(address: string): string {
  if (!address.includes(':')) return address;
  return URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function expect(node: DerNode, tag: number): Buffer {
  if (node.tag !== tag) throw new DerError(`DER tag ${node.tag} found where ${tag} belongs`);
  return node.content;
}

function text(node: DerNode): string {
  if (node.tag === Tag.utf8String) return node.content.toString('utf8');
  if (node.tag === Tag.printableString || node.tag === Tag.ia5String) return node.content.toString('latin1');
  throw new DerError(`text of an unexpected kind (DER tag ${node.tag})`);
}
