/**
 * Copies of home's ConfigMaps and Secrets, one at a time: made for a pod, brought up to date while a worker pod has them,
 * put right when somebody else wrote them, removed when home or the last pod is done with them.
 */
import { Annotation, Label, tokenSecretName, workerName } from '@kubeocean/shared/api';
import {
  ApiError,
  type Change,
  isNotFound,
  type KubeObject,
  messageOf,
  type Outcome,
  type ReadonlyStore,
  splitKey,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { mayWriteWorker, WritesHeld } from '../gate.ts';
import type { Pod } from '../pods/types.ts';
import type { Repairs } from '../repairs.ts';
import type { Holders } from './holders.ts';
import { type Kind, RESOURCES } from './kinds.ts';
import { referencesOf } from './references.ts';
import { isOneRunHere } from './run-here.ts';
import { createTelling } from './telling.ts';
import type { TokenFault, Tokens } from './tokens.ts';
import { isAsMade, NEVER_COPIED, toCopy, versionOf } from './to-worker.ts';
import { ForeignObject, removeCopy, writeCopy } from './write-copy.ts';
import type { Written } from './written.ts';

/** Something that a pod needs and that is not in the worker. */
export interface Missing {
  message: string;
  /** It does not exist, and may come; otherwise it must not be brought, or another's object stands in its place. */
  absent: boolean;
}

export interface Copies {
  /**
   * Makes or updates the copy for a pod that runs here, or is to.
   * @returns why it is not there; undefined when it is
   * @throws ApiError, ConnectionError, WritesHeld
   */
  ensure(kind: Kind, namespace: string, name: string): Promise<Missing | undefined>;
  /**
   * Takes note of a change of a copy.
   * @returns in how many milliseconds the copy is to be looked at; undefined: need not be
   */
  noticed(kind: Kind, change: Change<KubeObject>): number | undefined;
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
  /** Milliseconds, monotonic. */
  clock: () => number;
}

const HELD_MS = 5000;
/** Answers that are a server's own word on what it was asked to write. */
const REFUSALS = [400, 403, 413, 422, 500];
/** A copy is put right at most so often: somebody in the worker may take it back each time. */
const REPAIR_MS = 10_000;

export function createCopies(parts: CopiesParts): Copies {
  const { context, sources, written, holders, tokens, repairs, clock } = parts;
  const { bindingUID, mountNamespace } = context;
  /** Token Secrets and copies that somebody else wrote. */
  const suspects = new Set<string>();
  /** UIDs of copies that went, or lost their label, while a pod needs them. */
  const former = new Map<string, string | undefined>();
  /** UIDs of copies that are to go because home has no more what they were made of, until the watch tells. */
  const withdrawn = new Set<string | undefined>();
  /** Until when a copy that was put right is left as it is, by `clock`. */
  const rests = new Map<string, number>();
  const telling = createTelling({ context, sources, written, holders });

  async function sync(copy: string): Promise<Outcome> {
    const { namespace: kindText, name } = splitKey(copy);
    const kind = kindText as Kind;
    try {
      if (!holders.isHeld(copy)) return await remove(kind, name, copy);
      const holder = tokenHolder(kind, name);
      if (holder) return await checkTokens(copy, holder);
      const source = sourceOf(kind, name);
      if (!source) return undefined;
      if (!holders.isInUse(copy)) {
        // A pod that is not made yet gets its copies just before. One that is there already is for a pod on its way.
        const isThere = await written[kind].alone(name, async () => written[kind].latest(name) !== undefined);
        if (!isThere) return undefined;
      }
      const mayHave = () => isOneRunHere(context, source.namespace, homesOf(copy));
      const problem = await ensure(kind, source.namespace, source.name, mayHave);
      if (problem) context.log.info({ copy, problem: problem.message }, 'not copied');
      if (problem && !problem.absent) telling.tell(kind, copy, source, homesOf(copy), problem.message);
      else telling.forget(copy);
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: HELD_MS };
      const source = isRefusal(error) ? sourceOf(kind, name) : undefined;
      if (source) telling.tell(kind, copy, source, homesOf(copy), messageOf(error));
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
    rests.delete(copy);
    telling.forget(copy);
    if (kind === 'secret') tokens.forget(name);
  }

  /** The home pod that this Secret holds the tokens of. */
  function tokenHolder(kind: Kind, name: string): Pod | undefined {
    if (kind !== 'secret') return undefined;
    return homesOf(`secret/${name}`).find(({ metadata: { namespace = '', name: pod, uid = '' } }) => {
      return tokenSecretName(bindingUID, namespace, pod, uid) === name;
    });
  }

  /**
   * The home pod need not be looked at: its UID is in the name of the Secret, and only a worker that was given the pod
   * knows that.
   */
  async function checkTokens(copy: string, home: Pod): Promise<Outcome> {
    const gone = former.has(copy) && holders.isInUse(copy);
    if (!suspects.has(copy) && !gone) return undefined;
    const uid = former.get(copy);
    const isSuspect = suspects.delete(copy);
    const isFormer = former.delete(copy);
    let fault: TokenFault | undefined;
    try {
      fault = await tokens.repair(home, gone, uid);
    } catch (error) {
      // Nothing else brings it back to mind when it is tried again.
      if (isSuspect) suspects.add(copy);
      if (isFormer && !former.has(copy)) former.set(copy, uid);
      throw error;
    }
    if (!fault) return undefined;
    wasRepaired('secret', copy, fault, 'token Secret was changed by hand');
    return undefined;
  }

  function wasRepaired(kind: Kind, copy: string, part: TokenFault, words: string): void {
    rests.set(copy, clock() + REPAIR_MS);
    repairs.count(kind, part);
    context.log.warn({ copy }, words);
  }

  /** Home's pods that need the copy. */
  function homesOf(copy: string): Pod[] {
    const homes = holders.homePods(copy).map((key) => context.stores.homePods.get(key) as Pod | undefined);
    return homes.filter((home) => home !== undefined);
  }

  /** What the copy is made of, as home's pods say that need it. */
  function sourceOf(kind: Kind, name: string): { namespace: string; name: string } | undefined {
    for (const home of homesOf(`${kind}/${name}`)) {
      const { namespace = '' } = home.metadata;
      const reference = referencesOf(home).objects.find(
        (each) => workerName(bindingUID, namespace, each.name, each.kind) === name,
      );
      if (reference?.kind === kind) return { namespace, name: reference.name };
    }
    return undefined;
  }

  /** @param mayHave whether it may be brought here */
  async function ensure(
    kind: Kind,
    namespace: string,
    name: string,
    mayHave?: () => Promise<boolean>,
  ): Promise<Missing | undefined> {
    const copy = workerName(bindingUID, namespace, name, kind);
    const resource = RESOURCES[kind];
    return written[kind].alone(copy, async () => {
      const latest = written[kind].latest(copy);
      const known = latest?.metadata.annotations?.[Annotation.sourceVersion];
      const source = sources[kind].get(`${namespace}/${name}`);
      const key = `${kind}/${copy}`;
      suspects.delete(key);
      if (latest) former.delete(key);
      // What it says of its version is believed only of a copy that we wrote, or have read since somebody else did.
      const suspect = latest !== undefined && !written[kind].isOwn(latest);
      if (!suspect && known && source && known === versionOf(source)) return undefined;
      let object: KubeObject;
      // Home is not asked for a megabyte that must not be written now.
      mayWriteWorker(context);
      try {
        object = await context.home.get<KubeObject>(resource, namespace, name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // Home itself says so. Without the copy the worker's kubelet does what one at home does: optional files go, others
        // stay as they were mounted, and a container that needs it does not start again.
        if (latest?.metadata.labels?.[Label.bindingUID] === bindingUID) {
          // Whatever is answered: it may be done all the same.
          withdrawn.add(latest.metadata.uid);
          await removeCopy(context, resource, written[kind], copy);
          context.log.info({ copy: key }, 'copy removed: home has it no more');
        }
        return { message: `the ${resource.kind} ${namespace}/${name} does not exist`, absent: true };
      }
      withdrawn.delete(latest?.metadata.uid);
      if (mayHave && !(await mayHave())) return undefined;
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
        // One that went meanwhile is another matter.
        if (former.get(key) === formerUID) former.delete(key);
        if (changed || missing) {
          wasRepaired(kind, key, missing ? 'missing' : 'content', 'copy was changed by hand');
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
      if (!current && withdrawn.delete(previous?.metadata.uid)) return undefined;
      if (!holders.isHeld(copy) || (current && written[kind].isOwn(current))) return undefined;
      if (current) suspects.add(copy);
      else former.set(copy, previous?.metadata.uid);
      return Math.max(0, (rests.get(copy) ?? 0) - clock());
    },
  };
}
