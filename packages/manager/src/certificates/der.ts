/**
 * Reads DER (X.690), as far as a certificate request needs it. Strict: what is not the one right encoding is refused,
 * because a lenient reader could see another name in a request than the signer does.
 */

export interface DerNode {
  /** The identifier octet: class, constructed bit and number. */
  tag: number;
  content: Buffer;
  /** Tag and length included. */
  length: number;
}

export const Tag = {
  integer: 0x02,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
  /** [0] constructed: the attributes of a request. */
  attributes: 0xa0,
} as const;

export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DerError';
  }
}

/** Reads the node at `offset`. @throws DerError */
export function readNode(bytes: Buffer, offset = 0): DerNode {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw new DerError('the DER ends too early');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a multi-byte DER tag is not expected here');
  let header = 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a DER length is indefinite or too long');
    if (offset + 2 + count > bytes.length) throw new DerError('the DER ends too early');
    length = bytes.readUIntBE(offset + 2, count);
    header += count;
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('a DER length is not minimal');
  }
  const end = offset + header + length;
  if (end > bytes.length) throw new DerError('the DER ends too early');
  return { tag, content: bytes.subarray(offset + header, end), length: header + length };
}

/** The one node that fills all the bytes. @throws DerError when its tag is another or something follows. */
export function readOnly(bytes: Buffer, tag: number): Buffer {
  const node = readNode(bytes);
  if (node.tag !== tag) throw new DerError(`DER tag ${node.tag} found where ${tag} belongs`);
  if (node.length !== bytes.length) throw new DerError('bytes follow the DER');
  return node.content;
}

/** The nodes one after the other. @throws DerError */
export function readAll(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const node = readNode(bytes, offset);
    nodes.push(node);
    offset += node.length;
  }
  return nodes;
}

/** `2.5.4.3` of an object identifier's content. @throws DerError */
export function oidOf(content: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new DerError('an object identifier is not minimal');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('an object identifier is too long');
    fresh = byte < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first] = arcs;
  if (!fresh || first === undefined) throw new DerError('an object identifier is cut off');
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - 40 * top, ...arcs.slice(1)].join('.');
}
