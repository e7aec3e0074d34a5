/**
 * From a home claim whose node is chosen to its volume: the worker's claim, bound by the worker's own storage, then the
 * home volume that stands for it. Each step is read off what both sides show, so that any of them may be the first after
 * a restart; names are derived, so that none can be done twice.
 */
import { Label, SystemNamespaces, VolumeAnnotation, VolumeDriver, workerClaimName } from '@kubeocean/shared/api';
import { isAlreadyExists, messageOf } from '@kubeocean/shared/kube';
import type { KubeObject, Outcome } from '@kubeocean/shared/kube';
import { matchesLabels } from '@kubeocean/shared/lease';
import { namespaceLabels } from '../namespaces.ts';
import { leaseRefusal } from '../pods/placement/eligibility.ts';
import { mayWriteWorker, WritesHeld } from '../gate.ts';
import { ClaimNotMade, failedAgain } from './failures.ts';
import { finish } from './finish.ts';
import { giveBack, removeUnused, resetSelection } from './give-back.ts';
import { workerClaim } from './look.ts';
import { isGivenBack, missingVnode, tellAgain } from './missing-vnode.ts';
import { claimProblem, type Offer, offerOf } from './storage-class.ts';
import type { VolumeState } from './state.ts';
import { holderOf, toWorkerClaim } from './to-worker.ts';
import { type Claim, Claims, type StorageClass } from './types.ts';
import { tellAndWait, tellClaim, workerWarnings } from './words.ts';

const LOOK_AGAIN_MS = 3000;
const RETRY_MS = 15_000;
/** A worker that does not take a claim for so long is given up for now: home's scheduler may choose another vnode. */
const GIVE_BACK_MS = 30_000;

/** Works on a claim without a volume whose class is ours. What fails is told on it. */
export async function provision(state: VolumeState, home: Claim, storageClass: StorageClass): Promise<Outcome> {
  const { uid = '' } = home.metadata;
  try {
    const outcome = await step(state, home, storageClass);
    state.failing.delete(uid);
    return outcome;
  } catch (error) {
    if (error instanceof WritesHeld) throw error;
    const { since, times } = failedAgain(state, uid);
    const notMade = error instanceof ClaimNotMade;
    if (times > 1 || (notMade && error.refused)) {
      await tellClaim(state.context, home, 'ProvisioningFailed', messageOf(error));
    }
    if (!notMade || state.elapsed() - since <= GIVE_BACK_MS) throw error;
    await resetSelection(state, home);
    state.failing.delete(uid);
    return undefined;
  }
}

async function step(state: VolumeState, home: Claim, storageClass: StorageClass): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name, uid = '', annotations } = home.metadata;
  const offer = offerOf(storageClass);
  const problem = typeof offer === 'string' ? offer : claimProblem(home);
  const selected = annotations?.[VolumeAnnotation.selectedNode];
  const vnode = selected === undefined ? undefined : context.stores.vnodes.get(selected);
  if (isGivenBack(state, home)) return tellAgain(state, home);
  if (selected !== undefined && !vnode) return missingVnode(state, home, selected);
  state.missingSince.delete(uid);
  // Whose claim it is, is said by the node. Without one, a mistake in the class is told by everybody.
  if (!isOurs(state, vnode) && (selected !== undefined || problem === undefined)) return undefined;
  if (problem !== undefined || typeof offer === 'string') return tellAndWait(context, home, problem ?? '');
  if (!vnode) return undefined;
  // Set when no volume that exists already will do, and the volume controller leaves the claim to us.
  if (annotations?.[VolumeAnnotation.storageProvisioner] !== VolumeDriver) return undefined;
  const notAdmitted = await whyNotAdmitted(state, home);
  if (notAdmitted) return tellAndWait(context, home, notAdmitted);

  const record = context.stores.records.byIndex('vnode', vnode.metadata.name)[0];
  if (!record?.status?.phase) return { againInMs: LOOK_AGAIN_MS };
  const closing = leaseRefusal(record);
  const worker = await workerClaim(state, workerClaimName(namespace, name, uid));
  if (!worker && !closing) return makeClaim(state, home, offer, record.spec.nodeName);
  if (!worker) return void (await resetSelection(state, home));
  if (holderOf(worker, context)?.uid !== uid) {
    const message = `the claim ${context.mountNamespace}/${worker.metadata.name} of the worker cluster stands where this one's volume belongs and was not made for it; it is left alone: ask the worker's owner to remove it`;
    return tellAndWait(context, home, message, 'NameTaken');
  }
  // What is being deleted is as good as gone, whatever it says of itself.
  const going = worker.metadata.deletionTimestamp !== undefined;
  if (worker.status?.phase === 'Bound' && !going) return finish(state, home, worker, { storageClass, offer, vnode });
  if (closing) return giveBack(state, home, worker, closing.message);
  if (going) return { againInMs: LOOK_AGAIN_MS };
  const asked = worker.metadata.annotations?.[VolumeAnnotation.selectedNode];
  // The worker's provisioner has taken its node off, or home's scheduler has chosen another since: begin anew.
  if (asked === undefined) return giveBack(state, home, worker, 'its storage cannot make the volume for that node');
  if (asked !== record.spec.nodeName) {
    await removeUnused(state, worker);
    return { againInMs: 500 };
  }
  const warnings = await workerWarnings(context, worker);
  for (const words of warnings) {
    await tellClaim(context, home, 'ProvisioningFailed', `the worker cluster says: ${words}`);
  }
  return { againInMs: warnings.length > 0 ? RETRY_MS : LOOK_AGAIN_MS };
}

function isOurs(state: VolumeState, vnode: KubeObject | undefined): boolean {
  return vnode?.metadata.labels?.[Label.bindingUID] === state.context.bindingUID;
}

/** The annotation with the node is the user's to write: the claim must be where the binding admits pods. */
async function whyNotAdmitted({ context }: VolumeState, home: Claim): Promise<string | undefined> {
  const { namespace = '' } = home.metadata;
  const { metadata, spec } = context.binding();
  if (SystemNamespaces.includes(namespace)) return `claims of the namespace ${namespace} get no volumes of vnodes`;
  if (!spec.namespaceSelector) return undefined;
  if (matchesLabels(spec.namespaceSelector, await namespaceLabels(context.home, namespace))) return undefined;
  return `the ClusterBinding ${metadata.name} does not admit the namespace ${namespace} (spec.namespaceSelector)`;
}

/** @throws ClaimNotMade, WritesHeld */
async function makeClaim(state: VolumeState, home: Claim, { workerClass }: Offer, node: string): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name } = home.metadata;
  mayWriteWorker(context);
  try {
    const made = await context.worker.create<Claim>(Claims, toWorkerClaim(home, { ...context, workerClass, node }));
    context.log.info({ claim: `${namespace}/${name}`, worker: made.metadata.name, node }, 'worker claim created');
    return { againInMs: LOOK_AGAIN_MS };
  } catch (error) {
    if (!isAlreadyExists(error)) throw new ClaimNotMade(error);
    return { againInMs: 500 };
  }
}
