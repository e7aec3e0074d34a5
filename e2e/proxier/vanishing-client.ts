/**
 * A program: opens one session of each kind at a vnode's port and holds them. Run in a network namespace of its own, whose
 * link can be taken down, it is a client that vanishes without a word. Argument: JSON of {@link Holding}.
 */
import { type Address, askAt, SPDY, WEBSOCKET } from './ask.ts';
import type { Caller } from './callers.ts';

export interface Holding {
  address: Address;
  caller: Caller;
  /** Paths to open: logs, or sessions over WebSocket, or SPDY for port-forwards. */
  paths: string[];
}

const { address, caller, paths } = JSON.parse(process.argv[2] ?? '{}') as Holding;
for (const path of paths) {
  const headers = path.startsWith('/portForward/')
    ? { ...SPDY, 'x-stream-protocol-version': 'portforward.k8s.io' }
    : WEBSOCKET;
  const { code } = await askAt(address, path, caller, {
    ...(path.startsWith('/containerLogs/')
      ? { onAnswer: (answer) => answer.resume() }
      : { headers, onSession: (socket) => socket.resume() }),
    method: path.startsWith('/portForward/') ? 'POST' : 'GET',
    timeoutMs: 2 ** 31 - 1,
  });
  console.log(`${code} ${path}`);
}
console.log('all open');
setInterval(() => undefined, 1000);
