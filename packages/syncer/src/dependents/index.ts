/**
 * What pods refer to, brought into the mount namespace before them, kept up to date while they run, and removed with the
 * last of them. ConfigMaps and Secrets of home are watched as metadata only and read when a pod refers to them.
 */
import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import {
  bareMetadata,
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
import { createHolders } from './holders.ts';
import { type DependentReference, referencesOf } from './references.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { NEVER_COPIED, toCopy, versionOf } from './to-worker.ts';
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
  stop(): Promise<void>;
}

export interface DependentsOptions {
  /** Told of home pods that may have waited for an object which is there now. */
  onAppeared: (homeKey: string) => void;
  signal: AbortSignal;
}

/** Resolves when everything is known that is to be known. */
export async function startDependents(context: SyncerContext, options: DependentsOptions): Promise<Dependents> {
  const { bindingUID, mountNamespace } = context;
  const reflect = (resource: typeof ConfigMaps, where: 'home' | 'worker'): Reflector<KubeObject> => {
    const reflector = createReflector(context[where], {
      resource,
      metadataOnly: true,
      project: where === 'home' ? bare : ours,
      ...(where === 'worker' && { namespace: mountNamespace, labelSelector: `${Label.bindingUID}=${bindingUID}` }),
      onError: (error, doing) =>
        context.log.warn({ kind: resource.kind, where, doing, error: messageOf(error) }, 'watching dependents'),
    });
    void reflector.run(options.signal);
    return reflector;
  };
  const sources = { configmap: reflect(ConfigMaps, 'home').store, secret: reflect(Secrets, 'home').store };
  const copies = { configmap: reflect(ConfigMaps, 'worker').store, secret: reflect(Secrets, 'worker').store };
  await Promise.all([...Object.values(sources), ...Object.values(copies)].map((store) => store.synced));

  const written = {
    configmap: createWritten(copies.configmap, mountNamespace),
    secret: createWritten(copies.secret, mountNamespace),
  };
  const tokens = createTokens(context, written.secret);
  const queue = new WorkQueue(sync, { ...context.queue('dependents'), workers: 8, maxDelayMs: 30_000 });
  const holders = createHolders(context.stores, bindingUID, (copy) => queue.add(copy));

  for (const kind of KINDS) {
    sources[kind].onChange(({ previous, current, key }) => {
      if (!current) return;
      const { namespace, name } = splitKey(key);
      const copy = `${kind}/${workerName(bindingUID, namespace, name, kind)}`;
      if (!holders.isHeld(copy)) return;
      if (holders.isInUse(copy)) queue.add(copy);
      if (!previous) for (const homeKey of holders.homePods(copy)) options.onAppeared(homeKey);
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
        return undefined;
      }
      const annotations = written[kind].latest(name)?.metadata.annotations;
      const namespace = annotations?.[Annotation.virtualNamespace];
      const source = annotations?.[Annotation.virtualName];
      // A token Secret has no source, and an annotation that does not lead to this name is not believed.
      if (!namespace || !source || workerName(bindingUID, namespace, source, kind) !== name) return undefined;
      const problem = await ensure(kind, namespace, source);
      if (problem) context.log.info({ copy, problem: problem.message }, 'copy kept as it is');
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: 5000 };
      throw error;
    }
    return undefined;
  }

  /** Makes or updates the copy. @returns why it is not there; undefined when it is. */
  async function ensure(kind: Kind, namespace: string, name: string): Promise<Missing | undefined> {
    const copy = workerName(bindingUID, namespace, name, kind);
    const resource = RESOURCES[kind];
    return written[kind].alone(copy, async () => {
      const known = written[kind].latest(copy)?.metadata.annotations?.[Annotation.sourceVersion];
      const source = sources[kind].get(`${namespace}/${name}`);
      if (known && source && known === versionOf(source)) return undefined;
      let object: KubeObject;
      try {
        object = await context.home.get<KubeObject>(resource, namespace, name);
      } catch (error) {
        if (isNotFound(error)) {
          return { message: `the ${resource.kind} ${namespace}/${name} does not exist`, absent: true };
        }
        throw error;
      }
      const type = object['type'];
      if (kind === 'secret' && typeof type === 'string' && NEVER_COPIED.includes(type)) {
        const message = `the Secret ${namespace}/${name} is of type ${type}, which never leaves this cluster; use a projected serviceAccountToken volume`;
        return { message, absent: false };
      }
      if (known === versionOf(object)) return undefined;
      try {
        await writeCopy(context, resource, written[kind], toCopy(object, kind, context));
      } catch (error) {
        if (error instanceof ForeignObject) return { message: error.message, absent: false };
        throw error;
      }
      return undefined;
    });
  }

  return {
    tokens,
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
      await Promise.all([queue.stop(), tokens.stop()]);
    },
  };
}

/** Of home's objects only who they are and which version: clusters have many, and most are nobody's here. */
function bare({ metadata }: KubeObject): KubeObject {
  return { metadata: bareMetadata(metadata) };
}

function ours({ metadata }: KubeObject): KubeObject {
  const { labels, annotations } = metadata;
  const kept = bare({ metadata });
  if (labels) kept.metadata.labels = labels;
  if (annotations) kept.metadata.annotations = annotations;
  return kept;
}
