/**
 * A small writer of DER, the binary form of certificates and certificate requests (ITU-T X.690). It writes only what
 * `x509.ts` needs. Every function gives one complete element: tag, length, content.
 */

function element(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
}

/** Length octets: one below 128, otherwise the count of octets and the octets, shortest form (X.690 10.1). */
function length(size: number): Buffer {
  if (size < 128) return Buffer.from([size]);
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([128 + octets.length, ...octets]);
}

export function sequence(...elements: Uint8Array[]): Buffer {
  return element(0x30, ...elements);
}

/** A SET OF: DER wants its elements in ascending order of their octets. */
export function setOf(...elements: Buffer[]): Buffer {
  return element(0x31, ...elements.toSorted((a, b) => Buffer.compare(a, b)));
}

/** A non-negative INTEGER from big-endian octets. */
export function integer(octets: Uint8Array | number): Buffer {
  let bytes = typeof octets === 'number' ? Buffer.from([octets]) : Buffer.from(octets);
  while (bytes.length > 1 && bytes[0] === 0) bytes = bytes.subarray(1);
  if (((bytes[0] ?? 0) & 0x80) !== 0) bytes = Buffer.concat([Buffer.from([0]), bytes]);
  return element(0x02, bytes);
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Buffer.from([value ? 0xff : 0]));
}

/** An OBJECT IDENTIFIER from its dotted text. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const base128 = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) base128.unshift(128 + (left % 128));
    return base128;
  });
  return element(0x06, Buffer.from(octets));
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

export function octetString(...content: Uint8Array[]): Buffer {
  return element(0x04, ...content);
}

/** A BIT STRING; `unused` bits at the end of the last octet do not count. */
export function bitString(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.from([unused]), content);
}

/** A moment in whole seconds: UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5). */
export function time(moment: Date): Buffer {
  const digits = `${moment.toISOString().replace(/[-:T]/g, '').replace(/\..*$/, '')}Z`;
  return moment.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2), 'latin1'))
    : element(0x18, Buffer.from(digits, 'latin1'));
}

/** `[n]` around complete elements (explicit tag, or an implicit one of a constructed type). */
export function context(n: number, ...elements: Uint8Array[]): Buffer {
  return element(0xa0 + n, ...elements);
}

/** `[n]` in place of the tag of a primitive type. */
export function contextPrimitive(n: number, content: Uint8Array): Buffer {
  return element(0x80 + n, content);
}
