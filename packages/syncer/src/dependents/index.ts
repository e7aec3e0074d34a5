/**
 * What pods refer to, brought into the mount namespace before them, kept up to date while they run, and removed with the
 * last of them. ConfigMaps and Secrets of home are watched as metadata only and read when a pod refers to them.
 */
import { Annotation, Label, tokenSecretName, workerName } from '@kubeocean/shared/api';
import {
  ConfigMaps,
  createReflector,
  isNotFound,
  type KubeObject,
  messageOf,
  type Outcome,
  type Reflector,
  Secrets,
  splitKey,
  WorkQueue,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { WritesHeld } from '../pods/gate.ts';
import type { Pod } from '../pods/types.ts';
import type { Repairs } from '../repairs.ts';
import { createHolders } from './holders.ts';
import { createLeftovers } from './leftovers.ts';
import { bare, familyOf, ours } from './kept.ts';
import { type DependentReference, referencesOf } from './references.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { isAsMade, NEVER_COPIED, toCopy, versionOf } from './to-worker.ts';
import { ForeignObject, removeCopy, writeCopy } from './write-copy.ts';
import { createWritten } from './written.ts';

type Kind = DependentReference['kind'];
const KINDS: readonly Kind[] = ['configmap', 'secret'];
const RESOURCES = { configmap: ConfigMaps, secret: Secrets } as const;

/** Something that a pod needs and that is not in the worker. */
export interface Missing {
  message: string;
  /** It does not exist, and may come; otherwise it must not be brought, or another's object stands in its place. */
  absent: boolean;
}

export interface Dependents {
  /**
   * Brings everything the pod needs to the worker.
   * @returns what is missing and required; empty when the pod may start.
   * @throws ApiError, ConnectionError, WritesHeld
   */
  prepare(home: Pod): Promise<Missing[]>;
  /** True when something the pod refers to is there at home, and no copy of it in the worker. */
  lacks(home: Pod): boolean;
  tokens: Tokens;
  /** Looks at every copy again, its content too, and puts right what is not as it was made. */
  sweep(): void;
  stop(): Promise<void>;
}

export interface DependentsOptions {
  /** Told of home pods that may have waited for an object which is there now. */
  onAppeared: (homeKey: string) => void;
  signal: AbortSignal;
  /** Resolves when the context's stores have synced and the claim is held, or the signal has aborted. */
  ready: Promise<unknown>;
  repairs: Repairs;
}

/** Resolves when everything is known that is to be known; nothing is written before. */
export async function startDependents(context: SyncerContext, options: DependentsOptions): Promise<Dependents> {
  const { bindingUID, mountNamespace } = context;
  const reflect = (resource: typeof ConfigMaps, where: 'home' | 'worker'): Reflector<KubeObject> => {
    const reflector = createReflector(context[where], {
      resource,
      metadataOnly: true,
      project: where === 'home' ? bare : ours,
      ...(where === 'worker' && {
        namespace: mountNamespace,
        labelSelector: `${Label.bindingUID}=${bindingUID}`,
        familyOf,
      }),
      onError: (error, doing) =>
        context.log.warn({ kind: resource.kind, where, doing, error: messageOf(error) }, 'watching dependents'),
    });
    void reflector.run(options.signal);
    return reflector;
  };
  const sources = { configmap: reflect(ConfigMaps, 'home').store, secret: reflect(Secrets, 'home').store };
  const copies = { configmap: reflect(ConfigMaps, 'worker').store, secret: reflect(Secrets, 'worker').store };
  await Promise.all([...Object.values(sources), ...Object.values(copies)].map((store) => store.synced));
  await options.ready;

  const written = {
    configmap: createWritten(copies.configmap, mountNamespace),
    secret: createWritten(copies.secret, mountNamespace),
  };
  const tokens = createTokens(context, written.secret);
  const queue = new WorkQueue(sync, { ...context.queue('dependents'), workers: 8, maxDelayMs: 30_000 });
  const leftovers = createLeftovers((copy) => queue.add(copy));
  const holders = createHolders(context.stores, bindingUID, (copy) => leftovers.add(copy));

  /** Token Secrets that somebody else wrote. */
  const suspects = new Set<string>();
  /** UIDs of copies that went, or lost their label, while a pod needs them. */
  const former = new Map<string, string | undefined>();
  /** UIDs of copies that were removed because home has no more what they were made of; the watch has yet to tell. */
  const withdrawn = new Set<string | undefined>();

  for (const kind of KINDS) {
    copies[kind].onChange(({ previous, current }) => {
      const copy = `${kind}/${(current ?? previous)?.metadata.name}`;
      if (!current && withdrawn.delete(previous?.metadata.uid)) return;
      if (!holders.isHeld(copy) || (current && written[kind].isOwn(current))) return;
      if (current) suspects.add(copy);
      else former.set(copy, previous?.metadata.uid);
      queue.add(copy);
    });
    sources[kind].onChange(({ previous, current, key }) => {
      const { namespace, name } = splitKey(key);
      const copy = `${kind}/${workerName(bindingUID, namespace, name, kind)}`;
      if (!holders.isHeld(copy)) return;
      if (holders.isInUse(copy)) queue.add(copy);
      if (current && !previous) for (const homeKey of holders.homePods(copy)) options.onAppeared(homeKey);
    });
    // What changed or lost its last pod while nobody watched.
    for (const { metadata } of copies[kind].values()) queue.add(`${kind}/${metadata.name}`);
  }
  queue.start();

  /** Keeps one copy in step: up to date while a worker pod has it, gone when no pod needs it. */
  async function sync(copy: string): Promise<Outcome> {
    const { namespace: kindText, name } = splitKey(copy);
    const kind = kindText as Kind;
    try {
      if (!holders.isHeld(copy)) {
        await written[kind].alone(name, async () => {
          if (!holders.isHeld(copy)) await removeCopy(context, RESOURCES[kind], written[kind], name);
        });
        suspects.delete(copy);
        former.delete(copy);
        return undefined;
      }
      const holder = tokenHolder(kind, name);
      if (holder) return await checkTokens(copy, name, holder);
      const source = sourceOf(kind, name);
      if (!source) return undefined;
      const problem = await ensure(kind, source.namespace, source.name);
      if (problem) context.log.info({ copy, problem: problem.message }, 'not copied');
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: 5000 };
      throw error;
    }
    return undefined;
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
    const told = suspects.delete(copy);
    const gone = former.has(copy) && holders.isInUse(copy);
    if (!told && !gone) return undefined;
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
    options.repairs.count('secret', part);
    context.log.warn({ copy }, 'token Secret was changed by hand');
    return undefined;
  }

  /** What the copy is made of: as the pods that need it say, or else as it says itself when that leads to its name. */
  function sourceOf(kind: Kind, name: string): { namespace: string; name: string } | undefined {
    for (const homeKey of holders.homePods(`${kind}/${name}`)) {
      const home = context.stores.homePods.get(homeKey) as Pod | undefined;
      const namespace = home?.metadata.namespace ?? '';
      const reference = home && referencesOf(home).objects.find((each) => copyOf(each.kind, namespace, each) === name);
      if (reference?.kind === kind) return { namespace, name: reference.name };
    }
    const { annotations } = written[kind].latest(name)?.metadata ?? {};
    const namespace = annotations?.[Annotation.virtualNamespace];
    const source = annotations?.[Annotation.virtualName];
    if (!namespace || !source || workerName(bindingUID, namespace, source, kind) !== name) return undefined;
    return { namespace, name: source };
  }

  function copyOf(kind: Kind, namespace: string, { name }: { name: string }): string {
    return workerName(bindingUID, namespace, name, kind);
  }

  /** Makes or updates the copy. @returns why it is not there; undefined when it is. */
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
          options.repairs.count(kind, missing ? 'missing' : 'content');
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
    tokens,
    sweep() {
      for (const kind of KINDS) {
        for (const { metadata } of copies[kind].values()) queue.add(`${kind}/${metadata.name}`);
      }
    },
    lacks(home) {
      const { namespace = '' } = home.metadata;
      return referencesOf(home).objects.some(
        ({ kind, name }) =>
          sources[kind].has(`${namespace}/${name}`) &&
          !written[kind].latest(workerName(bindingUID, namespace, name, kind)),
      );
    },
    async prepare(home) {
      const { namespace = '' } = home.metadata;
      const [problems] = await Promise.all([
        Promise.all(
          referencesOf(home).objects.map(async ({ kind, name, required }) => {
            const problem = await ensure(kind, namespace, name);
            return required ? problem : undefined;
          }),
        ),
        tokens.ensure(home),
      ]);
      return problems.filter((problem) => problem !== undefined);
    },
    async stop() {
      holders.stop();
      leftovers.stop();
      await Promise.all([queue.stop(), tokens.stop()]);
    },
  };
}
