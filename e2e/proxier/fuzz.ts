/** Requests that no client sends: random in every part, some nearly right, written to the socket in pieces. */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import type { Caller } from './callers.ts';

export interface RawRequest {
  bytes: Buffer;
  /** How the bytes are cut. */
  cuts: number[];
  /** Over TLS with a certificate, over TLS without, or straight to TCP. */
  over: 'admin' | 'nobody' | 'plain';
  end: 'wait' | 'half' | 'reset';
}

const odd = fc.string({ unit: 'binary', maxLength: 20 });
const token = fc.stringMatching(/^[A-Za-z]{1,8}$/);

function segments(namespace: string, pod: string) {
  const known = [
    'exec',
    'attach',
    'portForward',
    'containerLogs',
    'run',
    'pods',
    'healthz',
    'metrics',
    'stats',
    'logs',
  ];
  const piece = fc.oneof(
    fc.constantFrom(...known, namespace, pod, 'main', '..', '.', '', '%2e%2e', '%00', '%zz', 'resource', 'summary'),
    odd.map(encodeURIComponent),
  );
  const near = fc
    .tuple(fc.constantFrom(...known), fc.boolean())
    .map(([first, whole]) => [first, namespace, pod, ...(whole ? ['main'] : [])]);
  return fc.oneof({ weight: 2, arbitrary: near }, { weight: 1, arbitrary: fc.array(piece, { maxLength: 6 }) });
}

const parameter = fc
  .tuple(
    fc.constantFrom(
      'command',
      'output',
      'input',
      'error',
      'tty',
      'port',
      'follow',
      'tailLines',
      'sinceTime',
      'limitBytes',
    ),
    fc.oneof(fc.constantFrom('1', 'true', '0', '-1', '', 'x', '99999999999999999999', '8080', '1,2,x'), odd),
  )
  .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

const header = fc.oneof(
  fc.constantFrom(
    'Connection: Upgrade',
    'Connection: close',
    'Connection: keep-alive, Upgrade',
    'Upgrade: SPDY/3.1',
    'Upgrade: websocket',
    'Upgrade: h2c',
    'X-Stream-Protocol-Version: v4.channel.k8s.io',
    'X-Stream-Protocol-Version: portforward.k8s.io',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: v4.channel.k8s.io',
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity, chunked',
    'Expect: 100-continue',
    'Authorization: Bearer x',
    'X-Remote-User: admin',
    'Host: y',
    ': empty',
    ' folded',
  ),
  fc.tuple(token, odd).map(([name, value]) => `${name}: ${value}`),
);

/** A request of any kind at the pods of a namespace. */
export function request(namespace: string, pod: string): fc.Arbitrary<RawRequest> {
  const line = fc
    .tuple(
      fc.oneof(fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI'), token),
      segments(namespace, pod),
      fc.array(parameter, { maxLength: 5 }),
      fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''),
    )
    .map(([method, path, query, version]) => `${method} /${path.join('/')}?${query.join('&')} ${version}`);
  const text = fc
    .tuple(
      line,
      fc.array(header, { maxLength: 8 }),
      fc.constantFrom('', '', 'hello', '5\r\nhello\r\n0\r\n\r\n', '\0\0\0'),
    )
    .map(([first, headers, body]) => Buffer.from(`${first}\r\nHost: x\r\n${headers.join('\r\n')}\r\n\r\n${body}`));
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  return fc.record({
    bytes: fc.oneof({ weight: 6, arbitrary: text }, { weight: 1, arbitrary: noise }),
    cuts: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
    over: fc.constantFrom('admin', 'admin', 'admin', 'nobody', 'plain'),
    end: fc.constantFrom('wait', 'half', 'reset'),
  });
}

/** How long an answer is waited for: some requests never have one, as their end never comes. */
const PATIENCE_MS = 3000;

/** Sends it. @returns the first bytes of the answer, empty when there was none. Never rejects. */
export function attack(target: { host: string; port: number }, raw: RawRequest, admin: Caller): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const tcp = connectTcp(target).on('error', () => undefined);
  const socket =
    raw.over === 'plain'
      ? tcp
      : connectTls({ socket: tcp, ...(raw.over === 'admin' && admin), rejectUnauthorized: false });
  const done = (text: string) => {
    resolve(text);
    // Only TCP can be reset.
    if (raw.end === 'reset' && !tcp.destroyed) tcp.resetAndDestroy();
    socket.destroy();
  };
  socket.on('error', () => done(''));
  socket.on('close', () => done(''));
  socket.on('data', (chunk: Buffer) => done(raw.over === 'plain' ? '' : chunk.toString('latin1')));
  socket.setTimeout(PATIENCE_MS, () => done(''));
  socket.on(raw.over === 'plain' ? 'connect' : 'secureConnect', () => {
    let at = 0;
    for (const cut of raw.cuts) socket.write(raw.bytes.subarray(at, (at += cut)));
    socket.write(raw.bytes.subarray(at));
    if (raw.end === 'half') socket.end();
  });
  return promise;
}
