/**
 * Copies of home's ConfigMaps and Secrets, one at a time: made for a pod, brought up to date while a worker pod has them,
 * put right when somebody else wrote them, removed when home or the last pod is done with them.
 */
import { Annotation, Label, tokenSecretName, workerName } from '@kubeocean/shared/api';
import {
  ApiError,
  type Change,
  ConfigMaps,
  isNotFound,
  type KubeObject,
  messageOf,
  type Outcome,
  type ReadonlyStore,
  Secrets,
  splitKey,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { WritesHeld } from '../pods/gate.ts';
import { type Pod, podSubject } from '../pods/types.ts';
import { wordsFor } from '../pods/words.ts';
import type { Repairs } from '../repairs.ts';
import type { Holders } from './holders.ts';
import { type DependentReference, referencesOf } from './references.ts';
import type { Tokens } from './tokens.ts';
import { isAsMade, NEVER_COPIED, toCopy, versionOf } from './to-worker.ts';
import { ForeignObject, removeCopy, writeCopy } from './write-copy.ts';
import type { Written } from './written.ts';

export type Kind = DependentReference['kind'];
export const KINDS: readonly Kind[] = ['configmap', 'secret'];
const RESOURCES = { configmap: ConfigMaps, secret: Secrets } as const;

/** Something that a pod needs and that is not in the worker. */
export interface Missing {
  message: string;
  /** It does not exist, and may come; otherwise it must not be brought, or another's object stands in its place. */
  absent: boolean;
}

export interface Copies {
  /** Makes or updates the copy. @returns why it is not there; undefined when it is. @throws ApiError, ConnectionError, WritesHeld */
  ensure(kind: Kind, namespace: string, name: string): Promise<Missing | undefined>;
  /** Takes note of a change of a copy. @returns whether the copy is to be looked at */
  noticed(kind: Kind, change: Change<KubeObject>): boolean;
  /** Keeps the copy `kind/name` in step with home and with who needs it. @throws ApiError, ConnectionError */
  sync(copy: string): Promise<Outcome>;
}

export interface CopiesParts {
  context: SyncerContext;
  /** ConfigMaps and Secrets of home, as metadata. */
  sources: Record<Kind, ReadonlyStore<KubeObject>>;
  written: Record<Kind, Written>;
  holders: Holders;
  tokens: Tokens;
  repairs: Repairs;
}

const HELD_MS = 5000;
/** Answers that are a server's own word on what it was asked to write. */
const REFUSALS = [400, 403, 413, 422, 500];
/** Pods that are told of a refusal; the object itself is told as well. */
const TOLD_MOST = 10;

export function createCopies({ context, sources, written, holders, tokens, repairs }: CopiesParts): Copies {
  const { bindingUID, mountNamespace } = context;
  /** Token Secrets and copies that somebody else wrote. */
  const suspects = new Set<string>();
  /** UIDs of copies that went, or lost their label, while a pod needs them. */
  const former = new Map<string, string | undefined>();
  /** UIDs of copies that were removed because home has no more what they were made of; the watch has yet to tell. */
  const withdrawn = new Set<string | undefined>();
  /** What was last told of a copy that cannot be brought up to date. */
  const told = new Map<string, string>();

  async function sync(copy: string): Promise<Outcome> {
    const { namespace: kindText, name } = splitKey(copy);
    const kind = kindText as Kind;
    try {
      if (!holders.isHeld(copy)) return await remove(kind, name, copy);
      const holder = tokenHolder(kind, name);
      if (holder) return await checkTokens(copy, name, holder);
      const source = sourceOf(kind, name);
      if (!source) return undefined;
      if (!holders.isInUse(copy)) {
        // A pod that is not made yet gets its copies just before. One that is there already is for a pod on its way.
        const isThere = await written[kind].alone(name, async () => written[kind].latest(name) !== undefined);
        if (!isThere) return undefined;
      }
      const problem = await ensure(kind, source.namespace, source.name);
      if (problem) context.log.info({ copy, problem: problem.message }, 'not copied');
      if (problem && !problem.absent) tell(kind, copy, source, problem.message);
      else told.delete(copy);
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: HELD_MS };
      const source = isRefusal(error) ? sourceOf(kind, name) : undefined;
      if (source) tell(kind, copy, source, messageOf(error));
      throw error;
    }
    return undefined;
  }

  function isRefusal(error: unknown): boolean {
    const ofWorker = error instanceof ApiError && error.path.includes(`/namespaces/${mountNamespace}/`);
    return ofWorker && REFUSALS.includes(error.code);
  }

  async function remove(kind: Kind, name: string, copy: string): Promise<undefined> {
    await written[kind].alone(name, async () => {
      if (!holders.isHeld(copy)) await removeCopy(context, RESOURCES[kind], written[kind], name);
    });
    suspects.delete(copy);
    former.delete(copy);
    told.delete(copy);
  }

  /**
   * Pods go on with what the copy had before, or without one: nobody but home's users can know that this is not what they
   * wrote.
   */
  function tell(kind: Kind, copy: string, source: { namespace: string; name: string }, why: string): void {
    if (!holders.isInUse(copy) || told.get(copy) === why) return;
    told.set(copy, why);
    const { kind: of } = RESOURCES[kind];
    const had = written[kind].latest(splitKey(copy).name) !== undefined;
    const reason = had ? 'FailedUpdate' : 'FailedDependency';
    const uid = sources[kind].get(`${source.namespace}/${source.name}`)?.metadata.uid;
    const subject = { apiVersion: 'v1', kind: of, metadata: { ...source, ...(uid && { uid }) } };
    const homes = holders.homePods(copy).map((key) => context.stores.homePods.get(key) as Pod | undefined);
    const running = homes.filter((home) => home !== undefined).slice(0, TOLD_MOST);
    let words = why;
    for (const home of running) {
      words = wordsFor(home, context, home)(why);
      const message = had
        ? `the ${of} ${source.name} was changed, but the worker cluster keeps what it had: ${words}`
        : `the worker cluster does not take the ${of} ${source.name}, and the pod goes on without it: ${words}`;
      context.homeEvents.event(podSubject(home), 'Warning', reason, message);
    }
    const pods = `pods on vnodes of the ClusterBinding ${context.bindingName}`;
    const message = had
      ? `${pods} keep what it said before, because the worker cluster does not take the change: ${words}`
      : `${pods} go on without it, because the worker cluster does not take it: ${words}`;
    context.homeEvents.event(subject, 'Warning', reason, message);
  }

  /** The home pod that this Secret holds the tokens of. */
  function tokenHolder(kind: Kind, name: string): Pod | undefined {
    if (kind !== 'secret') return undefined;
    for (const homeKey of holders.homePods(`secret/${name}`)) {
      const home = context.stores.homePods.get(homeKey) as Pod | undefined;
      const { namespace = '', name: pod, uid = '' } = home?.metadata ?? { name: '' };
      if (tokenSecretName(bindingUID, namespace, pod, uid) === name) return home;
    }
    return undefined;
  }

  /** What tokens say cannot be looked up again: a Secret that somebody else wrote gets new ones. */
  async function checkTokens(copy: string, name: string, home: Pod): Promise<Outcome> {
    const isSuspect = suspects.delete(copy);
    const gone = former.has(copy) && holders.isInUse(copy);
    if (!isSuspect && !gone) return undefined;
    let part: 'missing' | 'content' | undefined;
    const needed = () => {
      const latest = written.secret.latest(name);
      if (!latest) part = gone ? 'missing' : undefined;
      else if (!written.secret.isOwn(latest)) part = 'content';
      return part !== undefined;
    };
    await tokens.ensure(home, { needed, formerUID: former.get(copy) });
    former.delete(copy);
    if (!part) return undefined;
    repairs.count('secret', part);
    context.log.warn({ copy }, 'token Secret was changed by hand');
    return undefined;
  }

  /** What the copy is made of: as the pods that need it say, or else as it says itself when that leads to its name. */
  function sourceOf(kind: Kind, name: string): { namespace: string; name: string } | undefined {
    for (const homeKey of holders.homePods(`${kind}/${name}`)) {
      const home = context.stores.homePods.get(homeKey) as Pod | undefined;
      const namespace = home?.metadata.namespace ?? '';
      const reference =
        home &&
        referencesOf(home).objects.find((each) => workerName(bindingUID, namespace, each.name, each.kind) === name);
      if (reference?.kind === kind) return { namespace, name: reference.name };
    }
    const { annotations } = written[kind].latest(name)?.metadata ?? {};
    const namespace = annotations?.[Annotation.virtualNamespace];
    const source = annotations?.[Annotation.virtualName];
    if (!namespace || !source || workerName(bindingUID, namespace, source, kind) !== name) return undefined;
    return { namespace, name: source };
  }

  async function ensure(kind: Kind, namespace: string, name: string): Promise<Missing | undefined> {
    const copy = workerName(bindingUID, namespace, name, kind);
    const resource = RESOURCES[kind];
    return written[kind].alone(copy, async () => {
      const latest = written[kind].latest(copy);
      const known = latest?.metadata.annotations?.[Annotation.sourceVersion];
      const source = sources[kind].get(`${namespace}/${name}`);
      const key = `${kind}/${copy}`;
      suspects.delete(key);
      // What it says of its version is believed only of a copy that we wrote, or have read since somebody else did.
      const suspect = latest !== undefined && !written[kind].isOwn(latest);
      if (!suspect && known && source && known === versionOf(source)) return undefined;
      let object: KubeObject;
      try {
        object = await context.home.get<KubeObject>(resource, namespace, name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // Home itself says so. Without the copy the worker's kubelet does what one at home does: optional files go, others
        // stay as they were mounted, and a container that needs it does not start again.
        if (latest?.metadata.labels?.[Label.bindingUID] === bindingUID) {
          withdrawn.add(latest.metadata.uid);
          await removeCopy(context, resource, written[kind], copy);
          context.log.info({ copy: key }, 'copy removed: home has it no more');
        }
        return { message: `the ${resource.kind} ${namespace}/${name} does not exist`, absent: true };
      }
      const type = object['type'];
      if (kind === 'secret' && typeof type === 'string' && NEVER_COPIED.includes(type)) {
        const message = `the Secret ${namespace}/${name} is of type ${type}, which never leaves this cluster; use a projected serviceAccountToken volume`;
        return { message, absent: false };
      }
      const made = toCopy(object, kind, context);
      const same = known === versionOf(object);
      const changed = suspect && same && !(await isIntact(kind, made));
      if (same && !changed) return undefined;
      const formerUID = former.get(key);
      const missing = former.has(key) && holders.isInUse(key);
      try {
        await writeCopy(context, resource, written[kind], made, formerUID);
        former.delete(key);
        if (changed || missing) {
          repairs.count(kind, missing ? 'missing' : 'content');
          context.log.warn({ copy: key }, 'copy was changed by hand');
        }
      } catch (error) {
        if (error instanceof ForeignObject) return { message: error.message, absent: false };
        throw error;
      }
      return undefined;
    });
  }

  async function isIntact(kind: Kind, made: KubeObject): Promise<boolean> {
    try {
      const copy = await context.worker.get<KubeObject>(RESOURCES[kind], mountNamespace, made.metadata.name);
      if (!isAsMade(copy, made)) return false;
      // Looked at again only when it changes.
      written[kind].note(copy);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  return {
    ensure,
    sync,
    noticed(kind, { previous, current }) {
      const copy = `${kind}/${(current ?? previous)?.metadata.name}`;
      if (!current && withdrawn.delete(previous?.metadata.uid)) return false;
      if (!holders.isHeld(copy) || (current && written[kind].isOwn(current))) return false;
      if (current) suspects.add(copy);
      else former.set(copy, previous?.metadata.uid);
      return true;
    },
  };
}
