/** A log from a worker's API server to a client, both over TLS. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { fixedCredentials, Transport } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamLogs } from './logs.ts';
import { loopbackIdentity } from './samples.ts';
import type { SessionEnd } from './sessions.ts';

const identity = loopbackIdentity();
const servers: Server[] = [];
/** What the worker says; cut off in the middle when asked, or refused with these codes, one after the other. */
let log: { text: string; cut?: boolean; codes?: number[] };
let asked = 0;
let ended: Promise<SessionEnd>;
let transport: Transport;
let port = 0;

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const worker = createServer(identity, (_, response) => {
    asked++;
    const code = log.codes?.shift();
    if (code !== undefined) {
      response.writeHead(code).end(JSON.stringify({ kind: 'Status', message: `${code}: web-1` }));
      return;
    }
    response.write(log.text);
    if (log.cut) setImmediate(() => response.destroy());
    else response.end();
  });
  const server = `https://127.0.0.1:${await listen(worker)}`;
  transport = new Transport(fixedCredentials({ server, ca: identity.cert, token: 't' }));
  const proxier = createServer(identity, (_, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort(new Error('client gone')));
    const query = { container: 'main' };
    ended = streamLogs(
      { transport, namespace: 'mount', pod: 'web-1', homePod: 'web', query, signal: gone.signal },
      response,
    );
    ended.catch(() => response.destroy());
  });
  port = await listen(proxier);
});

afterAll(() => {
  transport.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** The TLS records of an answer: Node gives each as a chunk of its own. */
async function records(): Promise<string[]> {
  const socket = connect({ port, host: '127.0.0.1', ca: identity.cert });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const read: string[] = [];
  for await (const chunk of socket) read.push(String(chunk));
  return read;
}

describe('a log', () => {
  it.each([
    ['a line', 'container is alive\n'],
    ['many', 'x'.repeat(3_000_000)],
    ['nothing', ''],
  ])('of %s arrives whole, and its end in a record of its own', async (_, text) => {
    log = { text };
    const read = await records();
    expect(read.at(-1)).toBe('0\r\n\r\n');
    expect(read.slice(0, -1).join('').length).toBeGreaterThan(text.length);
    expect(await ended).toEqual({ bytesUp: 0, bytesDown: text.length, reason: 'log ended' });
  });

  it('that the worker cannot give is asked for once, so that its first words are told', async () => {
    log = { text: '', codes: [500, 502] };
    asked = 0;
    await records();
    await expect(ended).rejects.toMatchObject({ code: 500, message: '500: web' });
    expect(asked).toBe(1);
  });

  it('of a pod that has no node in the worker is not an empty one: it says what it waits for, as a kubelet does', async () => {
    log = { text: '', codes: [204] };
    await records();
    await expect(ended).rejects.toMatchObject({
      code: 400,
      message: 'container "main" in pod "web" is waiting to start: the worker cluster has not given the pod a node yet',
    });
  });

  it('is asked for again when the worker has too much to do', async () => {
    log = { text: 'a line\n', codes: [429] };
    asked = 0;
    expect((await records()).join('')).toContain('a line');
    expect(asked).toBe(2);
  });

  it('that breaks off has no end', async () => {
    log = { text: 'half', cut: true };
    const read = await records();
    expect(read.join('')).not.toContain('0\r\n\r\n');
    expect((await ended).reason).toBe('the connection broke off');
  });
});
