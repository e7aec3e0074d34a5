/**
 * The sessions that are open now: log streams, exec, attach, port-forward. Each has an audit line at its end. Bounded
 * per vnode and in total, so that one user cannot take the proxier from the others; ended when their pod or vnode goes,
 * when a limit of time says so and, after the time to drain, when the process stops.
 */
import { Counter, Gauge, type Logger, type Registry } from '@kubeocean/shared/daemon';
import type { User } from '../auth/authenticate.ts';
import { Refusal } from '../errors.ts';
import type { PodWatch } from './pod-watch.ts';
import type { WorkerWatch } from './worker-watch.ts';

export interface SessionFacts {
  verb: string;
  vnode: string;
  user: User;
  namespace: string;
  pod: string;
  /** UID of the home pod. */
  podUID: string;
  workerPod: string;
  container?: string;
  /** argv[0] only: arguments may hold secrets. */
  command?: string;
}

export interface SessionEnd {
  bytesUp: number;
  bytesDown: number;
  reason: string;
}

export interface Session {
  /** Something was sent or received: the session is not idle. */
  active: () => void;
  /** Something came from the worker, be it a ping. */
  heard: () => void;
  /** Writes the audit line and gives the place free. A second call does nothing. */
  end(how: SessionEnd): void;
}

export interface Sessions {
  /**
   * Takes a place. `kill` must end the session at once; it is called with the reason.
   * @throws Refusal 429 when the vnode has its share of sessions, 503 when the proxier has, or stops.
   */
  open(facts: SessionFacts, kill: (reason: string) => void): Session;
  readonly size: number;
  killVnode(vnode: string, reason: string): void;
  /** Opens no other from then on: nobody would end it, nor write its audit line. */
  killAll(reason: string): void;
  /** Resolves when no session is open. */
  empty(): Promise<void>;
}

export interface SessionOptions {
  total: number;
  perVnode: number;
  /** Seconds after which a session in which nothing passes is ended; 0 or none: never. */
  idleSeconds?: number;
  /** Seconds after which any session is ended; 0 or none: never. */
  maxSeconds?: number;
  /** Calls `gone` when the home pod is no more. */
  watchPod?: PodWatch['watch'];
  /** Calls back when the worker does not answer any more. */
  watchWorker?: WorkerWatch['watch'];
  log: Logger;
  registry: Registry;
}

export function createSessions(options: SessionOptions): Sessions {
  const open = new Map<symbol, { vnode: string; kill: (reason: string) => void }>();
  let waiting: (() => void)[] = [];
  let over: string | undefined;
  const gauge = new Gauge({
    name: 'kubeocean_proxier_sessions',
    help: 'Sessions open now',
    labelNames: ['verb'],
    registers: [options.registry],
  });
  const ended = new Counter({
    name: 'kubeocean_proxier_sessions_total',
    help: 'Sessions that have ended',
    labelNames: ['verb'],
    registers: [options.registry],
  });
  const bytes = new Counter({
    name: 'kubeocean_proxier_session_bytes_total',
    help: 'Bytes of ended sessions; up is towards the worker',
    labelNames: ['verb', 'direction'],
    registers: [options.registry],
  });

  function kill(matches: (vnode: string) => boolean, reason: string): void {
    for (const session of open.values()) if (matches(session.vnode)) session.kill(reason);
  }

  /** Sets the timers of a session. @returns what a session calls when it is active, and at its end. */
  function limit({ namespace, pod, podUID, vnode }: SessionFacts, killSession: (reason: string) => void) {
    const { idleSeconds = 0, maxSeconds = 0 } = options;
    let activeAt = performance.now();
    let idle: NodeJS.Timeout | undefined;
    function checkIdle(): void {
      const leftMs = activeAt + idleSeconds * 1000 - performance.now();
      if (leftMs <= 0) killSession(`nothing was sent for ${idleSeconds} s (--session-idle-seconds)`);
      else idle = setTimeout(checkIdle, leftMs);
    }
    if (idleSeconds > 0) checkIdle();
    const over = () => killSession(`open for ${maxSeconds} s (--session-max-seconds)`);
    const max = maxSeconds > 0 ? setTimeout(over, maxSeconds * 1000) : undefined;
    const unwatch = options.watchPod?.({ vnode, namespace, pod, uid: podUID }, () => killSession('the pod is gone'));
    const watched = options.watchWorker?.(killSession);
    return {
      active: () => (activeAt = performance.now()),
      heard: () => watched?.heard(),
      stop() {
        watched?.stop();
        clearTimeout(idle);
        clearTimeout(max);
        unwatch?.();
      },
    };
  }

  return {
    open(facts, killSession) {
      const { verb, vnode, user, namespace, pod, workerPod, container, command } = facts;
      if (over !== undefined) throw new Refusal(503, `${over}: try again`);
      if (open.size >= options.total) {
        throw new Refusal(503, `this proxier has all its ${options.total} sessions open (--session-limit)`);
      }
      const onVnode = [...open.values()].filter((other) => other.vnode === vnode).length;
      if (onVnode >= options.perVnode) {
        throw new Refusal(429, `${vnode} has all its ${options.perVnode} sessions open (--session-limit-per-vnode)`);
      }
      const key = Symbol(verb);
      const started = performance.now();
      open.set(key, { vnode, kill: killSession });
      gauge.inc({ verb });
      const limits = limit(facts, killSession);
      return {
        active: limits.active,
        heard: limits.heard,
        end({ bytesUp, bytesDown, reason }) {
          if (!open.delete(key)) return;
          limits.stop();
          gauge.dec({ verb });
          ended.inc({ verb });
          bytes.inc({ verb, direction: 'up' }, bytesUp);
          bytes.inc({ verb, direction: 'down' }, bytesDown);
          options.log.info(
            {
              audit: 'session',
              verb,
              user: user.name,
              groups: user.groups,
              vnode,
              pod: `${namespace}/${pod}`,
              workerPod,
              container,
              command,
              seconds: Math.round(performance.now() - started) / 1000,
              bytesUp,
              bytesDown,
              reason,
            },
            'session ended',
          );
          if (open.size > 0) return;
          for (const resolve of waiting) resolve();
          waiting = [];
        },
      };
    },
    get size() {
      return open.size;
    },
    killVnode: (vnode, reason) => kill((other) => other === vnode, reason),
    killAll(reason) {
      over = reason;
      kill(() => true, reason);
    },
    empty() {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (open.size === 0) resolve();
      else waiting.push(resolve);
      return promise;
    },
  };
}
