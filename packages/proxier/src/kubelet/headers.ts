/**
 * Headers that pass through a spliced session, in both directions: by name, from lists, nothing else. `rawHeaders` is
 * used because a repeated line (X-Stream-Protocol-Version, one per protocol) must stay repeated.
 */

/** Of the request: what the streaming protocols themselves need. No cookies, no names of users, no forwarding trail. */
const REQUEST = new Set([
  'x-stream-protocol-version',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

/** Of the answer. */
const RESPONSE = new Set([
  'x-stream-protocol-version',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

function pairs(rawHeaders: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) found.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  return found;
}

/** Protocols that a client may ask to switch to; the key is lower case, the value as Kubernetes writes it. */
const UPGRADES = new Map([
  ['spdy/3.1', 'SPDY/3.1'],
  ['websocket', 'websocket'],
]);

/** The protocol that a request asks to switch to, as Kubernetes writes it; undefined for any but the two it uses. */
export function upgradeOf(header: string | undefined): string | undefined {
  return UPGRADES.get((header ?? '').trim().toLowerCase());
}

/** Of the protocols that a browser offers one may hold its token for home's API server (apiserver, authentication/request/websocket). */
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

/** A header of the request as it may pass: nobody's token is for the worker. Undefined when nothing of it is left. */
function passed([name, value]: [string, string]): [string, string] | undefined {
  if (!REQUEST.has(name.toLowerCase())) return undefined;
  if (!value.includes(TOKEN_PROTOCOL)) return [name, value];
  const rest = value.split(',').map((protocol) => protocol.trim());
  const others = rest.filter((protocol) => !protocol.startsWith(TOKEN_PROTOCOL));
  return others.length > 0 ? [name, others.join(', ')] : undefined;
}

/** Raw header list of the request to the worker: what may pass, and our own Host, Authorization, Connection, Upgrade. */
export function upstreamHeaders(
  rawHeaders: readonly string[],
  own: { host: string; upgrade: string; userAgent: string; authorization?: string },
): string[] {
  return [
    'Host',
    own.host,
    'User-Agent',
    own.userAgent,
    ...(own.authorization ? ['Authorization', own.authorization] : []),
    ...pairs(rawHeaders).flatMap((header) => passed(header) ?? []),
    'Connection',
    'Upgrade',
    'Upgrade',
    own.upgrade,
    // Says that nothing follows; Node would announce a chunked body for a POST otherwise.
    'Content-Length',
    '0',
  ];
}

export interface SwitchingAnswer {
  rawHeaders: readonly string[];
  headers: Record<string, string | string[] | undefined>;
}

/**
 * The 101 for the client, or why the worker's 101 is not one it asked for: another protocol, or a subprotocol that is
 * not among those offered.
 */
export function switchingAnswer(
  asked: { upgrade: string; rawHeaders: readonly string[] },
  answer: SwitchingAnswer,
): string | Error {
  if (upgradeOf(answer.headers['upgrade'] as string | undefined) !== asked.upgrade) {
    return new Error('the worker switched to a protocol that was not asked for');
  }
  for (const name of ['x-stream-protocol-version', 'sec-websocket-protocol']) {
    const offered = valuesOf(asked.rawHeaders, name);
    const chosen = valuesOf(answer.rawHeaders, name);
    if (chosen.some((protocol) => !offered.includes(protocol))) {
      return new Error(`the worker chose a ${name} that was not offered`);
    }
  }
  const passed = pairs(answer.rawHeaders).filter(([name]) => RESPONSE.has(name.toLowerCase()));
  const lines = [['Connection', 'Upgrade'], ['Upgrade', asked.upgrade], ...passed];
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return pairs(rawHeaders)
    .filter(([header]) => header.toLowerCase() === name)
    .flatMap(([, value]) => value.split(',').map((part) => part.trim()))
    .filter((value) => value !== '');
}
