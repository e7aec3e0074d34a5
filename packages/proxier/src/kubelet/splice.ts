/**
 * Joins two sockets after both sides have switched protocols: bytes both ways, untouched, with back-pressure. When a
 * session ends that the worker has not ended, the client is told so in the protocol's own words.
 */
import type { Socket } from 'node:net';
import type { Frames } from './frames.ts';
import { keepReading } from './keep-reading.ts';

export interface SpliceOptions {
  /** How long a socket may stand still once the other side has ended, in milliseconds. Default 60,000. */
  lingerMs?: number;
  /** Told when something passes, either way, that is more than a ping. */
  onActivity?: () => void;
  /** Told when anything comes from the worker. */
  onHeard?: () => void;
  /** Follow what either side sends. Without them everything is activity, and nothing is told. */
  frames?: { up: Frames; down: Frames };
  /** Whether an end that the worker did not tell is told, in its error stream. */
  tell?: boolean;
}

export interface SpliceResult {
  bytesUp: number;
  bytesDown: number;
  reason: string;
}

export interface Splice {
  /** Resolves, never rejects, when the client's socket has closed. */
  readonly done: Promise<SpliceResult>;
  /** Ends both sides; the client is told why when its protocol has a place for that. */
  kill: (reason: string) => void;
}

/** How long the worker may take to end the frame it is in, and the client to take what it is told, when a session is killed. */
const KILL_MS = 1_000;

/** `upstreamHead`: bytes the worker sent right behind its 101. */
export function splice(client: Socket, upstream: Socket, upstreamHead: Buffer, options: SpliceOptions = {}): Splice {
  const { lingerMs = 60_000, onActivity, onHeard, tell = false } = options;
  const { up, down } = options.frames ?? {};
  const { promise, resolve } = Promise.withResolvers<SpliceResult>();
  let bytesUp = 0;
  let bytesDown = 0;
  let reason: string | undefined;
  let finished = false;
  /** Killed in the middle of a frame, which is let through to its end. */
  let dying = false;
  const because = (text: string) => (reason ??= text);

  for (const socket of [client, upstream]) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
  }
  keepReading(upstream);
  client.on('data', (chunk: Buffer) => {
    bytesUp += chunk.length;
    up?.take(chunk);
    if (up?.active ?? true) onActivity?.();
  });

  /** @returns false when the client has to catch up first. */
  function pass(chunk: Buffer): boolean {
    onHeard?.();
    const taken = down?.take(chunk, dying) ?? chunk.length;
    bytesDown += taken;
    if (down?.active ?? true) onActivity?.();
    const flowing = client.write(taken === chunk.length ? chunk : chunk.subarray(0, taken));
    if (dying && down?.whole) tellAndEnd();
    return flowing;
  }
  upstream.on('data', (chunk: Buffer) => {
    if (!finished && !pass(chunk)) upstream.pause();
  });
  client.on('drain', () => upstream.resume());

  // What is on its way to the client must arrive, so its socket is ended, never destroyed, when the worker is done.
  function finish(why: string, patienceMs = lingerMs): void {
    if (finished) return;
    finished = true;
    because(why);
    if (tell && down?.whole && !down.told && down.tellsSuccess && !client.writableEnded) {
      client.write(down.failure(`the session has ended before its command did: ${why}`));
    }
    client.end();
    // Nobody reads the client any more, and an unread socket never tells that it has ended.
    client.unpipe(upstream);
    client.resume();
    client.setTimeout(patienceMs, () => client.destroy());
  }
  function tellAndEnd(): void {
    finish(reason as string, KILL_MS);
    upstream.destroy();
  }
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

  if (upstreamHead.length > 0 && !pass(upstreamHead)) upstream.pause();
  client.pipe(upstream);

  return {
    done: promise,
    kill(why) {
      because(why);
      if (finished || !tell || !down) {
        upstream.destroy();
        client.destroy();
        return;
      }
      if (down.whole) {
        tellAndEnd();
        return;
      }
      dying = true;
      upstream.resume();
      setTimeout(() => {
        upstream.destroy();
        client.destroy();
      }, KILL_MS).unref();
    },
  };
}
