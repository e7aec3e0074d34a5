/** Sessions that clients leave half-way, by the thousand. */
import { randomInt } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SPDY } from './ask.ts';
import type { Caller } from './callers.ts';
import type { Rig } from './rig.ts';

export interface Victim {
  rig: Rig;
  pod: string;
  admin: Caller;
  /** Address of the vnode's port. */
  target: { host: string; port: number };
}

/** The path that runs a command in `main` of a pod, without a terminal or input. */
export function execPath(namespace: string, pod: string, ...command: string[]): string {
  const query = command.map((part) => `&command=${encodeURIComponent(part)}`).join('');
  return `/exec/${namespace}/${pod}/main?output=1${query}`;
}

/** The `i`th session, that its client leaves without a word in one of many ways. */
async function abort({ rig, pod, admin, target }: Victim, i: number): Promise<void> {
  const kinds = ['attach', 'portForward', 'logs', 'logs', 'attach', 'portForward', 'logs', 'early', 'silent', 'exec'];
  const kind = kinds[i % kinds.length] as string;
  const leave = (socket: Socket) => (i % 3 === 0 ? socket.end() : socket).destroy();
  switch (kind) {
    case 'early': {
      // Gone before the answer.
      const socket = connectTls({ ...target, ...admin, rejectUnauthorized: false }, () => {
        socket.write(
          `GET ${execPath(rig.id, pod, 'true')} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n`,
        );
        setTimeout(() => socket.destroy(), randomInt(30));
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.on('close', resolve));
      return;
    }
    case 'silent': {
      // Gone in the handshake of TLS, or before it.
      const socket = connectTcp(target).on('error', () => undefined);
      socket.on('connect', () => (i % 3 === 0 ? socket.write('GET / HTTP/1.0\r\n\r\n') : socket.resetAndDestroy()));
      await new Promise((resolve) => socket.on('close', resolve));
      return;
    }
    case 'logs': {
      const onAnswer = (answer: IncomingMessage) => leave(answer.socket);
      await rig.ask(`/containerLogs/${rig.id}/${pod}/main?follow=true&tailLines=3`, admin, { onAnswer });
      return;
    }
    default: {
      const path =
        kind === 'exec'
          ? execPath(rig.id, pod, 'cat', '/dev/zero')
          : `/${kind}/${rig.id}/${pod}${kind === 'attach' ? '/main?output=1' : ''}`;
      const stream = kind === 'portForward' ? 'portforward.k8s.io' : 'v4.channel.k8s.io';
      const headers = { ...SPDY, 'x-stream-protocol-version': stream };
      await rig.ask(path, admin, { method: 'POST', headers, onSession: (socket) => leave(socket) });
    }
  }
}

/** Begins `count` sessions, sixteen at a time, and leaves them. */
export async function abortMany(victim: Victim, count: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await abort(victim, next++).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
