/** Requests straight to the port of a vnode or of a kubelet, past the API server. */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Caller } from './callers.ts';

export interface Address {
  host: string;
  port: number;
  /** CA that signed the server's certificate; without one it is not verified. */
  ca?: string | undefined;
}

export interface Answer {
  code: number;
  text: string;
  headers: IncomingMessage['headers'];
}

export interface AskOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Takes the connection of a session, which is closed at once otherwise. */
  onSession?: (socket: Socket, head: Buffer) => void;
  /** Takes the answer as it begins, instead of reading it to its end. */
  onAnswer?: (answer: IncomingMessage) => void;
  /** Milliseconds without a byte until the request is given up. Default 30,000. */
  timeoutMs?: number;
}

/** What a client that speaks WebSocket v4 sends. */
export const WEBSOCKET = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-protocol': 'v4.channel.k8s.io',
};

/** What a client that speaks SPDY sends. */
export const SPDY = {
  connection: 'Upgrade',
  upgrade: 'SPDY/3.1',
  'x-stream-protocol-version': 'v4.channel.k8s.io',
};

export function askAt(address: Address, path: string, caller: Caller, options: AskOptions = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { token, ...certificate } = caller;
  const request = httpsRequest({
    host: address.host,
    port: address.port,
    path,
    method: options.method ?? 'GET',
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...options.headers },
    ...(address.ca ? { ca: address.ca } : { rejectUnauthorized: false }),
    agent: false,
    timeout: options.timeoutMs ?? 30_000,
    ...certificate,
  });
  request.on('response', (response) => {
    const answer = { code: response.statusCode ?? 0, headers: response.headers };
    if (options.onAnswer) {
      response.on('error', () => undefined);
      options.onAnswer(response);
      resolve({ ...answer, text: '' });
      return;
    }
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => resolve({ ...answer, text }));
    response.on('error', reject);
  });
  request.on('upgrade', (response, socket, head) => {
    socket.on('error', () => undefined);
    if (options.onSession) options.onSession(socket, head);
    else socket.destroy();
    resolve({ code: response.statusCode ?? 0, text: '', headers: response.headers });
  });
  request.on('timeout', () => request.destroy(new Error(`${path}: no answer in time`)));
  request.on('error', reject);
  request.end(options.body);
  return promise;
}
