/** What a user writes to bind worker-1 and lend all of its nodes, for tests of the installed product. */
import { ClusterBindings, Namespace, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { Namespaces } from '@kubeocean/shared/kube';
import { join } from 'node:path';
import { cleanup } from './cleanup.ts';
import { client, giveKubeconfig, kubectl } from './clusters.ts';

/**
 * Secret, namespace for pods, binding and policy, all of the name `id`. They go after the test file: pods first, then the
 * binding while there is still a policy and a Secret.
 * @param folder where the worker's kubeconfig is written
 */
export async function bindWorker(id: string, folder: string): Promise<void> {
  const home = client('computing');
  const quiet = (...args: string[]) => kubectl('computing', args, { anyExit: true });
  const kubeconfig = await giveKubeconfig('kubeocean-syncer', Namespace.worker, join(folder, 'worker.kubeconfig'));
  const secret = ['secret', 'generic', id, `--from-file=kubeconfig=${kubeconfig}`];
  cleanup(() => quiet('-n', Namespace.system, 'delete', 'secret', id));
  await kubectl('computing', ['-n', Namespace.system, 'create', ...secret]);
  cleanup(() => kubectl('worker-1', ['delete', 'rlp', id], { anyExit: true }));
  await client('worker-1').create(ResourceLeasingPolicies, {
    metadata: { name: id },
    spec: { cluster: id, forceReclaim: false },
  });
  const secretRef = { name: id, namespace: Namespace.system };
  const spec = { clusterID: id, mountNamespace: Namespace.worker, secretRef };
  cleanup(() => quiet('delete', 'clusterbinding', id, '--timeout=90s'));
  await home.create(ClusterBindings, { metadata: { name: id }, spec });
  cleanup(() => quiet('delete', 'namespace', id, '--wait=false'));
  await home.create(Namespaces, { metadata: { name: id } });
}
