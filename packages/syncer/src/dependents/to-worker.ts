/** Home ConfigMap, Secret or tokens → what stands for them in the worker. Pure. */
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Annotation, Label, tokenSecretName, workerName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { bindingLabels } from '../pods/translation/to-worker.ts';
import type { Pod } from '../pods/types.ts';
import type { DependentReference } from './references.ts';

export interface CopyFacts {
  bindingName: string;
  bindingUID: string;
  mountNamespace: string;
}

/**
 * Types of Secrets that are never copied: their content is power over home itself, and the worker's own controllers
 * would act on the type.
 */
export const NEVER_COPIED: readonly string[] = ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'];

/** What a copy was made of: another object of the same name is another version. */
export function versionOf(source: KubeObject): string {
  return `${source.metadata.uid}/${source.metadata.resourceVersion}`;
}

/** The copy. `immutable` is not carried: the home object may be made anew under the same name. */
export function toCopy(source: KubeObject, kind: DependentReference['kind'], facts: CopyFacts): KubeObject {
  const { namespace = '', name } = source.metadata;
  const content: Record<string, unknown> = {};
  for (const field of kind === 'configmap' ? ['data', 'binaryData'] : ['data', 'type']) {
    if (source[field] !== undefined) content[field] = source[field];
  }
  return {
    metadata: {
      name: workerName(facts.bindingUID, namespace, name, kind),
      namespace: facts.mountNamespace,
      labels: { ...bindingLabels(facts), [Label.virtualNamespace]: namespace },
      annotations: {
        [Annotation.virtualNamespace]: namespace,
        [Annotation.virtualName]: name,
        [Annotation.sourceVersion]: versionOf(source),
      },
    },
    ...content,
  };
}

/** True when the copy says all that it should; labels and annotations that others added do not count. */
export function isAsMade(copy: KubeObject, made: KubeObject): boolean {
  const has = (kind: 'labels' | 'annotations') =>
    Object.entries(made.metadata[kind] ?? {}).every(([key, value]) => copy.metadata[kind]?.[key] === value);
  return (
    has('labels') &&
    has('annotations') &&
    isDeepStrictEqual(copy['data'] ?? {}, made['data'] ?? {}) &&
    isDeepStrictEqual(copy['binaryData'] ?? {}, made['binaryData'] ?? {}) &&
    (made['type'] === undefined || copy['type'] === made['type'])
  );
}

/** The Secret with the tokens of one home pod, by key. */
export function toTokenSecret(home: Pod, tokens: Record<string, string>, renewAt: Date, facts: CopyFacts): KubeObject {
  const { namespace = '', name, uid = '' } = home.metadata;
  const data = Object.fromEntries(
    Object.entries(tokens).map(([key, token]) => [key, Buffer.from(token).toString('base64')]),
  );
  return {
    metadata: {
      name: tokenSecretName(facts.bindingUID, namespace, name, uid),
      namespace: facts.mountNamespace,
      labels: {
        ...bindingLabels(facts),
        [Label.virtualNamespace]: namespace,
        [Label.serviceAccountToken]: 'true',
      },
      annotations: {
        [Annotation.virtualPodNamespace]: namespace,
        [Annotation.virtualPodName]: name,
        [Annotation.virtualPodUID]: uid,
        [Annotation.serviceAccount]: home.spec.serviceAccountName ?? 'default',
        [Annotation.tokenRenewAt]: renewAt.toISOString(),
      },
    },
    type: 'Opaque',
    data,
  };
}

/**
 * Of all that we write into a token Secret a number of 48 bits; labels and annotations of others do not count. There is one
 * for each pod, so it is not a text.
 */
export function contentOf({ metadata: { labels = {}, annotations = {} }, data }: KubeObject): number {
  const own = [labels, annotations].map((each) => Object.entries(each).filter(([key]) => key.startsWith(OWN)));
  const sorted = [...own, Object.entries(data ?? {})].map((entries) =>
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  return parseInt(hash('sha256', JSON.stringify(sorted), 'hex').slice(0, 12), 16);
}

const OWN = 'kubeocean.io/';

/** Longest life of a token, and the shortest that an API server grants, in seconds. */
const LONGEST = 3600;
const SHORTEST = 600;

/** Seconds to ask for: what the pod wants, but never more than an hour. */
export function tokenSeconds(wanted: number | undefined): number {
  return Math.max(SHORTEST, Math.min(wanted ?? LONGEST, LONGEST));
}

/** No token is renewed later than this after it was made, in milliseconds: 80 % of the longest life. */
export const LATEST_RENEWAL_MS = LONGEST * 800;

/**
 * When to renew: after 80 % of the life of the shortest-lived token. The time at which it ends is of the API server's clock,
 * and ours may be another.
 * @param lives in seconds
 */
export function renewalTime(lives: readonly number[], now: Date): Date {
  const life = Math.min(...lives) * 800;
  return new Date(now.getTime() + Math.min(Math.max(life, 10_000), LATEST_RENEWAL_MS));
}
