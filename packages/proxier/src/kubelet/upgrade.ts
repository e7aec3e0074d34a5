/**
 * exec, attach and port-forward: asks the worker's API server to switch protocols as the client asked us, and joins the
 * two connections. Which protocol they speak (SPDY or WebSocket, of any kubectl) does not matter here.
 */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Pods, pathOf, type Transport } from '@kubeocean/shared/kube';
import { METHOD_NOT_ALLOWED, Refusal } from '../errors.ts';
import { followFrames } from './frames.ts';
import { switchingAnswer, upgradeOf, upstreamHeaders } from './headers.ts';
import { SESSION_SUBRESOURCE, type SessionKind } from './routes.ts';
import { type Splice, splice, type SpliceOptions } from './splice.ts';

/**
 * The protocol a request asks for.
 * @throws Refusal 405, or 400 when it is none that Kubernetes uses, has the wrong method for it, or carries a body: bytes that
 * would reach the worker as part of a stream nobody authorised.
 */
export function checkUpgrade(request: IncomingMessage, head: Buffer): string {
  const upgrade = upgradeOf(request.headers.upgrade);
  if (request.method !== 'GET' && request.method !== 'POST') throw new Refusal(405, METHOD_NOT_ALLOWED);
  if (!upgrade) throw new Refusal(400, 'unable to upgrade: only SPDY/3.1 and websocket are spoken here');
  if (request.method === 'POST' && upgrade === 'websocket') {
    throw new Refusal(400, `unable to upgrade: ${request.method} cannot ask for ${upgrade}`);
  }
  const length = request.headers['content-length'];
  if (
    (length !== undefined && length !== '0') ||
    request.headers['transfer-encoding'] !== undefined ||
    head.length > 0
  ) {
    throw new Refusal(400, 'unable to upgrade: the request carries a body');
  }
  return upgrade;
}

export interface UpstreamCall {
  transport: Transport;
  namespace: string;
  pod: string;
  kind: SessionKind;
  query: URLSearchParams;
  upgrade: string;
  /** The client's request, of which the listed headers are passed on. */
  request: IncomingMessage;
  userAgent: string;
  /** Milliseconds until the worker must have answered. Default 45,000. */
  timeoutMs?: number;
  /** Gives the call up. */
  signal: AbortSignal;
}

export interface Switched {
  /** The 101 to send to the client. */
  answer: string;
  /** What was switched to, and which of the protocols that were offered the worker chose; none is version 1. */
  upgrade: string;
  protocol: string | undefined;
  socket: Socket;
  head: Buffer;
}

/** Longer than the 30 s after which an API server says that a kubelet cannot be reached: that is not to be taken for its own silence. */
const ANSWER_MS = 45_000;

/** Longest text of a refusal that is passed on. */
const MAX_TEXT = 64 * 1024;

/**
 * Opens the worker's side on a connection of its own: the one its pod was just looked up on, as a rule.
 * @throws Refusal with the worker's own code and text when it does not switch, 502 when it switches to what was not
 * asked, 503 when it does not answer.
 */
export function openUpstream(call: UpstreamCall): Promise<Switched> {
  const { url, headers, agent } = call.transport.connection();
  const path = pathOf(Pods, call.namespace, call.pod, SESSION_SUBRESOURCE[call.kind]);
  const query = call.query.toString();
  const authorization = headers['authorization'];
  const { promise, resolve, reject } = Promise.withResolvers<Switched>();
  const timeout = AbortSignal.timeout(call.timeoutMs ?? ANSWER_MS);
  const outgoing = httpsRequest({
    agent,
    signal: AbortSignal.any([timeout, call.signal]),
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || 443,
    path: `${url.pathname.replace(/\/$/, '')}${path}${query ? `?${query}` : ''}`,
    method: call.request.method ?? 'GET',
    headers: upstreamHeaders(call.request.rawHeaders, {
      host: url.host,
      upgrade: call.upgrade,
      userAgent: call.userAgent,
      ...(authorization && { authorization }),
    }),
  });
  // From now on it is this session's, whatever comes of it.
  outgoing.on('socket', (socket) => socket.emit('agentRemove'));
  outgoing.on('upgrade', (answer, socket: Socket, head) => {
    const text = switchingAnswer({ upgrade: call.upgrade, rawHeaders: call.request.rawHeaders }, answer);
    if (text instanceof Error) {
      socket.on('error', () => undefined).destroy();
      reject(new Refusal(502, `unable to upgrade: ${text.message}`));
    } else {
      const chosen = answer.headers['x-stream-protocol-version'] ?? answer.headers['sec-websocket-protocol'];
      resolve({ answer: text, upgrade: call.upgrade, protocol: [chosen].flat()[0], socket, head });
    }
  });
  outgoing.on('response', (answer) => {
    const connection = answer.socket;
    let text = '';
    answer.setEncoding('utf8');
    answer.on('data', (chunk: string) => {
      if (text.length < MAX_TEXT) text += chunk;
    });
    const refuse = () => {
      reject(answerRefusal(answer.statusCode ?? 502, text));
      // No agent has it any more, so nobody else would close it.
      connection.destroy();
    };
    answer.on('end', refuse).on('error', refuse);
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    const why = timeout.aborted ? 'no answer in time' : (error.code ?? error.message);
    reject(new Refusal(503, `the worker cluster does not answer (${why}): try again later`, { cause: error }));
  });
  outgoing.end();
  return promise;
}

/** A refusal of the worker in its own words. API servers answer with a Status; a kubelet's text comes through as it is. */
export function answerRefusal(code: number, text: string): Refusal {
  let message = text.trim();
  let byApiServer = false;
  try {
    const status = JSON.parse(text) as { kind?: unknown; message?: unknown };
    byApiServer = status.kind === 'Status';
    if (typeof status.message === 'string') message = status.message;
  } catch {
    // Plain text.
  }
  // A kubelet says 403 as well when it cannot agree on a stream protocol: that is the caller's business.
  if (code === 401 || (code === 403 && byApiServer)) {
    // The worker's owner may forbid sessions by a webhook or policy; then nothing is wrong with the credential.
    const isPolicy = /\bdenied (?:the )?request\b/.test(message);
    const refuses = isPolicy ? 'does not allow it' : "refuses Kubeocean's own credential";
    return new Refusal(502, `the worker cluster ${refuses}: ${message}`);
  }
  // Home's pod has one: its vnode.
  const said = message.replace(
    / does not have a host assigned$/,
    ' has not been given a node by the worker cluster yet',
  );
  return new Refusal(code >= 400 ? code : 502, said || `the worker cluster answered ${code}`);
}

/** Sends the 101 and joins the two sides. @param kind what runs in the session: the end of a command is told. */
export function join(
  client: Socket,
  switched: Switched,
  kind: SessionKind,
  told: Pick<SpliceOptions, 'onActivity' | 'onHeard'> = {},
): Splice {
  client.write(switched.answer);
  const follow = () => followFrames(switched.upgrade, switched.protocol);
  return splice(client, switched.socket, switched.head, {
    frames: { up: follow(), down: follow() },
    tell: kind !== 'portForward',
    ...told,
  });
}
