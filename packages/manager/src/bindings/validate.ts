/** Checks of a binding that need no network: its spec, other bindings, the Secret it refers to. Pure. */
import { type ClusterBinding, KubeconfigKey, Namespace } from '@kubeocean/shared/api';
import { type ClusterAccess, KubeconfigError, type KubeObject, parseKubeconfig } from '@kubeocean/shared/kube';
import { claimedSelectorProblem } from '@kubeocean/shared/lease';
import { BindingProblem } from './problem.ts';

/** A Secret as far as the manager keeps it. */
export interface KubeconfigSecret extends KubeObject {
  data?: Record<string, string>;
}

/**
 * What is wrong with the spec itself, or with it beside the other bindings.
 * @param ownerUID of whom the syncer that is deployed for the clusterID is, if there is one.
 * @returns undefined when nothing is.
 */
export function specProblem(
  binding: ClusterBinding,
  others: Iterable<ClusterBinding>,
  ownerUID?: string,
): BindingProblem | undefined {
  const { clusterID, secretRef } = binding.spec;
  const holder = holderOf(clusterID, [binding, ...others], ownerUID);
  if (holder && holder.metadata.uid !== binding.metadata.uid) {
    const deleting = holder.metadata.deletionTimestamp ? ', which is being deleted' : '';
    return new BindingProblem(
      'spec',
      'ClusterIDTaken',
      `spec.clusterID "${clusterID}" is taken by ClusterBinding "${holder.metadata.name}"${deleting}: ` +
        `delete that one, or delete this one and create it again with another clusterID`,
    );
  }
  if (secretRef.namespace !== Namespace.system) {
    return new BindingProblem(
      'spec',
      'SecretNamespace',
      `spec.secretRef.namespace is "${secretRef.namespace}", but the Secret with the worker's kubeconfig must lie in ` +
        `${Namespace.system}: create Secret "${secretRef.name}" there and set spec.secretRef.namespace to it`,
    );
  }
  return undefined;
}

/** What keeps the agent from reading the node selector. What is lent already stays, and needs what serves it. */
export function selectorProblem({ spec }: ClusterBinding): BindingProblem | undefined {
  const unread = claimedSelectorProblem(spec.nodeSelector);
  if (!unread) return undefined;
  return new BindingProblem(
    'spec',
    'NodeSelectorInvalid',
    `spec.nodeSelector is not one that the agent in the worker cluster reads, so that nothing new is lent: ${unread}`,
  );
}

/**
 * The binding that has the clusterID: the one whose syncer is deployed (what runs never changes hands), otherwise the
 * oldest, by creation, which is counted in seconds, and then by name. One that is being deleted keeps it.
 */
export function holderOf(
  clusterID: string,
  bindings: Iterable<ClusterBinding>,
  ownerUID?: string,
): ClusterBinding | undefined {
  let holder: ClusterBinding | undefined;
  for (const binding of bindings) {
    if (ownerUID !== undefined && binding.metadata.uid === ownerUID) return binding;
    if (binding.spec.clusterID === clusterID && (!holder || isOlder(binding, holder))) holder = binding;
  }
  return holder;
}

function isOlder(a: ClusterBinding, b: ClusterBinding): boolean {
  const [bornA, bornB] = [a, b].map((binding) => binding.metadata.creationTimestamp ?? '') as [string, string];
  return bornA === bornB ? a.metadata.name < b.metadata.name : bornA < bornB;
}

/**
 * Where the worker is and how to prove who we are, out of the Secret.
 * @throws BindingProblem of stage `secret`.
 */
export function accessOf(binding: ClusterBinding, secret: KubeconfigSecret | undefined): ClusterAccess {
  const { name, namespace } = binding.spec.secretRef;
  const where = `Secret ${namespace}/${name}`;
  const create = `kubectl -n ${namespace} create secret generic ${name} --from-file=${KubeconfigKey}=<file>`;
  if (!secret) {
    throw new BindingProblem(
      'secret',
      'SecretMissing',
      `${where}, which spec.secretRef names, does not exist: create it (${create}) or correct spec.secretRef.name`,
    );
  }
  const encoded = secret.data?.[KubeconfigKey];
  if (!encoded) {
    const others = Object.keys(secret.data ?? {});
    const found = others.length > 0 ? `only ${others.map((key) => `"${key}"`).join(', ')}` : 'no data';
    throw new BindingProblem(
      'secret',
      'SecretKeyMissing',
      `${where} has no key "${KubeconfigKey}" (${found}): put the worker's kubeconfig under that key (${create})`,
    );
  }
  try {
    return parseKubeconfig(Buffer.from(encoded, 'base64').toString('utf8'), { trust: 'untrusted' });
  } catch (error) {
    if (!(error instanceof KubeconfigError)) throw error;
    throw new BindingProblem(
      'secret',
      `Kubeconfig${error.reason}`,
      `${where}, key "${KubeconfigKey}": ${error.message}`,
    );
  }
}

/** What of the Secret would keep a syncer from starting; undefined when nothing does. */
export function secretProblem(
  binding: ClusterBinding,
  secret: KubeconfigSecret | undefined,
): BindingProblem | undefined {
  try {
    accessOf(binding, secret);
    return undefined;
  } catch (error) {
    if (error instanceof BindingProblem) return error;
    throw error;
  }
}
