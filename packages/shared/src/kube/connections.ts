/** Pools of connections to one API server. */
import { Agent } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { ClusterAccess } from './kubeconfig.ts';

/**
 * Idle connections are closed after so long: before the API server does it (90 s, Go's default for kube-apiserver), so
 * that no write is sent into a connection that is being closed and gets lost with ECONNRESET.
 */
const IDLE_MS = 60_000;

/**
 * Most connections for Leases. Vnodes renew theirs eight at a time, and up to 36 when they are late; the rest is for the
 * Leases that the syncer itself lives by, those of its leadership and of its claim.
 */
const LEASE_SOCKETS = 40;
const LEASES = '/apis/coordination.k8s.io/';

/**
 * A server of several addresses is given so long, in milliseconds, to take a connection by one of them before the next is
 * tried. Node's own quarter of a second is less than a way round the world takes: all but the last address would never do,
 * and that may be one that leads nowhere, as those of IPv6 do where pods have none.
 */
const ADDRESS_MS = 1500;

/** All its connections are to one server with one certificate: no need to spell both out for every request. */
class OneServerAgent extends Agent {
  override getName(): string {
    return 'server';
  }
}

/** What the calls to one server share. */
export interface Connections {
  access: ClusterAccess;
  /** The TLS part of the access, as text: what the agents were made for. */
  tls: string;
  at: { host: string; port: string | number; prefix: string };
  /** For calls; a connection is kept for the next one. */
  pool: Agent;
  /** For calls about Leases, which must go on when all connections of `pool` wait for answers that do not come. */
  leases: Agent;
  /** For streams, each of which has a connection of its own. */
  streams: Agent;
}

/**
 * Agents and address for an access. Those of `known` go on while they lead to the same server with the same certificate
 * and authority; else they are retired.
 * @throws Error when OpenSSL cannot read a certificate or key.
 */
export function connectionsTo(access: ClusterAccess, known: Connections | undefined, maxSockets: number): Connections {
  const { ca, cert, key, tlsServerName } = access;
  // A new token is a new header; only a new certificate or authority needs new connections.
  const tls = JSON.stringify([ca, cert, key, tlsServerName]);
  const { hostname, port, pathname } = new URL(access.server);
  // An IPv6 address stands in brackets in a URL, and without them in a socket's options.
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: port || 443, prefix: pathname.replace(/\/$/, '') };
  if (known?.tls === tls && known.at.host === at.host && known.at.port === at.port) return { ...known, access, at };
  const options = {
    // Read once: Node would read certificates and key anew for each connection, a millisecond of CPU.
    secureContext: createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca && { ca }),
      ...(cert && key && { cert, key }),
    }),
    ALPNProtocols: ['http/1.1'],
    autoSelectFamilyAttemptTimeout: ADDRESS_MS,
    ...(tlsServerName && { servername: tlsServerName }),
  };
  if (known) for (const pool of [known.pool, known.leases]) retire(pool);
  const kept = { ...options, keepAlive: true, scheduling: 'lifo', timeout: IDLE_MS } as const;
  return {
    access,
    at,
    tls,
    pool: new OneServerAgent({ ...kept, maxSockets }),
    // Costs nothing before the first Lease: an agent opens connections as they are needed.
    leases: new OneServerAgent({ ...kept, maxSockets: Math.min(maxSockets, LEASE_SOCKETS) }),
    streams: new OneServerAgent({ ...options, keepAlive: false }),
  };
}

/** The connections that a call of this path goes by. */
export function poolFor({ pool, leases }: Connections, path: string): Agent {
  return path.startsWith(LEASES) ? leases : pool;
}

/** Whether a call would get a connection that is there already. */
export function isIdle(pool: Agent): boolean {
  return Object.values(pool.freeSockets).some((sockets) => sockets?.some((socket) => !socket.destroyed));
}

/** Lets a pool die: idle connections now, busy ones after their call. `Agent.destroy` would cut calls in flight. */
function retire(pool: Agent): void {
  (pool as unknown as { keepAlive: boolean }).keepAlive = false;
  for (const sockets of Object.values(pool.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
