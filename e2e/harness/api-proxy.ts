/**
 * An API server seen through a proxy that can hold single requests: before they reach the server, or after it has done
 * what was asked and before the client hears of it. Between the two lies every moment at which a process can die.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigFile } from '@kubeocean/shared/kube';
import { opensslConfig } from '../clusters/local/pki.ts';
import { run } from '../clusters/local/run.ts';
import { cleanup } from './cleanup.ts';
import { type ClusterName, kubeconfigOf } from './clusters.ts';

export interface SeenRequest {
  method: string;
  /** With its query. */
  path: string;
  body: string;
}

export interface Hold {
  /** Resolves when the request is held: it has not reached the server yet, or (`after`) the server has answered it. */
  readonly held: Promise<SeenRequest>;
  /** Whether it is held now, and the client still waits. */
  readonly isHeld: boolean;
  /** Lets it go on. */
  release(): void;
  /** Forgets it: one that is held never reaches the server, or its answer never the client. */
  drop(): void;
}

export interface ApiProxy {
  /** A kubeconfig that leads through the proxy, with the rights of the cluster's administrator. */
  readonly kubeconfig: string;
  /** Holds the next request that matches; `before` it reaches the server, or `after` the server has answered it. */
  hold(when: 'before' | 'after', matches: (seen: SeenRequest) => boolean): Hold;
}

interface Waiting {
  when: 'before' | 'after';
  matches: (seen: SeenRequest) => boolean;
  taken: (seen: SeenRequest, client: ServerResponse) => void;
  goOn: Promise<'release' | 'drop'>;
}

/** Starts one; it is closed after the test file. */
export async function startApiProxy(cluster: ClusterName): Promise<ApiProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-proxy-'));
  const access = kubeconfigFile(kubeconfigOf(cluster), { trust: 'trusted' }).current();
  const upstream = new URL(access.server);
  const address = await addressTowards(upstream);
  const { cert, key } = await certificateFor(folder, address);
  const agent = new Agent({ keepAlive: true, ca: access.ca, cert: access.cert, key: access.key });
  const waiting = new Set<Waiting>();

  const server = createServer({ cert, key }, (incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const seen = { method: incoming.method ?? '', path: incoming.url ?? '', body: body.toString() };
    const hold = take(seen);
    if (hold?.when === 'before') {
      hold.taken(seen, outgoing);
      if ((await hold.goOn) === 'drop' || outgoing.destroyed) return void outgoing.destroy();
    }
    const answer = await forward(incoming, body, outgoing);
    if (hold?.when === 'after') {
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      hold.taken(seen, outgoing);
      if ((await hold.goOn) === 'drop') return void outgoing.destroy();
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(parts));
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    answer.on('error', () => outgoing.destroy());
    answer.pipe(outgoing);
  }

  function take(seen: SeenRequest): Waiting | undefined {
    for (const each of waiting) {
      if (!each.matches(seen)) continue;
      waiting.delete(each);
      return each;
    }
    return undefined;
  }

  function forward(incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { host: _, authorization: __, connection: ___, ...headers } = incoming.headers;
    const call = request(new URL(incoming.url ?? '/', upstream), { method: incoming.method, headers, agent }, resolve);
    call.on('error', reject);
    // A watch ends with its client.
    outgoing.on('close', () => call.destroy());
    call.end(body);
    return promise;
  }

  // The client's own pool decides when a connection ends.
  server.keepAliveTimeout = 0;
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(0, address, listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(`https://${address}:${port}`, cert), { mode: 0o600 });
  cleanup(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    agent.destroy();
    await promise;
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    kubeconfig,
    hold(when, matches) {
      const taken = Promise.withResolvers<SeenRequest>();
      const goOn = Promise.withResolvers<'release' | 'drop'>();
      let isHeld = false;
      let ended = false;
      const each: Waiting = {
        when,
        matches,
        goOn: goOn.promise,
        taken(seen, client) {
          isHeld = true;
          // A client that gives up (on a busy machine) asks again, and is held again.
          client.once('close', () => {
            isHeld = false;
            if (!ended) waiting.add(each);
          });
          taken.resolve(seen);
        },
      };
      waiting.add(each);
      function end(how: 'release' | 'drop'): void {
        ended = true;
        waiting.delete(each);
        isHeld = false;
        goOn.resolve(how);
      }
      return {
        held: taken.promise,
        get isHeld() {
          return isHeld;
        },
        release: () => end('release'),
        drop: () => end('drop'),
      };
    },
  };
}

/** This machine's own address on the way to the server: not loopback, which a worker's kubeconfig may not name. */
function addressTowards(server: URL): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: server.hostname, port: Number(server.port || 443) });
  socket.once('error', reject);
  socket.once('connect', () => {
    resolve(socket.localAddress ?? '');
    socket.destroy();
  });
  return promise;
}

async function certificateFor(folder: string, address: string): Promise<{ cert: string; key: string }> {
  const file = (ending: string) => join(folder, `proxy.${ending}`);
  const names = [`IP:${address}`];
  writeFileSync(file('cnf'), opensslConfig({ name: 'proxy', commonName: 'proxy', use: 'server', names }));
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'];
  const files = ['-keyout', file('key'), '-out', file('crt')];
  await run(['openssl', 'req', '-x509', '-config', file('cnf'), ...kind, ...files]);
  return { cert: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
}

function kubeconfigText(server: string, ca: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'proxy',
    clusters: [
      { name: 'proxy', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    // Taken off on the way: the proxy speaks as the administrator.
    users: [{ name: 'proxy', user: { token: 'nobody' } }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
  });
}
