/**
 * The TLS side of all vnode ports: one server, fed with the connections of every port, whose certificate and client CA
 * are replaced while it runs. Never plain HTTP, and no connection is made before both are known.
 */
import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
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
  setCertificate(certificate: ServingCertificate): void;
  /** `undefined` when nobody can be authenticated any more. */
  setClientCa(ca: string | undefined): void;
  readonly hasCertificate: boolean;
  readonly hasClientCa: boolean;
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

  function apply(): void {
    // Without a CA of our own, Node would verify clients against the public ones.
    if (!certificate || !clientCa) return;
    const context = {
      cert: certificate.cert,
      key: certificate.key,
      ca: clientCa,
      minVersion: 'TLSv1.2' as const,
      // A resumed session would carry the verdict of an older client CA along.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
    if (server) server.setSecureContext(context);
    else server = create(context, generation);
  }

  function create(context: object, itsGeneration: number): Server {
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
      certificate = next;
      apply();
    },
    setClientCa(next) {
      clientCa = next;
      generation++;
      if (server) {
        // A handshake that has begun goes on with the CA it began with, so that it must not count as the new one's.
        server.closeIdleConnections();
        retired.push(server);
        server = undefined;
      }
      apply();
    },
    get hasCertificate() {
      return certificate !== undefined;
    },
    get hasClientCa() {
      return clientCa !== undefined;
    },
    isCurrent: (socket) => generations.get(socket) === generation,
    accept(socket) {
      if (server && certificate && clientCa) server.emit('connection', socket);
      else socket.destroy();
    },
    close() {
      for (const one of [...retired, ...(server ? [server] : [])]) one.closeAllConnections();
    },
  };
}
