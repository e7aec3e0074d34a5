/** What to make of the claim Lease as it is found in the worker: pure, so that every case is a line in a table. */
import { Annotation, claimName, Label, labelValue, ManagedByValue, Seconds } from '@kubeocean/shared/api';
import type { ClusterBinding } from '@kubeocean/shared/api';
import { type Lease, microTime } from '@kubeocean/shared/kube';
import { isPlain } from './worker-identity.ts';

/** Who claims. */
export interface Claimant {
  binding: ClusterBinding;
  bindingUID: string;
  /** UID of the computing cluster's kube-system namespace. */
  homeUID: string;
  /** The epoch in the binding's status, when there is one. */
  epoch: string | undefined;
  /** The one before it, while the claim has yet to be given {@link epoch}. */
  previousEpoch?: string | undefined;
}

export type ClaimVerdict =
  /** No such Lease: make one. */
  | { kind: 'create' }
  /** Ours. `adoptEpoch`: the administrator approved the worker's epoch; take it over before anything else. */
  | { kind: 'ours'; adoptEpoch?: string }
  | { kind: 'refused'; reason: 'NameTaken' | 'Released' | 'ForeignEpoch'; message: string };

export function holderOf(claimant: Claimant): string {
  return `${claimant.homeUID}/${claimant.bindingUID}`;
}

export function judgeClaim(lease: Lease | undefined, claimant: Claimant): ClaimVerdict {
  const { binding } = claimant;
  const where = `${binding.spec.mountNamespace}/${claimName(binding.metadata.name)}`;
  if (!lease) return { kind: 'create' };
  const holder = lease.spec?.holderIdentity ?? '';
  const annotations = lease.metadata.annotations ?? {};
  if (holder !== holderOf(claimant))
    return { kind: 'refused', reason: 'NameTaken', message: taken(where, holder, claimant) };
  if (annotations[Annotation.release] === 'true') {
    return {
      kind: 'refused',
      reason: 'Released',
      message: `the owner of the worker cluster took the lease back (annotation ${Annotation.release} on the Lease ${where}); delete this binding, or ask the owner to remove the annotation`,
    };
  }
  const theirs = annotations[Annotation.epoch];
  if (theirs === undefined || theirs === claimant.epoch) return { kind: 'ours' };
  // Somebody was interrupted between the two clusters when the epoch was raised.
  if (claimant.epoch !== undefined && theirs === claimant.previousEpoch) return { kind: 'ours' };
  if (binding.metadata.annotations?.[Annotation.epoch] === theirs) return { kind: 'ours', adoptEpoch: theirs };
  if (!isPlain(theirs)) {
    const message = `the claim ${where} names an epoch that no syncer writes: the owner of the worker cluster has to take the annotation ${Annotation.epoch} off that Lease`;
    return { kind: 'refused', reason: 'ForeignEpoch', message };
  }
  return {
    kind: 'refused',
    reason: 'ForeignEpoch',
    message: `the claim ${where} is of epoch ${theirs}, this binding of ${claimant.epoch ?? 'none'}: one of the two clusters was restored from a backup. Compare the pods on both sides, then approve what the worker has with: kubectl annotate clusterbinding ${binding.metadata.name} --overwrite ${Annotation.epoch}=${theirs}`,
  };
}

/** What the keeper knows of the claim from its last turn. */
export interface LastTurn {
  held: boolean;
  refusal: string | undefined;
  /** We are unbinding. */
  releasing: boolean;
}

/** Whether a claim that is found so between two turns says that the worker is the cluster we have known. */
export function isStillOurs(verdict: ClaimVerdict, { held, refusal, releasing }: LastTurn): boolean {
  switch (verdict.kind) {
    // One that is gone while we unbind was ours to delete.
    case 'create':
      return releasing && held;
    // One that its owner took back is still of this cluster, if it was before.
    case 'refused':
      return verdict.reason === 'Released' && (held || refusal === 'Released');
    case 'ours':
      return held || refusal === 'Released';
  }
}

/** Were the Lease deleted while pods of the other are left, these would count as this binding's, which does not follow them. */
function taken(where: string, holder: string, claimant: Claimant): string {
  const name = claimant.binding.metadata.name;
  // Whatever the worker has put there.
  const [home = 'unknown', binding = 'unknown'] = holder.split('/').map((word) => (isPlain(word) ? word : 'unknown'));
  const way = `take its pods back (annotation ${Annotation.release}: "true" on the Lease ${where}) and, once none of them is left in the worker, delete that Lease`;
  if (home === claimant.homeUID) {
    return `the name "${name}" is still claimed by an earlier binding of this computing cluster (UID ${binding}): ask the owner of the worker cluster to ${way}`;
  }
  return `the name "${name}" is claimed by another computing cluster (UID of its kube-system namespace: ${home}): give this binding another name, or ask the owner of the worker cluster to ${way}`;
}

/** The claim as it should be. */
export function claimLease(claimant: Claimant, epoch: string, now: Date): Lease {
  const { binding } = claimant;
  const { nodeSelector } = binding.spec;
  return {
    metadata: {
      name: claimName(binding.metadata.name),
      namespace: binding.spec.mountNamespace,
      labels: {
        [Label.claim]: 'true',
        [Label.managedBy]: ManagedByValue,
        [Label.clusterBinding]: labelValue(binding.metadata.name),
        [Label.bindingUID]: claimant.bindingUID,
      },
      annotations: {
        [Annotation.bindingUID]: claimant.bindingUID,
        [Annotation.clusterID]: binding.spec.clusterID,
        [Annotation.computingClusterUID]: claimant.homeUID,
        [Annotation.nodeSelector]: nodeSelector ? JSON.stringify(nodeSelector) : '',
        [Annotation.epoch]: epoch,
      },
    },
    spec: {
      holderIdentity: holderOf(claimant),
      leaseDurationSeconds: Seconds.leaseDuration,
      renewTime: microTime(now),
    },
  };
}
