/** Labels of home's namespaces, by which a binding says whose pods it admits. They are not watched: changes are rare. */
import { type KubeClient, type KubeObject, Namespaces } from '@kubeocean/shared/kube';
import { cachePerClient } from './per-client.ts';

type Labels = Record<string, string>;

/**
 * An answer stands for so long, in milliseconds: thousands of pods of one namespace come in the same moment, and are looked at
 * again in the same moment when they are not admitted.
 */
const HOLD_MS = 500;
const MOST_HELD = 1000;

const held = cachePerClient<Labels>({ holdMs: () => HOLD_MS, bound: MOST_HELD });

/** @throws ApiError, ConnectionError */
export function namespaceLabels(home: KubeClient, namespace: string): Promise<Labels> {
  return held(home).get(namespace, async () => {
    const { metadata } = await home.get<KubeObject>(Namespaces, '', namespace);
    return metadata.labels ?? {};
  });
}
