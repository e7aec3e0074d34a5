/** A network link between a client and a real server that a test can cut, freeze and mend: TCP forwarded on loopback. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { cleanup } from './cleanup.ts';

export interface Link {
  /** Port on 127.0.0.1 to connect to. */
  readonly port: number;
  /** Connections made through it so far. */
  readonly connections: number;
  /** Resets every connection; new ones are taken. {@link mend} undoes nothing of it. */
  cut(): void;
  /** Resets every connection and every new one, until {@link mend}. */
  down(): void;
  /** From now on no byte passes and no connection is closed: a peer that fell silent. New ones are taken and ignored. */
  freeze(): void;
  /** Bytes pass again; connections that were frozen are reset, as a firewall that forgot them would. */
  mend(): void;
  close(): Promise<void>;
}

/** Forwards to 127.0.0.1:`port`. */
export async function startLink(port: number): Promise<Link> {
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let frozen = false;
  let refusing = false;
  let connections = 0;
  const server: Server = createServer((near) => {
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    connections++;
    const far = connect({ host: '127.0.0.1', port });
    const pair = { near, far };
    pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        if (!frozen) to.write(chunk);
      });
      from.on('end', () => {
        if (!frozen) to.end();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        if (frozen) return;
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;

  function cut(): void {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    pairs.clear();
  }
  async function close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    cut();
    await promise;
  }
  cleanup(close);
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return connections;
    },
    cut,
    down() {
      refusing = true;
      cut();
    },
    freeze() {
      frozen = true;
    },
    mend() {
      frozen = false;
      refusing = false;
      cut();
    },
    close,
  };
}
