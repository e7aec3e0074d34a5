/** The namespaces of the load, and clearing them of its pods. */
import { setTimeout as after } from 'node:timers/promises';
import {
  isAlreadyExists,
  isNotFound,
  type KubeClient,
  type KubeObject,
  Namespaces,
  Pods,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { BENCH_LABEL, BENCH_NAMESPACE, TENANTS } from './pods.ts';
import { gone, type Say, type Sides, waitTelling } from './sides.ts';
import { stopping } from './stop.ts';

/** Makes a namespace ready for pods. That of a session just over may still be on its way out: it is waited for. */
async function makeNamespace(client: KubeClient, name: string, say: Say): Promise<void> {
  const probe = async (): Promise<string | undefined> => {
    const labels = { [BENCH_LABEL]: 'namespace' };
    await client.create(Namespaces, { metadata: { name, labels } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
    const { metadata } = await client.get<KubeObject>(Namespaces, '', name);
    if (metadata.deletionTimestamp) return 'the one of an earlier session is still terminating';
    try {
      await client.get<KubeObject>(ServiceAccounts, name, 'default');
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return 'it has no ServiceAccount yet';
    }
    return undefined;
  };
  await waitTelling({ what: `the namespace ${name}`, say, probe, mostMs: 300_000, signal: stopping });
}

/** @param tenants also makes those of the small tenants, at home */
export async function makeNamespaces(sides: Sides, tenants: boolean, say: Say): Promise<void> {
  await Promise.all([
    ...[BENCH_NAMESPACE, ...(tenants ? TENANTS : [])].map((name) => makeNamespace(sides.computing, name, say)),
    makeNamespace(sides.worker, BENCH_NAMESPACE, say),
  ]);
}

export async function removeNamespaces(sides: Sides): Promise<void> {
  for (const name of [BENCH_NAMESPACE, ...TENANTS]) await gone(sides.computing.delete(Namespaces, '', name));
  await gone(sides.worker.delete(Namespaces, '', BENCH_NAMESPACE));
}

/** Longest that the pods of the load take to go. */
const CLEAR_MS = 300_000;
/** They are deleted again so often: one that was on its way when all were deleted came after it. */
const AGAIN_MS = 10_000;

interface Place {
  side: keyof Sides;
  namespace: string;
}

/** Where the bench makes pods itself; their worker pods go with them. */
const OWN_PLACES: readonly Place[] = [
  ...[BENCH_NAMESPACE, ...TENANTS].map((namespace) => ({ side: 'computing', namespace }) as const),
  { side: 'worker', namespace: BENCH_NAMESPACE },
];

async function deleteAll(sides: Sides, { side, namespace }: Place): Promise<void> {
  await gone(
    sides[side].transport.call({
      method: 'DELETE',
      path: `/api/v1/namespaces/${namespace}/pods`,
      body: JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 1 }),
      timeoutMs: CLEAR_MS,
    }),
  );
}

/** The first place with a pod left, and that pod; undefined when there is none. */
async function podLeft(sides: Sides, places: readonly Place[]): Promise<string | undefined> {
  for (const { side, namespace } of places) {
    const { items } = await sides[side].list<KubeObject>(Pods, { namespace, limit: 1 }, { metadataOnly: true });
    if (items[0]) return `${namespace}/${items[0].metadata.name} in the ${side} cluster`;
  }
  return undefined;
}

export interface Clearing {
  mostMs?: number;
  againMs?: number;
  lookMs?: number;
}

/**
 * Deletes all pods of the load, again and again until they and their worker pods are gone. Ctrl-C does not end it: this is
 * what it asks for. @throws Error naming one that is left
 */
export async function clearLoad(
  sides: Sides,
  mountNamespace: string,
  { mostMs = CLEAR_MS, againMs = AGAIN_MS, lookMs = 1000 }: Clearing = {},
): Promise<void> {
  const places: readonly Place[] = [...OWN_PLACES, { side: 'worker', namespace: mountNamespace }];
  const start = performance.now();
  let deleteAt = start;
  for (;;) {
    if (performance.now() >= deleteAt) {
      deleteAt = performance.now() + againMs;
      await Promise.all(OWN_PLACES.map((place) => deleteAll(sides, place)));
    }
    const left = await podLeft(sides, places);
    if (left === undefined) return;
    if (performance.now() - start > mostMs) throw new Error(`pods of the load are still there, such as ${left}`);
    await after(lookMs);
  }
}
