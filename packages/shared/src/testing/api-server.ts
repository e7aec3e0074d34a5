/** A server over real TLS on loopback for tests of calls; how real API servers answer is in e2e/kube-calls.test.ts. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '../tls/index.ts';
import { fixedCredentials } from '../kube/credentials.ts';
import type { ClusterAccess } from '../kube/kubeconfig.ts';
import { Transport } from '../kube/transport.ts';

const DAY_MS = 86_400_000;

export class TestServer {
  /** Set it to what the next requests are answered by. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = say({});
  /** Opened since the last `reset`. */
  connections = 0;
  private readonly server: Server;
  private readonly ca: string;
  private readonly transports: Transport[] = [];

  private constructor() {
    const key = newKeyPair();
    const now = Date.now();
    this.ca = selfSignedCertificate(
      { commonName: 'test', organizations: [], ips: ['127.0.0.1'], dnsNames: [] },
      key,
      new Date(now - DAY_MS),
      new Date(now + DAY_MS),
    );
    this.server = createServer({ key: privateKeyPem(key), cert: this.ca }, (request, response) => {
      request.resume();
      this.answer(request, response);
    });
    this.server.on('secureConnection', () => this.connections++);
  }

  static async start(): Promise<TestServer> {
    const made = new TestServer();
    made.server.listen(0, '127.0.0.1');
    await once(made.server, 'listening');
    return made;
  }

  /** What a client needs to call it. @param prefix the path of the server's URL */
  access(prefix = ''): ClusterAccess {
    const { port } = this.server.address() as AddressInfo;
    return { server: `https://127.0.0.1:${port}${prefix}`, ca: this.ca, token: 't' };
  }

  transport(prefix = ''): Transport {
    const made = new Transport(fixedCredentials(this.access(prefix)));
    this.transports.push(made);
    return made;
  }

  /** Closes the transports, and what they have asked is not answered any more: it is not the next test's. */
  reset(): void {
    for (const transport of this.transports.splice(0)) transport.close();
    this.server.closeAllConnections();
    this.connections = 0;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** Answers everything with this, as JSON. */
export function say(value: unknown) {
  return (_: IncomingMessage, response: ServerResponse): void => void response.end(JSON.stringify(value));
}
