/**
 * ServiceAccount tokens of the pods in the worker: asked for at home, bound to the home pod, kept in one Secret per pod
 * and renewed after 80 % of their life. When the home pod goes, home's API server stops accepting them at once.
 *
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
 */
import { Annotation, tokenSecretName } from '@kubeocean/shared/api';
import {
  ApiError,
  isNotFound,
  type KubeObject,
  messageOf,
  Secrets,
  ServiceAccounts,
  splitKey,
  WorkQueue,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { fewAtOnce } from '../few.ts';
import { mayWriteWorker, WritesHeld } from '../gate.ts';
import { isTerminal, type Pod, podSubject } from '../pods/types.ts';
import { referencesOf, type TokenSource } from './references.ts';
import { contentOf, LATEST_RENEWAL_MS, renewalTime, tokenSeconds, toTokenSecret } from './to-worker.ts';
import { writeCopy } from './write-copy.ts';
import type { Written } from './written.ts';

interface TokenRequest extends KubeObject {
  /** In an answer: how long the token lives, which may be less than what was asked for. */
  spec?: { expirationSeconds?: number };
  status?: { token: string };
}

/** What was wrong with a token Secret that somebody else wrote or took away. */
export type TokenFault = 'missing' | 'content';

export interface Tokens {
  /** Makes the pod's token Secret if it is missing or due. @throws ApiError, ConnectionError, ForeignObject */
  ensure(home: Pod): Promise<void>;
  /**
   * Looks at the pod's token Secret, which somebody else may have written, and makes it anew with new tokens unless it still
   * says what it should.
   * @param isNeeded whether one that is not there is to be made
   * @param formerUID as for {@link writeCopy}
   * @returns what was wrong with it
   * @throws ApiError, ConnectionError, ForeignObject, WritesHeld
   */
  repair(home: Pod, isNeeded: boolean, formerUID: string | undefined): Promise<TokenFault | undefined>;
  /** No pod needs the Secret of this name any more. */
  forget(secret: string): void;
  /** Whether {@link ensure} will ask home for a token of the pod: it gives none for a pod that is gone or another. */
  willAsk(home: Pod): boolean;
  /** Keeps the tokens of a pod that runs renewed until it is gone. */
  follow(homeKey: string): void;
  stop(): Promise<void>;
}

const RETRY_MS = 60_000;
/** Until it is looked again, at the least, whether the worker may be written to. A token is good for a while after it is due. */
const HELD_MS = 10_000;
/** How often it is looked whether the time of day has gone further than our timers, and by how much that counts. */
const LOOK_EVERY_MS = 30_000;
const JUMP_MS = 2000;

/** Whether home gave no token because the pod it was to be bound to is gone, or another of its name by now. */
export function isForNoPod(error: unknown): boolean {
  if (!(error instanceof ApiError) || !error.path.endsWith('/token')) return false;
  return error.code === 409 || (error.code === 404 && error.status.details?.['kind'] === 'pods');
}

export function createTokens(context: SyncerContext, written: Written): Tokens {
  const queue = new WorkQueue(renew, {
    ...context.queue('tokens'),
    // Ten thousand that are due together are renewed before they end also where each takes half a second.
    workers: 16,
    baseDelayMs: 1000,
    maxDelayMs: RETRY_MS,
    // Home's webhooks may let a namespace wait for its tokens.
    ownerOf: (key) => splitKey(key).namespace,
  });
  queue.start();
  /** UID of the home pod by its key: a pod of the same name may have tokens that are due earlier. */
  const followed = new Map<string, string | undefined>();
  /** What was last written, as a hash, by name of the Secret. Without one, whatever somebody else wrote is replaced. */
  const contents = new Map<string, number>();
  /**
   * When those that we made are due by {@link now}, by name of the Secret. What the Secret itself says of that is for another
   * syncer, by the time of day as it is, which may have been set back since we began.
   */
  const dueAt = new Map<string, number>();
  /** What the time of day was ahead of the monotonic clock, at the most; and at the last look. Milliseconds. */
  let aheadMs = -Infinity;
  let lastAheadMs: number | undefined;
  const looking = setInterval(renewAfterJump, LOOK_EVERY_MS).unref();

  /** Timers stand still while the machine sleeps, and know nothing of a clock that is set forward; tokens end all the same. */
  function renewAfterJump(): void {
    if (lastAheadMs === undefined) return;
    const before = lastAheadMs;
    lastAheadMs = now() - performance.now();
    if (lastAheadMs - before > JUMP_MS) for (const key of followed.keys()) queue.add(key);
  }

  async function renew(key: string): Promise<{ againInMs: number } | undefined> {
    const home = context.stores.homePods.get(key) as Pod | undefined;
    if (!home || isTerminal(home) || referencesOf(home).tokens.length === 0) {
      followed.delete(key);
      return undefined;
    }
    try {
      await ensure(home);
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: HELD_MS * (1 + Math.random()) };
      // The pod is gone at home, which the watch will tell.
      if (isNotFound(error) && home.metadata.deletionTimestamp) return { againInMs: RETRY_MS };
      const text = `the pod's ServiceAccount token could not be renewed: ${messageOf(error)}`;
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedTokenRenewal', text);
      throw error;
    }
    return { againInMs: Math.max(1000, dueIn(home)) };
  }

  function secretNameOf(home: Pod): string {
    const { namespace = '', name, uid = '' } = home.metadata;
    return tokenSecretName(context.bindingUID, namespace, name, uid);
  }

  /** Milliseconds since 1970. A clock that is set back while we run must not let tokens come to their end. */
  function now(): number {
    aheadMs = Math.max(aheadMs, context.now().getTime() - performance.now());
    return aheadMs + performance.now();
  }

  /** Milliseconds until the tokens are to be renewed; not positive when they are due or missing. */
  function dueIn(home: Pod): number {
    const name = secretNameOf(home);
    const renewAt = written.latest(name)?.metadata.annotations?.[Annotation.tokenRenewAt];
    const left = renewAt ? (dueAt.get(name) ?? Date.parse(renewAt)) - now() : 0;
    // Another syncer's clock was ahead of ours, or somebody else wrote it: how old they are is not known.
    return left <= LATEST_RENEWAL_MS ? left : 0;
  }

  function ensure(home: Pod): Promise<void> {
    return alone(home, async () => {
      if (dueIn(home) <= 0) await make(home);
    });
  }

  function repair(home: Pod, isNeeded: boolean, formerUID: string | undefined): Promise<TokenFault | undefined> {
    return alone(home, async () => {
      const fault = await faultOf(secretNameOf(home), isNeeded);
      if (fault || dueIn(home) <= 0) await make(home, formerUID);
      return fault;
    });
  }

  async function alone<T>(home: Pod, work: () => Promise<T>): Promise<T | undefined> {
    return referencesOf(home).tokens.length === 0 ? undefined : written.alone(secretNameOf(home), work);
  }

  async function make(home: Pod, formerUID?: string): Promise<void> {
    // Home signs none for nothing: a claim that is not held, or a worker that is down, may be so for hours, for all pods.
    mayWriteWorker(context);
    const { tokens: sources } = referencesOf(home);
    const [askedAt, askedTime] = [now(), context.now()];
    const answers = await fewAtOnce(sources, (source) => request(home, source));
    const tokens = Object.fromEntries(sources.map(({ key }, at) => [key, answers[at]?.token ?? '']));
    const renewAt = renewalTime(
      answers.map(({ life }) => life),
      askedTime,
    );
    const secret = toTokenSecret(home, tokens, renewAt, context);
    // Before it is written: should the answer get lost, the watch tells of it all the same, and it is no stranger's.
    contents.set(secret.metadata.name, contentOf(secret));
    dueAt.delete(secret.metadata.name);
    await writeCopy(context, Secrets, written, secret, formerUID);
    dueAt.set(secret.metadata.name, askedAt + renewAt.getTime() - askedTime.getTime());
  }

  /** Others may add labels and annotations of their own: new tokens would take them off, and they would come again. */
  async function faultOf(name: string, isNeeded: boolean): Promise<TokenFault | undefined> {
    const latest = written.latest(name);
    if (!latest) return isNeeded ? 'missing' : undefined;
    if (written.isOwn(latest)) return undefined;
    const content = contents.get(name);
    if (content === undefined) return 'content';
    try {
      const now = await context.worker.get<KubeObject>(Secrets, context.mountNamespace, name);
      if (contentOf(now) !== content) return 'content';
      written.note(now);
      return undefined;
    } catch (error) {
      if (isNotFound(error)) return 'missing';
      throw error;
    }
  }

  /** @returns its life in seconds */
  async function request(home: Pod, source: TokenSource): Promise<{ token: string; life: number }> {
    const { namespace = '', name, uid } = home.metadata;
    const expirationSeconds = tokenSeconds(source.expirationSeconds);
    const answer = await context.home.create<TokenRequest>(
      ServiceAccounts,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name: home.spec.serviceAccountName || 'default', namespace },
        spec: {
          ...(source.audience && { audiences: [source.audience] }),
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        },
      },
      { subresource: 'token' },
    );
    if (!answer.status?.token) throw new Error(`the API server gave no token for ${namespace}/${name}`);
    return { token: answer.status.token, life: answer.spec?.expirationSeconds ?? expirationSeconds };
  }

  return {
    ensure,
    repair,
    forget(secret) {
      contents.delete(secret);
      dueAt.delete(secret);
    },
    willAsk: (home) => referencesOf(home).tokens.length > 0 && dueIn(home) <= 0,
    follow(homeKey) {
      const uid = context.stores.homePods.get(homeKey)?.metadata.uid;
      if (followed.has(homeKey) && followed.get(homeKey) === uid) return;
      followed.set(homeKey, uid);
      lastAheadMs ??= now() - performance.now();
      queue.add(homeKey);
    },
    stop() {
      clearInterval(looking);
      return queue.stop();
    },
  };
}
