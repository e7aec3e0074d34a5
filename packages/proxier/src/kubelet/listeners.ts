/** One TCP port per vnode, opened and closed as vnodes come and go. A port that cannot be opened is tried again. */
import { createServer, type Server, type Socket } from 'node:net';
import { Label, Port } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import type { KubeObject } from '@kubeocean/shared/kube';

export interface Plan {
  /** Vnode by port. */
  ports: Map<number, string>;
  /** Vnodes left out, and why. */
  refused: { vnode: string; why: string }[];
}

/**
 * Which vnode is served on which port. A Node counts when it carries this binding's UID and a port of our range; of two
 * with one port the older is served.
 */
export function planPorts(nodes: Iterable<KubeObject>, bindingUID: string): Plan {
  const ports = new Map<number, string>();
  const refused: Plan['refused'] = [];
  const age = (node: KubeObject) => `${node.metadata.creationTimestamp ?? ''}/${node.metadata.name}`;
  for (const node of [...nodes].toSorted((a, b) => (age(a) < age(b) ? -1 : 1))) {
    const { name, labels = {} } = node.metadata;
    if (labels[Label.bindingUID] !== bindingUID) continue;
    const text = labels[Label.proxierPort];
    const port = Number(text);
    if (text === undefined) continue;
    if (!/^\d+$/.test(text) || port < Port.vnodeFirst || port > Port.vnodeLast) {
      refused.push({
        vnode: name,
        why: `label ${Label.proxierPort} is not a port of ${Port.vnodeFirst}-${Port.vnodeLast}`,
      });
    } else if (ports.has(port)) {
      refused.push({ vnode: name, why: `port ${port} is that of ${ports.get(port)}` });
    } else ports.set(port, name);
  }
  return { ports, refused };
}

/**
 * Whether two states of a Node come to the same plan. Most of its labels change for other reasons: at the end of the day those
 * of all vnodes, which say when their lease closes.
 */
export function saysAlike(one: KubeObject | undefined, other: KubeObject | undefined): boolean {
  const [a, b] = [one?.metadata, other?.metadata];
  return (
    a?.uid === b?.uid && [Label.bindingUID, Label.proxierPort].every((key) => a?.labels?.[key] === b?.labels?.[key])
  );
}

export interface Listeners {
  /** Opens and closes ports until just these are open. */
  want(ports: ReadonlyMap<number, string>): void;
  /** The vnode served on a port. */
  vnodeOf(port: number | undefined): string | undefined;
  readonly listening: number;
  /** How many ports are to be open. */
  readonly wanted: number;
  close(): void;
}

export interface ListenerOptions {
  /** Address to listen on; empty: all. */
  address: string;
  accept: (socket: Socket) => void;
  /** A vnode's port was closed, or is another vnode's now. */
  onGone: (vnode: string) => void;
  log: Logger;
  /** Milliseconds between two tries to open a port. Default 2,000. */
  retryMs?: number;
}

/** Connections of one port before it takes no more; sessions have their own, lower limit. */
const MAX_CONNECTIONS = 2048;

/** How long a connection may be silent until the other side is asked whether it is still there. */
const KEEP_ALIVE_MS = 30_000;

interface Listener {
  server: Server | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Why it could not be opened, as was told last: it is tried every other second, and there may be a thousand. */
  told: string;
}

export function createListeners(options: ListenerOptions): Listeners {
  const open = new Map<number, Listener>();
  let vnodes: ReadonlyMap<number, string> = new Map();

  function start(port: number): void {
    const listener: Listener = { server: undefined, timer: undefined, told: '' };
    open.set(port, listener);
    const attempt = () => {
      const server = createServer(
        {
          // Half-open, so that output on its way to a client that stopped sending still arrives.
          allowHalfOpen: true,
          // Who follows a log that says nothing is only missed when asked.
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_MS,
        },
        options.accept,
      );
      server.maxConnections = MAX_CONNECTIONS;
      listener.server = server;
      server.on('error', (error) => {
        const facts = { vnode: vnodes.get(port), port, error: error.message };
        if (error.message !== listener.told) options.log.error(facts, 'cannot listen on the port of a vnode');
        listener.told = error.message;
        if (open.get(port) === listener) listener.timer = setTimeout(attempt, options.retryMs ?? 2000);
      });
      server.listen({ port, ...(options.address && { host: options.address }) }, () =>
        options.log.info({ vnode: vnodes.get(port), port }, 'vnode served'),
      );
    };
    attempt();
  }

  function stop(port: number): void {
    const listener = open.get(port);
    open.delete(port);
    clearTimeout(listener?.timer);
    listener?.server?.close();
  }

  return {
    want(ports) {
      const before = vnodes;
      vnodes = new Map(ports);
      for (const port of open.keys()) if (!ports.has(port)) stop(port);
      for (const port of ports.keys()) if (!open.has(port)) start(port);
      const served = new Set(ports.values());
      for (const vnode of before.values()) if (!served.has(vnode)) options.onGone(vnode);
    },
    vnodeOf: (port) => (port === undefined ? undefined : vnodes.get(port)),
    get listening() {
      return [...open.values()].filter(({ server }) => server?.listening).length;
    },
    get wanted() {
      return vnodes.size;
    },
    close() {
      for (const port of open.keys()) stop(port);
    },
  };
}

/** Some ports may be taken by others; where none can be opened, other replicas are to serve. Undefined: all is well. */
export function portsProblem({ wanted, listening }: Pick<Listeners, 'wanted' | 'listening'>): string | undefined {
  return wanted > 0 && listening === 0 ? `none of the ports of ${wanted} vnodes could be opened` : undefined;
}
