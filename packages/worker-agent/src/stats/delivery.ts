/**
 * Answers on their way to tenants. The process that gives them also enforces leases, and a tenant may ask for much and
 * read nothing: so each has only so many requests open, all together hold only so many bytes, pieces are written as they
 * are read, and whoever takes too long is cut off.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { StatsRefusal } from './refusal.ts';

export interface DeliveryLimits {
  /** Requests of one tenant that wait or are answered. A proxier asks for eight at once, and there are two as a rule. */
  perTenant: number;
  /** Bytes of answers being written, of all tenants. One answer that several read counts once. */
  bytes: number;
  /** Longest that writing an answer may take, in milliseconds. */
  deadlineMs: number;
}

export interface Place {
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** Answers with 200. The body must not change afterwards. */
  send(type: string, body: Buffer): void;
}

export interface Delivery {
  /** Takes a place for a request, given free at its end. @throws StatsRefusal 429 when the tenant has all of its own. */
  admit(tenant: string, socket: Socket, response: ServerResponse): Place;
  /** A connection is over, with all that was asked through it. */
  closed(socket: Socket): void;
}

interface Answer {
  tenant: string;
  socket: Socket;
  gone: AbortController;
  body?: Buffer;
  timer?: NodeJS.Timeout;
}

const USUAL: DeliveryLimits = { perTenant: 64, bytes: 64 * 1024 * 1024, deadlineMs: 30_000 };

/** What is handed to a connection at once: it keeps a copy of its own until the other side has read it. */
const PIECE = 64 * 1024;

export function createDelivery(limits: DeliveryLimits = USUAL): Delivery {
  /** By tenant, the oldest first. */
  const open = new Map<string, Set<Answer>>();
  /** How many answers write a text. */
  const writers = new Map<Buffer, number>();
  let bytes = 0;

  function leave(answer: Answer): void {
    const own = open.get(answer.tenant);
    if (!own?.delete(answer)) return;
    if (own.size === 0) open.delete(answer.tenant);
    clearTimeout(answer.timer);
    answer.gone.abort();
    if (!answer.body) return;
    const left = (writers.get(answer.body) ?? 1) - 1;
    if (left > 0) writers.set(answer.body, left);
    else {
      writers.delete(answer.body);
      bytes -= answer.body.length;
    }
  }

  function cut(answer: Answer): void {
    answer.socket.destroy();
    leave(answer);
  }

  /** Whoever holds most loses what it has been reading for longest: others are not to suffer for it. */
  function makeRoom(): void {
    while (bytes > limits.bytes) {
      let [victim, most]: [Answer | undefined, number] = [undefined, 0];
      for (const own of open.values()) {
        const bodies = [...own].flatMap((answer) => (answer.body ? [answer.body] : []));
        const held = [...new Set(bodies)].reduce((sum, body) => sum + body.length, 0);
        if (held > most) [victim, most] = [[...own].find(({ body }) => body), held];
      }
      if (!victim) return;
      cut(victim);
    }
  }

  return {
    admit(tenant, socket, response) {
      const own = open.get(tenant) ?? new Set();
      if (own.size >= limits.perTenant) {
        throw new StatsRefusal(
          429,
          `namespace ${tenant} waits for ${limits.perTenant} answers already: try again later`,
        );
      }
      const answer: Answer = { tenant, socket, gone: new AbortController() };
      open.set(tenant, own.add(answer));
      response.once('close', () => leave(answer));
      return {
        gone: answer.gone.signal,
        send(type, body) {
          if (answer.gone.signal.aborted) return;
          answer.body = body;
          answer.timer = setTimeout(() => cut(answer), limits.deadlineMs);
          const writing = writers.get(body) ?? 0;
          writers.set(body, writing + 1);
          if (writing === 0) bytes += body.length;
          makeRoom();
          if (answer.gone.signal.aborted) return;
          response.writeHead(200, { 'content-type': type, 'content-length': body.length });
          writeInPieces(response, body);
        },
      };
    },
    closed(socket) {
      for (const own of open.values()) for (const answer of own) if (answer.socket === socket) leave(answer);
    },
  };
}

function writeInPieces(response: ServerResponse, body: Buffer): void {
  let at = 0;
  function go(): void {
    while (at < body.length) {
      const piece = body.subarray(at, at + PIECE);
      at += piece.length;
      if (!response.write(piece)) {
        response.once('drain', go);
        return;
      }
    }
    response.end();
  }
  go();
}
