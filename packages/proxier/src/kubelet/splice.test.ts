/** Two pairs of real sockets: client ↔ (splice) ↔ worker. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { followFrames } from './frames.ts';
import { splice, type SpliceOptions } from './splice.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Both ends of one connection; the far one always half-open, as the listeners of vnodes are. */
async function pair(allowHalfOpen: boolean): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen });
  const [far] = (await once(server, 'connection')) as [Socket];
  await once(near, 'connect').catch(() => undefined);
  server.close();
  open.push(near, far);
  for (const socket of [near, far]) socket.on('error', () => undefined);
  return [near, far];
}

async function spliced(head = '', lingerMs = 60_000, options: SpliceOptions = {}) {
  const [user, client] = await pair(true);
  const [upstream, worker] = await pair(false);
  return {
    user,
    worker,
    client,
    upstream,
    joined: splice(client, upstream, Buffer.from(head), { lingerMs, ...options }),
  };
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('splice', () => {
  it('carries bytes both ways and counts them, the head of the worker first', async () => {
    const { user, worker, joined } = await spliced('head:');
    const read = readAll(user);
    user.write('up');
    await once(worker, 'data');
    worker.end('down');
    expect(String(await read)).toBe('head:down');
    user.end();
    expect(await joined.done).toEqual({ bytesUp: 2, bytesDown: 9, reason: 'worker ended' });
  });

  it('delivers all to a slow reader after the worker has closed', async () => {
    const { user, worker, joined } = await spliced();
    const size = 32 * 1024 * 1024;
    user.pause();
    worker.end(Buffer.alloc(size, 'x'));
    worker.resume();
    let got = 0;
    for await (const chunk of user) {
      got += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(got).toBe(size);
    user.end();
    expect((await joined.done).bytesDown).toBe(size);
  });

  it('holds the worker back when the client does not read', async () => {
    const { user, worker, upstream, joined } = await spliced();
    user.pause();
    const total = 64 * 1024 * 1024;
    worker.write(Buffer.alloc(total));
    let before = -1;
    // Until nothing moves any more: what is on the way is bounded by the buffers of the kernel.
    while (upstream.bytesRead !== before) {
      before = upstream.bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(upstream.bytesRead).toBeGreaterThan(0);
    expect(upstream.bytesRead).toBeLessThan(total / 2);
    joined.kill('done');
    await joined.done;
  });

  it('ends although the client left bytes unread by the worker', async () => {
    const { user, worker, upstream, joined } = await spliced();
    worker.end();
    worker.resume();
    await once(upstream, 'end');
    user.write('too late');
    user.resume();
    user.end();
    expect((await joined.done).reason).toBe('worker ended');
  });

  it('closes the worker’s side when the client is gone', async () => {
    const { user, worker, joined } = await spliced();
    const gone = once(worker, 'close');
    worker.resume();
    user.resetAndDestroy();
    expect((await joined.done).reason).toMatch(/client (connection failed: ECONNRESET|closed)/);
    worker.end();
    await gone;
  });

  it('does not wait for ever for a client that stopped sending', async () => {
    const { user, joined } = await spliced('', 50);
    user.end();
    expect((await joined.done).reason).toBe('client ended');
  });

  it('ends the client when the worker’s connection breaks', async () => {
    const { user, worker, joined } = await spliced();
    const ended = once(user, 'end');
    user.resume();
    worker.resetAndDestroy();
    await ended;
    user.end();
    expect((await joined.done).reason).toMatch(/^worker (connection failed|closed)/);
  });

  it('can be killed', async () => {
    const { joined, client, upstream } = await spliced();
    joined.kill('the vnode is gone');
    expect((await joined.done).reason).toBe('the vnode is gone');
    expect([client.destroyed, upstream.destroyed]).toEqual([true, true]);
  });

  const telling = (): SpliceOptions => {
    const follow = () => followFrames('SPDY/3.1', 'v4.channel.k8s.io');
    return { tell: true, frames: { up: follow(), down: follow() } };
  };
  const DATA = Buffer.from([0, 0, 0, 5, 0, 0, 0, 3, 1, 2, 3]);
  const failed = (why: string) => new RegExp(`"status":"Failure","message":"[^"]*${why}`);

  it('tells a client whose session is killed, or whose worker is lost, that its command has not ended', async () => {
    for (const [how, why] of [
      ['kill', 'the pod is gone'],
      ['kill in a frame', 'the pod is gone'],
      ['lose', 'worker (connection failed|closed)'],
    ] as const) {
      const { user, worker, joined } = await spliced('', 1000, telling());
      const read = readAll(user);
      worker.write(how === 'kill in a frame' ? DATA.subarray(0, 9) : DATA);
      await once(user, 'readable');
      if (how === 'lose') worker.resetAndDestroy();
      else joined.kill('the pod is gone');
      if (how === 'kill in a frame') worker.write(Buffer.concat([DATA.subarray(9), DATA]));
      const got = await read;
      expect(got.subarray(0, 11)).toEqual(DATA);
      expect(got.subarray(11).toString(), how).toMatch(failed(why));
      user.end();
      expect((await joined.done).reason).toMatch(new RegExp(why));
    }
  });

  it('passes on what the worker told before it closed on what the client was still sending', async () => {
    const told = Buffer.from([0, 0, 0, 1, 1, 0, 0, 2, 0x7b, 0x7d]);
    const { user, worker, client, joined } = await spliced('', 1000, telling());
    const read = readAll(user);
    // All in one turn: both lie in the kernel, unread, when the client's bytes are to be written.
    worker.write(told);
    worker.resetAndDestroy();
    for (const ping of ['one', 'two', 'three']) client.emit('data', Buffer.from(ping));
    expect(await read).toEqual(told);
    user.end();
    expect((await joined.done).reason).toMatch(/^worker /);
  });

  it('adds nothing where the worker has told the end', async () => {
    const told = Buffer.from([0, 0, 0, 1, 1, 0, 0, 2, 0x7b, 0x7d]);
    const { user, worker, joined } = await spliced('', 1000, telling());
    const read = readAll(user);
    worker.end(told);
    expect(await read).toEqual(told);
    user.end();
    await joined.done;
  });
});
