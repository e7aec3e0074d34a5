/**
 * What pods refer to, brought into the mount namespace before them, kept up to date while they run, and removed with the
 * last of them. ConfigMaps and Secrets of home are watched as metadata only and read when a pod refers to them.
 */
import { Label, workerName } from '@kubeocean/shared/api';
import { logWatch } from '@kubeocean/shared/daemon';
import {
  ConfigMaps,
  createReflector,
  type KubeObject,
  type Reflector,
  Secrets,
  splitKey,
  untilAborted,
  WorkQueue,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { fewAtOnce } from '../few.ts';
import type { Pod } from '../pods/types.ts';
import type { Repairs } from '../repairs.ts';
import { createCopies, type Missing } from './copies.ts';
import { createHolders } from './holders.ts';
import { bare, familyOf, ours } from './kept.ts';
import { KINDS } from './kinds.ts';
import { createLeftovers } from './leftovers.ts';
import { referencesOf } from './references.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { createWritten } from './written.ts';

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

/**
 * Resolves when everything is known that is to be known; nothing is written before.
 * @returns undefined when the signal has aborted meanwhile
 */
export async function startDependents(
  context: SyncerContext,
  options: DependentsOptions,
): Promise<Dependents | undefined> {
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
      onError: logWatch(context.log, { kind: resource.kind, where }, 'watching dependents'),
    });
    void reflector.run(options.signal);
    return reflector;
  };
  const sources = { configmap: reflect(ConfigMaps, 'home').store, secret: reflect(Secrets, 'home').store };
  const stored = { configmap: reflect(ConfigMaps, 'worker').store, secret: reflect(Secrets, 'worker').store };
  const known = [...Object.values(sources), ...Object.values(stored)].map((store) => store.synced);
  await Promise.race([Promise.all([...known, options.ready]), untilAborted(options.signal)]);
  // Then pods may not be known, and all copies would seem to be nobody's.
  if (options.signal.aborted) return undefined;

  const written = {
    configmap: createWritten(stored.configmap, mountNamespace),
    secret: createWritten(stored.secret, mountNamespace),
  };
  const tokens = createTokens(context, written.secret);
  const queue = new WorkQueue((copy) => copies.sync(copy), {
    ...context.queue('dependents'),
    workers: 8,
    maxDelayMs: 30_000,
  });
  const leftovers = createLeftovers((copy) => queue.add(copy));
  const holders = createHolders(context.stores, bindingUID, (copy) => leftovers.add(copy));
  const clock = () => performance.now();
  const copies = createCopies({ context, sources, written, holders, tokens, repairs: options.repairs, clock });

  for (const kind of KINDS) {
    stored[kind].onChange((change) => {
      const { current, previous } = change;
      const ms = copies.noticed(kind, change);
      if (ms !== undefined) queue.addAfter(`${kind}/${(current ?? previous)?.metadata.name}`, ms);
    });
    sources[kind].onChange(({ previous, current, key }) => {
      const { namespace, name } = splitKey(key);
      const copy = `${kind}/${workerName(bindingUID, namespace, name, kind)}`;
      if (!holders.isHeld(copy)) return;
      queue.add(copy);
      if (current && !previous) for (const homeKey of holders.homePods(copy)) options.onAppeared(homeKey);
    });
    // What changed or lost its last pod while nobody watched.
    for (const { metadata } of stored[kind].values()) queue.add(`${kind}/${metadata.name}`);
  }
  queue.start();

  return {
    tokens,
    sweep() {
      for (const kind of KINDS) {
        for (const { metadata } of stored[kind].values()) queue.add(`${kind}/${metadata.name}`);
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
        fewAtOnce(referencesOf(home).objects, async ({ kind, name, required }) => {
          const problem = await copies.ensure(kind, namespace, name);
          return required ? problem : undefined;
        }),
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
