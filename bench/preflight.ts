/** What has to be so before anything is made in the clusters. */
import { isNotFound, type KubeObject, Pods, Secrets } from '@kubeocean/shared/kube';
import { UsageError } from './flags.ts';
import type { BenchOptions } from './options.ts';
import { BENCH_NAMESPACE, TENANTS } from './pods.ts';
import type { Sides } from './sides.ts';
import { HOME_NAMESPACE } from './tracker.ts';

/** @throws UsageError when an installed system has no way to the worker: no vnode would ever come. */
export async function needSecret({ secret: { namespace, name } }: BenchOptions, { computing }: Sides): Promise<void> {
  try {
    await computing.get(Secrets, namespace, name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new UsageError(
      `the computing cluster has no Secret ${namespace}/${name} with the worker's kubeconfig, which "--system installed" needs: name yours by --secret NAMESPACE/NAME`,
      { cause: error },
    );
  }
}

/** Of the pods of the mount namespace, those that stand for no pod of the bench's own namespaces. */
export function foreignPods(pods: readonly KubeObject[]): string[] {
  const ours = [BENCH_NAMESPACE, ...TENANTS];
  return pods
    .filter(({ metadata }) => !ours.includes(metadata.annotations?.[HOME_NAMESPACE] ?? ''))
    .map(({ metadata }) => metadata.name);
}

/** @throws UsageError when others use the mount namespace: their pods would be counted, and waited for to be gone. */
export async function needMountNamespace({ mountNamespace }: BenchOptions, { worker }: Sides): Promise<void> {
  const { items } = await worker.list<KubeObject>(Pods, { namespace: mountNamespace }, { timeoutMs: 60_000 });
  const [first, ...others] = foreignPods(items);
  if (first === undefined) return;
  throw new UsageError(
    `namespace ${mountNamespace} of the worker has pods that are not the bench's: ${first}${others.length > 0 ? ` and ${others.length} more` : ''}; name another by --mount-namespace, or take them away`,
  );
}
