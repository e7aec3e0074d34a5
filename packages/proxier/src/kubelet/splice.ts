/** Joins two sockets after both sides have switched protocols: bytes both ways, untouched, with back-pressure. */
import type { Socket } from 'node:net';

export interface SpliceOptions {
  /** How long a socket may stand still once the other side has ended, in milliseconds. Default 60,000. */
  lingerMs?: number;
}

export interface SpliceResult {
  bytesUp: number;
  bytesDown: number;
  reason: string;
}

export interface Splice {
  /** Resolves, never rejects, when the client's socket has closed. */
  readonly done: Promise<SpliceResult>;
  /** Ends both sides at once. */
  kill: (reason: string) => void;
}

/** `upstreamHead`: bytes the worker sent right behind its 101. */
export function splice(client: Socket, upstream: Socket, upstreamHead: Buffer, options: SpliceOptions = {}): Splice {
  const lingerMs = options.lingerMs ?? 60_000;
  const { promise, resolve } = Promise.withResolvers<SpliceResult>();
  let bytesUp = 0;
  let bytesDown = upstreamHead.length;
  let reason: string | undefined;
  const because = (text: string) => (reason ??= text);

  for (const socket of [client, upstream]) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
  }
  client.on('data', (chunk: Buffer) => (bytesUp += chunk.length));
  upstream.on('data', (chunk: Buffer) => (bytesDown += chunk.length));

  // What is on its way to the client must arrive, so its socket is ended, never destroyed, when the worker is done.
  const finish = (why: string) => {
    because(why);
    client.end();
    // Nobody reads the client any more, and an unread socket never tells that it has ended.
    client.unpipe(upstream);
    client.resume();
    client.setTimeout(lingerMs, () => client.destroy());
  };
  upstream.on('end', () => finish('worker ended'));
  upstream.on('error', (error: NodeJS.ErrnoException) => finish(`worker connection failed: ${error.code ?? 'error'}`));
  upstream.on('close', () => finish('worker closed'));

  client.on('end', () => {
    because('client ended');
    // A client that closed looks like one that only stopped sending; silence decides.
    client.setTimeout(lingerMs, () => client.destroy());
  });
  client.on('error', (error: NodeJS.ErrnoException) => because(`client connection failed: ${error.code ?? 'error'}`));
  client.on('close', () => {
    because('client closed');
    upstream.destroy();
    resolve({ bytesUp, bytesDown, reason: reason as string });
  });

  if (upstreamHead.length > 0) client.write(upstreamHead);
  client.pipe(upstream);
  upstream.pipe(client);

  return {
    done: promise,
    kill(why) {
      because(why);
      upstream.destroy();
      client.destroy();
    },
  };
}
