/** Answers the requests that passed the gate. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Logger, Registry } from '@kubeocean/shared/daemon';
import { jsonText, messageOf } from '@kubeocean/shared/kube';
import type { StatsPath } from '@kubeocean/shared/stats';
import { METHOD_NOT_ALLOWED, type Refusal, toRefusal, Refusal as Refused } from '../errors.ts';
import type { Admitted, Gate } from './gate.ts';
import { reasonOf } from './arguments.ts';
import { streamLogs } from './logs.ts';
import { asRunningPod, type Clusters, type Counterpart, findCounterpart, podsOf } from './pods.ts';
import { createTellRefusal } from './refusals-told.ts';
import { logQuery, type Route, type SessionKind, sessionQuery } from './routes.ts';
import type { Session, SessionFacts, Sessions } from './sessions.ts';
import type { Stats } from '../stats/index.ts';
import { checkUpgrade, join, openUpstream } from './upgrade.ts';

export interface HandlerOptions {
  clusters: Clusters;
  gate: Gate;
  sessions: Sessions;
  stats: Stats;
  log: Logger;
  registry: Registry;
  userAgent: string;
}

export interface Handlers {
  onRequest(request: IncomingMessage, response: ServerResponse): void;
  onUpgrade(request: IncomingMessage, socket: TLSSocket, head: Buffer): void;
}

/** Within so long, in milliseconds, the answer to an upgrade that is refused has to be read. */
const REFUSED_MS = 10_000;

type SessionRoute = Route & { kind: SessionKind };

export function createHandlers(options: HandlerOptions): Handlers {
  const { clusters, gate, sessions } = options;
  const tell = createTellRefusal(options.log, options.registry);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const admitted = await gate(request);
    const { route, vnode } = admitted;
    if (route.kind === 'unknown') throw new Refused(404, '404 page not found');
    const getsOrPosts = request.method === 'GET' || request.method === 'POST';
    if (isSession(route) && getsOrPosts) throw new Refused(400, 'Upgrade request required');
    // Kubelets answer for their health whatever the method.
    if (isSession(route) || (request.method !== 'GET' && route.kind !== 'healthz')) {
      throw new Refused(405, METHOD_NOT_ALLOWED);
    }
    switch (route.kind) {
      case 'healthz':
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok');
        return;
      case 'pods':
        sendList(response, await podsOf(clusters.home, vnode));
        return;
      case 'runningpods': {
        const pods = await podsOf(clusters.home, vnode);
        sendList(
          response,
          pods.map(asRunningPod).filter((pod) => pod !== undefined),
        );
        return;
      }
      case 'stats': {
        await metrics(vnode, route.path, response);
        return;
      }
      case 'logs':
        await logs(admitted, route, response);
        return;
    }
  }

  async function metrics(vnode: string, path: StatsPath, response: ServerResponse): Promise<void> {
    if (response.destroyed) return;
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('client gone')));
    try {
      const { type, text } = await options.stats.get(vnode, path, gone.signal);
      response.writeHead(200, { 'content-type': type }).end(text);
    } catch (error) {
      // Nothing was refused to somebody who left.
      if (!gone.signal.aborted) throw error;
    }
  }

  async function logs(admitted: Admitted, route: Route & { kind: 'logs' }, response: ServerResponse): Promise<void> {
    const query = logQuery(admitted.query, route.container);
    const counterpart = await findCounterpart(clusters, admitted.vnode, route);
    const gone = new AbortController();
    // 'close' comes after a complete answer as well; aborting then does nothing.
    response.on('close', () => gone.abort(new Error('client gone')));
    if (response.destroyed) return;
    const session = sessions.open(facts(admitted, route, counterpart), (reason) => {
      gone.abort(new Error(reason));
      // Who has been sent nothing yet is told why, below.
      if (response.headersSent) response.destroy();
    });
    try {
      const end = await streamLogs(
        {
          transport: clusters.worker.transport,
          namespace: clusters.binding.mountNamespace,
          pod: counterpart.name,
          homePod: route.pod,
          query,
          signal: gone.signal,
          onBytes: () => {
            session.active();
            session.heard();
          },
        },
        response,
      );
      session.end(end);
    } catch (error) {
      // Also of a container that has written nothing yet.
      const refusal = endWithout(session, gone.signal, error, '');
      if (refusal) throw refusal;
      if (!response.destroyed) throw new Refused(503, `the log has ended: ${messageOf(gone.signal.reason)}`);
    }
  }

  async function upgrade(request: IncomingMessage, client: TLSSocket, head: Buffer): Promise<void> {
    // Rights of sessions are asked about each time; the pods are looked up in the same moment.
    let looking: Promise<Counterpart> | undefined;
    const admitted = await gate(request, (known) => {
      if (isSession(known.route)) looking = findCounterpart(clusters, known.vnode, known.route);
      looking?.catch(() => undefined);
    });
    const { route } = admitted;
    if (route.kind === 'unknown') throw new Refused(404, '404 page not found');
    if (!isSession(route)) throw new Refused(400, 'this path is not one to upgrade');
    const protocol = checkUpgrade(request, head);
    const query = sessionQuery(route, admitted.query);
    const counterpart = await (looking ?? findCounterpart(clusters, admitted.vnode, route));
    if (client.destroyed) return;
    const gone = new AbortController();
    let kill = (reason: string) => {
      gone.abort(new Error(reason));
      client.destroy();
    };
    const session = sessions.open(facts(admitted, route, counterpart), (reason) => kill(reason));
    const giveUp = () => gone.abort(new Error('client gone'));
    client.once('close', giveUp);
    try {
      const switched = await openUpstream({
        transport: clusters.worker.transport,
        namespace: clusters.binding.mountNamespace,
        pod: counterpart.name,
        kind: route.kind,
        query,
        upgrade: protocol,
        request,
        userAgent: options.userAgent,
        signal: gone.signal,
      });
      client.off('close', giveUp);
      // The connection is this session's from now on; the look-up for the next one is not to wait for a handshake either.
      void clusters.worker.transport.keepOneReady();
      if (client.destroyed) {
        switched.socket.on('error', () => undefined).destroy();
        session.end({ bytesUp: 0, bytesDown: 0, reason: 'client gone' });
        return;
      }
      const joined = join(client, switched, route.kind, {
        onActivity: session.active,
        onHeard: session.heard,
      });
      kill = joined.kill;
      session.end(await joined.done);
    } catch (error) {
      const refusal = endWithout(session, gone.signal, error, request.url ?? '');
      if (!refusal) return;
      const inHomeWords = refusal.message
        .replaceAll(`${counterpart.name}_${clusters.binding.mountNamespace}`, `${route.pod}_${route.namespace}`)
        .replaceAll(counterpart.name, route.pod);
      throw new Refused(refusal.code, inHomeWords, { cause: error });
    }
  }

  return {
    onRequest(request, response) {
      request.resume();
      response.on('error', () => undefined);
      answer(request, response).catch((error: unknown) => {
        const refusal = toRefusal(error);
        tell(refusal, request);
        if (response.headersSent || response.destroyed) response.destroy();
        else sendRefusal(response, request.url?.startsWith('/containerLogs/') ? withWords(refusal) : refusal);
      });
    },
    onUpgrade(request, socket, head) {
      // From here on the socket is ours; without a listener an error on it would end the process.
      socket.on('error', () => undefined);
      upgrade(request, socket, head).catch((error: unknown) => {
        const refusal = toRefusal(error);
        tell(refusal, request);
        if (socket.destroyed) return;
        // Not by its silence: who goes on sending, whatever it may be, would keep the connection for ever.
        const over = setTimeout(() => socket.destroy(), REFUSED_MS);
        socket.once('close', () => clearTimeout(over));
        // Read to the end: closing a socket with unread bytes would reset it and could take the answer along.
        socket.resume();
        socket.end(rawAnswer(refusal));
      });
    },
  };
}

/** Ends a session that never began. @returns what to answer; nothing where nobody waits for it any more, so that nothing was refused */
function endWithout(session: Session, gone: AbortSignal, error: unknown, url: string): Refusal | undefined {
  const refusal = gone.aborted ? undefined : toRefusal(error);
  const reason = refusal ? reasonOf(refusal, url) : messageOf(gone.reason);
  session.end({ bytesUp: 0, bytesDown: 0, reason });
  return refusal;
}

function isSession(route: Route): route is SessionRoute {
  return route.kind === 'exec' || route.kind === 'attach' || route.kind === 'portForward';
}

function facts(
  admitted: Admitted,
  route: SessionRoute | (Route & { kind: 'logs' }),
  { name: workerPod, homeUID: podUID }: Counterpart,
): SessionFacts {
  const command = route.kind === 'exec' ? admitted.query.get('command')?.slice(0, 200) : undefined;
  return {
    verb: route.kind,
    vnode: admitted.vnode,
    user: admitted.user,
    namespace: route.namespace,
    pod: route.pod,
    podUID,
    workerPod,
    ...('container' in route && { container: route.container }),
    ...(command !== undefined && { command }),
  };
}

function sendList(response: ServerResponse, items: object[]): void {
  const list = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
  response.writeHead(200, { 'content-type': 'application/json' }).end(jsonText(list));
}

/**
 * Of these an API server that was asked for a log says no more than what the number means; those of a 502 it passes on
 * (apiserver, GenericHttpResponseChecker).
 */
const WORDLESS: readonly number[] = [429, 503, 504];

function withWords(refusal: Refusal): Refusal {
  return WORDLESS.includes(refusal.code) ? new Refused(502, refusal.message, { cause: refusal }) : refusal;
}

function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  response.writeHead(refusal.code, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...(refusal.code === 401 && { connection: 'close' }),
  });
  response.end(`${refusal.message}\n`);
}

/**
 * The answer to an upgrade that is refused. What a kubelet says of the protocol is plain text, as there. What we have to say
 * (502, 503), and what has a colon, is a Status: kubectl reads `this: that` as YAML, finds an empty Status in it, and then has
 * no words of the refusal at all (apimachinery, httpstream/spdy roundtripper).
 */
function rawAnswer(refusal: Refusal): string {
  const { code, message } = refusal;
  const ours = code === 502 || code === 503;
  const kubelets = message === METHOD_NOT_ALLOWED || message.startsWith('unable to upgrade: ');
  const asStatus = ours || (message.includes(': ') && !kubelets);
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: refusal.message,
    code: refusal.code,
  };
  const body = asStatus ? `${JSON.stringify(status)}\n` : `${refusal.message}\n`;
  return [
    `HTTP/1.1 ${refusal.code} ${STATUS_CODES[refusal.code] ?? 'Error'}`,
    `Content-Type: ${asStatus ? 'application/json' : 'text/plain; charset=utf-8'}`,
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
