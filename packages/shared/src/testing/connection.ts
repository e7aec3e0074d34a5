/** A connection within this process, and a process that stands still. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Connection {
  client: Socket;
  /** The server's end of it. */
  peer: Socket;
  close: () => void;
}

/** Over TCP, on loopback. */
export async function openConnection(): Promise<Connection> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
  return {
    client,
    peer,
    close() {
      client.destroy();
      server.close();
    },
  };
}

/** Nothing of this process runs for so long, as if it was stopped or starved of CPU. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
