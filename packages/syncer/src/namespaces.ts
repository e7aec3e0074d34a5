/** Labels of home's namespaces, by which a binding says whose pods it admits. They are not watched: changes are rare. */
import { type Cache, createCache } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, Namespaces } from '@kubeocean/shared/kube';

type Labels = Record<string, string>;

/**
 * An answer stands for so long, in milliseconds: thousands of pods of one namespace come in the same moment, and are looked at
 * again in the same moment when they are not admitted.
 */
const HOLD_MS = 500;
const MOST_HELD = 1000;

const known = new WeakMap<KubeClient, Cache<Labels>>();

/** @throws ApiError, ConnectionError */
export function namespaceLabels(home: KubeClient, namespace: string): Promise<Labels> {
  let cache = known.get(home);
  if (!cache) known.set(home, (cache = createCache<Labels>({ holdMs: () => HOLD_MS, bound: MOST_HELD })));
  return cache.get(namespace, async () => {
    const { metadata } = await home.get<KubeObject>(Namespaces, '', namespace);
    return metadata.labels ?? {};
  });
}
