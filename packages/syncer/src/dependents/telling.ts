/** What people are told of a copy that the worker does not take: on the object at home, and on the pods that use it. */
import { type KubeObject, type ReadonlyStore, splitKey } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { type Pod, podSubject } from '../pods/types.ts';
import { wordsFor } from '../pods/status/words.ts';
import type { Holders } from './holders.ts';
import { type Kind, RESOURCES } from './kinds.ts';
import type { Written } from './written.ts';

/** Pods that are told of a refusal; the object itself is told as well. */
const TOLD_MOST = 10;

export interface Telling {
  /** Once for the same words. @param homes home's pods that need the copy */
  tell(kind: Kind, copy: string, source: { namespace: string; name: string }, homes: readonly Pod[], why: string): void;
  /** It is taken by now, or nobody needs it any more. */
  forget(copy: string): void;
}

export interface TellingParts {
  context: SyncerContext;
  sources: Record<Kind, ReadonlyStore<KubeObject>>;
  written: Record<Kind, Written>;
  holders: Holders;
}

export function createTelling({ context, sources, written, holders }: TellingParts): Telling {
  /** What was last told, by copy. */
  const told = new Map<string, string>();
  return {
    /**
     * Pods go on with what the copy had before, or without one: nobody but home's users can know that this is not what they
     * wrote.
     */
    tell(kind, copy, source, homes, why) {
      if (!holders.isInUse(copy) || told.get(copy) === why) return;
      told.set(copy, why);
      const { kind: of } = RESOURCES[kind];
      const had = written[kind].latest(splitKey(copy).name) !== undefined;
      const reason = had ? 'FailedUpdate' : 'FailedDependency';
      const uid = sources[kind].get(`${source.namespace}/${source.name}`)?.metadata.uid;
      const subject = { apiVersion: 'v1', kind: of, metadata: { ...source, ...(uid && { uid }) } };
      let words = why;
      for (const home of homes.slice(0, TOLD_MOST)) {
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
    },
    forget: (copy) => void told.delete(copy),
  };
}
