/**
 * The TLS side of all vnode ports: one server, fed with the connections of every port, whose certificate and client CA
 * are replaced while it runs. Never plain HTTP, and no connection is made before both are known.
 */
import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { ServingCertificate } from '../tls/certificates.ts';

export interface TlsServerOptions {
  onRequest: RequestListener;
  onUpgrade: (request: IncomingMessage, socket: TLSSocket, head: Buffer) => void;
  /** Longest that a request's headers may take from the end of the handshake, or of the request before. Default 15,000 ms. */
  headersMs?: number;
  /** How often connections are looked at for that. Default 5000 ms. */
  lookEveryMs?: number;
}

export interface TlsServer {
  /** @throws Error in OpenSSL's words when it cannot be served with; the one before stays. */
  setCertificate(certificate: ServingCertificate): void;
  /**
   * `undefined` when nobody can be authenticated any more.
   * @throws Error in OpenSSL's words when it cannot be served with; the one before stays, as with API servers.
   */
  setClientCa(ca: string | undefined): void;
  readonly hasCertificate: boolean;
  readonly hasClientCa: boolean;
  /** Whether connections are taken. */
  readonly isServing: boolean;
  /** True when the connection was verified against the client CA that holds now. */
  isCurrent(socket: Socket): boolean;
  accept(socket: Socket): void;
  close(): void;
}

/** API servers keep idle connections to kubelets for 90 s; closing first would break a request just being sent. */
const KEEP_ALIVE_MS = 120_000;

export function createTlsServer(options: TlsServerOptions): TlsServer {
  let certificate: ServingCertificate | undefined;
  let clientCa: string | undefined;
  let generation = 0;
  /** Takes the connections; those of an earlier client CA stay with the server that verified them. */
  let server: Server | undefined;
  const retired: Server[] = [];
  const generations = new WeakMap<Socket, number>();

  function create(context: SecureContextOptions, itsGeneration: number): Server {
    const made = createServer(
      {
        ...context,
        ALPNProtocols: ['http/1.1'],
        requestCert: true,
        // Verified all the same; who has no certificate may have a token.
        rejectUnauthorized: false,
        handshakeTimeout: 15_000,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: options.headersMs ?? 15_000,
        requestTimeout: 60_000,
        connectionsCheckingInterval: options.lookEveryMs ?? 5000,
        // The command of an exec is in its URL; API servers take 1 MiB of headers.
        maxHeaderSize: 1024 * 1024,
      },
      options.onRequest,
    );
    made.on('secureConnection', (socket) => generations.set(socket, itsGeneration));
    made.on('upgrade', (request, socket, head) => options.onUpgrade(request, socket as TLSSocket, head));
    // Port scans and probes; the socket is destroyed by Node.
    made.on('tlsClientError', () => undefined);
    // It never listens itself, and Node begins to look after connections (the timeouts above, closing idle ones) when it does.
    made.emit('listening');
    return made;
  }

  return {
    setCertificate(next) {
      // OpenSSL refuses more than can be seen in a certificate: keys that are too short, a chain that cannot be read.
      createSecureContext({ cert: next.cert, key: next.key, minVersion: 'TLSv1.2' });
      const context = contextOf(next, clientCa);
      if (context && server) server.setSecureContext(context);
      else if (context) server = create(context, generation);
      certificate = next;
    },
    setClientCa(next) {
      const context = contextOf(certificate, next);
      const before = server;
      server = context && create(context, generation + 1);
      generation++;
      clientCa = next;
      if (!before) return;
      // A handshake that has begun goes on with the CA it began with, so that it must not count as the new one's.
      before.closeIdleConnections();
      retired.push(before);
    },
    get hasCertificate() {
      return certificate !== undefined;
    },
    get hasClientCa() {
      return clientCa !== undefined;
    },
    get isServing() {
      return server !== undefined;
    },
    isCurrent: (socket) => generations.get(socket) === generation,
    accept(socket) {
      if (server) server.emit('connection', socket);
      else socket.destroy();
    },
    close() {
      for (const one of [...retired, ...(server ? [server] : [])]) one.closeAllConnections();
    },
  };
}

/** What connections are made with; undefined while something of it is not known. */
function contextOf(
  certificate: ServingCertificate | undefined,
  clientCa: string | undefined,
): SecureContextOptions | undefined {
  // Without a CA of our own, Node would verify clients against the public ones.
  if (!certificate || !clientCa) return undefined;
  return {
    cert: certificate.cert,
    key: certificate.key,
    ca: clientCa,
    minVersion: 'TLSv1.2',
    // A resumed session would carry the verdict of an older client CA along.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
