/** Schema of ClusterBinding; the TypeScript side is binding.ts. */
import { boolean, integer, list, object, text, time, word } from './schema.ts';
import { conditions, immutable, labelSelector, namespaceName, nodeSelector, objectName } from './schema-common.ts';

const spec = object(
  'What to take, and how.',
  {
    clusterID: text(
      'ID of the worker cluster, unique among bindings: lower-case letters, digits and dashes, at most 24. Names of vnodes and Deployments are made of it, so it never changes.',
      {
        minLength: 1,
        maxLength: 24,
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
        rules: [immutable('clusterID', 'the names of vnodes are made of it; delete the binding and create a new one')],
      },
    ),
    secretRef: object(
      "Secret with the worker cluster's kubeconfig under the key `kubeconfig`; it must lie in kubeocean-system.",
      { name: objectName('Name of the Secret.'), namespace: namespaceName('Namespace of the Secret.') },
      { required: ['name', 'namespace'] },
    ),
    mountNamespace: namespaceName('The one namespace of the worker cluster that receives all pods. Never changes.', [
      immutable('mountNamespace', 'running pods lie in it; delete the binding and create a new one'),
    ]),
    nodeSelector: nodeSelector(
      'Worker nodes that may become vnodes; left out, or without terms = all that a policy lends.',
    ),
    namespaceSelector: labelSelector(
      'Namespaces whose pods may run in this worker; left out = all but the system namespaces.',
    ),
    serviceNamespaces: list(
      'Accepted for compatibility with gocrane/kubeocean and not used (condition ServiceNamespacesUnused): Services of every namespace reach pods on vnodes.',
      namespaceName('Namespace.'),
      { maxItems: 1024 },
    ),
    disableNodeDefaultTaint: boolean('Leave the taint kubeocean.io/vnode:NoSchedule off the vnodes. Default false.'),
    podPriorityClassName: text(
      'PriorityClass of the worker pods, one that the owner of the worker allows. Default kubeocean-default.',
      { maxLength: 253 },
    ),
    runningDaemonsetByDefault: boolean('Really run DaemonSet pods on the vnodes. Default false.'),
    directScheduling: boolean("Set nodeName in the worker instead of asking the worker's scheduler. Default false."),
  },
  { required: ['clusterID', 'secretRef', 'mountNamespace'] },
);

const status = object('What came of it.', {
  phase: word('Pending, Ready or Failed; the conditions say why.', ['Pending', 'Ready', 'Failed']),
  conditions: conditions(
    'Ready, Connected, SyncerReady, ProxierReady (manager); Claimed, AgentReady, DeletionGuard, WorkerReachable, ForeignState, ServiceNamespacesUnused (syncer).',
  ),
  lastSyncTime: time('When the binding last became Ready.'),
  nodes: integer('Number of vnodes.'),
  pods: integer('Number of pods that run in the worker.'),
  workerVersion: text('Kubernetes version of the worker cluster.'),
  workerUID: text('UID of the kube-system namespace of the worker cluster that holds the pods.'),
  epoch: text('Random text that the claim carries too; they differ after one side was restored from a backup.'),
  previousEpoch: text('The epoch before, while a new one is on its way into the claim.'),
});

export const bindingSchema = {
  description:
    'ClusterBinding says which worker cluster to take nodes from, and how. It lives in the computing cluster.',
  spec,
  status,
};
