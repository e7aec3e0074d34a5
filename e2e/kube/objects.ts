/** Objects for the tests of shared/kube, and a reflector whose doings are written down. */
import {
  ConfigMaps,
  createReflector,
  type KubeClient,
  type KubeObject,
  Namespaces,
  type Reflector,
  type ReflectorOptions,
} from '@kubeocean/shared/kube';
import { cleanup, uniqueName } from '../harness/index.ts';

/** Makes a namespace of a new name. */
export async function makeNamespace(client: KubeClient): Promise<string> {
  const name = uniqueName('kube');
  await client.create(Namespaces, { metadata: { name } });
  return name;
}

export function makeConfigMap(client: KubeClient, namespace: string, name: string, data: Record<string, string> = {}) {
  return client.create<KubeObject>(ConfigMaps, { metadata: { namespace, name }, data });
}

/** Runs `task` for 0 to count-1, so many at a time. */
export async function inParallel(count: number, atOnce: number, task: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) await task(next++);
    }),
  );
}

export interface Watched {
  reflector: Reflector<KubeObject>;
  /** Names of the objects in the store, sorted. */
  names(): string[];
  /** `+name`, `~name`, `-name`, in the order they were told. */
  told: string[];
  errors: { doing: string; error: Error }[];
  /** The least size the store had after its first list. */
  leastSize(): number;
  stop(): Promise<void>;
}

/** Runs a reflector of ConfigMaps in a namespace until the end of the file. It has synced when this resolves. */
export async function watchConfigMaps(
  client: KubeClient,
  namespace: string,
  options: Partial<ReflectorOptions<KubeObject>> = {},
): Promise<Watched> {
  const errors: Watched['errors'] = [];
  const reflector = createReflector(client, {
    resource: ConfigMaps,
    namespace,
    onError: (error, doing) => errors.push({ doing, error: error as Error }),
    ...options,
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  const told: string[] = [];
  let least = Number.POSITIVE_INFINITY;
  await reflector.store.synced;
  reflector.store.onChange(({ previous, current }) => {
    const name = (current ?? previous)?.metadata.name;
    told.push(`${previous ? (current ? '~' : '-') : '+'}${name}`);
    least = Math.min(least, reflector.store.size);
  });
  async function end(): Promise<void> {
    stop.abort();
    await running;
  }
  cleanup(end);
  return {
    reflector,
    names: () => [...reflector.store.values()].map((object) => object.metadata.name).toSorted(),
    told,
    errors,
    leastSize: () => Math.min(least, reflector.store.size),
    stop: end,
  };
}
