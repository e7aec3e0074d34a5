/** Answers of an API server that are held for a moment, for all parts of the process that ask the same. */
import { type Cache, type CacheOptions, createCache, type Value } from '@kubeocean/shared/daemon';
import type { KubeClient } from '@kubeocean/shared/kube';

/** Gives the cache of a client: what one cluster answers is not another's answer. */
export function cachePerClient<V extends Value>(options: CacheOptions<V>): (client: KubeClient) => Cache<V> {
  const caches = new WeakMap<KubeClient, Cache<V>>();
  return (client) => {
    const known = caches.get(client) ?? createCache<V>(options);
    caches.set(client, known);
    return known;
  };
}
