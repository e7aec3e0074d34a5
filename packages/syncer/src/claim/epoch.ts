/**
 * The epoch: random text that the claim in the worker and the binding's status at home share, another with each
 * leadership. A cluster that was put back from a backup shows an older one, however well everything else fits. Between
 * the two writes home names both, so that only one interrupted there is told from a restored cluster.
 */
import { Annotation, type ClusterBinding, ClusterBindings, Namespace } from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, Namespaces } from '@kubeocean/shared/kube';

/** By connections of their own: the claim is renewed also while all others wait for answers that do not come. */
const CALL = { timeoutMs: 8000, retry: false, newConnection: true } as const;

export interface Epochs {
  epoch: string | undefined;
  previousEpoch: string | undefined;
}

/** The binding as home has it now: what a watch tells may be older than our own last write. @throws ApiError, ConnectionError */
export function currentBinding(home: KubeClient, name: string): Promise<ClusterBinding> {
  return home.get<ClusterBinding>(ClusterBindings, '', name, CALL);
}

export function epochsOf({ status }: ClusterBinding): Epochs {
  return { epoch: status?.epoch, previousEpoch: status?.previousEpoch };
}

/**
 * Writes the epochs at home, provided that the binding is still as it was seen.
 * @throws ApiError (409: it has changed; look again), ConnectionError
 */
export function keepEpochs(home: KubeClient, seen: ClusterBinding, next: Epochs): Promise<ClusterBinding> {
  const { name, uid, resourceVersion } = seen.metadata;
  const status = { epoch: next.epoch ?? null, previousEpoch: next.previousEpoch ?? null };
  const patch = { metadata: { uid, resourceVersion }, status };
  return home.patch<ClusterBinding>(ClusterBindings, '', name, patch, { subresource: 'status', ...CALL });
}

/**
 * Takes the approval of an epoch off. It was followed, and the state that it is of may come back from the same backup once
 * more, to be compared anew.
 * @throws ApiError (409: it has changed; look again), ConnectionError
 */
export function dropApproval(home: KubeClient, seen: ClusterBinding): Promise<ClusterBinding> {
  const { name, uid, resourceVersion } = seen.metadata;
  const patch = { metadata: { uid, resourceVersion, annotations: { [Annotation.epoch]: null } } };
  return home.patch<ClusterBinding>(ClusterBindings, '', name, patch, CALL);
}

/**
 * Where a leadership stands. `raise`: it has no epoch of its own yet. `pass on`: home has the new one, the claim not yet.
 * `tidy`: both have it, and home still names the one before. `superseded`: both clusters agree on another's. Pure.
 * @param own the epoch that this leadership has raised, once it has
 */
export function nextStep(own: string | undefined, home: Epochs, claim: string | undefined): EpochStep {
  if (own === undefined) return 'raise';
  if (home.epoch !== own) return 'superseded';
  if (claim !== own) return 'pass on';
  return home.previousEpoch === undefined ? 'renew' : 'tidy';
}

export type EpochStep = 'raise' | 'pass on' | 'tidy' | 'renew' | 'superseded';

/** UID of the kube-system namespace: which cluster this is. @throws ApiError, ConnectionError */
export async function clusterUID(client: KubeClient): Promise<string | undefined> {
  return (await client.get<KubeObject>(Namespaces, '', Namespace.kubeSystem, CALL)).metadata.uid;
}
