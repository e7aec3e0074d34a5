/** Pools of connections to one API server. */
import { Agent } from 'node:https';

/** All its connections are to one server with one certificate: no need to spell both out for every request. */
export class OneServerAgent extends Agent {
  override getName(): string {
    return 'server';
  }
}

/** Whether a call would get a connection that is there already. */
export function isIdle(pool: Agent): boolean {
  return Object.values(pool.freeSockets).some((sockets) => sockets?.some((socket) => !socket.destroyed));
}

/** Lets a pool die: idle connections now, busy ones after their call. `Agent.destroy` would cut calls in flight. */
export function retire(pool: Agent): void {
  (pool as unknown as { keepAlive: boolean }).keepAlive = false;
  for (const sockets of Object.values(pool.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
