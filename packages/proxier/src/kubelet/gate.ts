/** What every request passes before anything else happens: who calls, which vnode, what exactly, and whether they may. */
import type { IncomingMessage } from 'node:http';
import { createLimiter, type Limiter } from '@kubeocean/shared/daemon';
import { messageOf } from '@kubeocean/shared/kube';
import type { Authenticator, User } from '../auth/authenticate.ts';
import { type Authorizer, questionOf } from '../auth/authorize.ts';
import { Refusal } from '../errors.ts';
import { parseTarget, type Target } from './routes.ts';

export interface Admitted extends Target {
  user: User;
  vnode: string;
}

export interface GateOptions {
  /** False while there is nothing to tell callers apart by. */
  trusted: () => boolean;
  authenticate: Authenticator;
  authorize: Authorizer;
  vnodeOf: (port: number | undefined) => string | undefined;
}

/**
 * `meanwhile` is called with the request of a caller who had the right to another one before, while rights are asked about:
 * what it begins must change nothing, and its outcome must not be told to a caller that is refused. Others cannot make us
 * ask anything of anybody but for their rights.
 */
export type Gate = (request: IncomingMessage, meanwhile?: (known: Admitted) => void) => Promise<Admitted>;

/** Callers who are remembered to have been admitted. In practice there is one, home's API server. */
const MOST_ADMITTED = 100;

/**
 * Any pod of this cluster may knock with the token it has, and for sessions rights are asked about each time. Of one caller who
 * was not admitted before so many questions are asked at once, and so many wait: more would take the connections from the
 * sessions of others.
 */
const STRANGERS = { atOnce: 4, waiting: 1024 };

/** @throws Refusal (from the returned function) 503, 401, 400, 404, 429 or 403, in this order. */
export function createGate(options: GateOptions): Gate {
  const admitted = new Set<string>();
  const strangers = new Map<string, Limiter>();

  async function inTurn(name: string, ask: () => Promise<boolean>): Promise<boolean> {
    if (admitted.has(name)) return ask();
    const full = () => new Refusal(429, 'too many requests at once, try again later');
    const own = strangers.get(name) ?? createLimiter(STRANGERS.atOnce, STRANGERS.waiting, full);
    strangers.set(name, own);
    try {
      return await own.run(ask);
    } finally {
      if (own.size === 0 && strangers.get(name) === own) strangers.delete(name);
    }
  }

  return async (request, meanwhile) => {
    if (!options.trusted()) {
      throw new Refusal(503, 'the client CA of this cluster is not known yet, so nobody can be authenticated');
    }
    const user = await options.authenticate(request).catch((error: unknown) => {
      throw new Refusal(503, `cannot authenticate: ${messageOf(error)}`, { cause: error });
    });
    if (!user) throw new Refusal(401, 'Unauthorized');
    const target = parseTarget(request.url ?? '');
    if (!target) throw new Refusal(400, 'malformed path');
    // Read once: the port may become another vnode's while we ask.
    const vnode = options.vnodeOf(request.socket.localPort);
    if (!vnode) throw new Refusal(404, 'no vnode is served on this port');
    const question = questionOf(request.method ?? '', target.first);
    const asking = inTurn(user.name, () => options.authorize(user, vnode, question));
    if (admitted.has(user.name)) meanwhile?.({ ...target, user, vnode });
    const allowed = await asking.catch((error: unknown) => {
      if (error instanceof Refusal) throw error;
      throw new Refusal(500, `Authorization error (user=${user.name}): ${messageOf(error)}`, { cause: error });
    });
    if (!allowed) {
      admitted.delete(user.name);
      throw new Refusal(
        403,
        `Forbidden (user=${user.name}, verb=${question.verb}, resource=nodes, subresource(s)=[${question.subresources.join(' ')}])`,
      );
    }
    if (admitted.size >= MOST_ADMITTED) admitted.clear();
    admitted.add(user.name);
    return { ...target, user, vnode };
  };
}
