/** Ways of HTTP and TLS around what is checked: paths that may be read in two ways, old protocols, ports of others. */
import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';

/** No path of Kubernetes is written like these; all are refused as they stand. */
export const MALFORMED = [
  '/exec/../healthz',
  '/healthz/../exec/x/y/z',
  '/containerLogs/%2e%2e/x/y',
  '/pods%2F..%2Fexec',
  '/containerLogs%2Fx/y/z',
  '/exec/ns%2Fpod/x/y',
  '//healthz',
  '/healthz//x',
  '/healthz%00',
  '/exec\\..\\healthz',
  '/%zz',
  `/${'x'.repeat(5000)}`,
  'http://elsewhere/healthz',
];

/** Nearly a path that is served. */
export const ELSEWHERE = [
  '/Exec',
  '/EXEC/a/b/c',
  '/%65xec/a/b/c',
  '/exec;x/a/b/c',
  '/healthz/x',
  '/pods/x',
  '/metrics/probes',
  '/stats',
];

/** The protocol that a TLS handshake ends in, or the error. */
export function handshake(where: { host: string; port: number }, options: ConnectionOptions): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ ...where, rejectUnauthorized: false, ...options }, () =>
    resolve(socket.getProtocol() ?? ''),
  );
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  return promise.finally(() => socket.destroy());
}

/** `connected`, or the error of a TCP connection. */
export function connected(where: { host: string; port: number }): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connectTcp(where, () => resolve('connected'));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  return promise.finally(() => socket.destroy());
}
