/**
 * From a home claim whose node is chosen to its volume: the worker's claim, bound by the worker's own storage, then the
 * home volume that stands for it. Each step is read off what both sides show, so that any of them may be the first after
 * a restart; names are derived, so that none can be done twice.
 */
import { Label, SystemNamespaces, VolumeAnnotation, VolumeDriver, workerClaimName } from '@kubeocean/shared/api';
import { ApiError, isAlreadyExists, isConflict, isNotFound, messageOf, Namespaces } from '@kubeocean/shared/kube';
import type { KubeObject, Outcome } from '@kubeocean/shared/kube';
import { leaseRefusal, matchesLabels } from '../pods/eligibility.ts';
import { mayWriteHome, mayWriteWorker } from '../pods/gate.ts';
import { claimProblem, type Offer, offerOf } from './storage-class.ts';
import type { VolumeState } from './state.ts';
import { reach, toHomeVolume } from './to-home.ts';
import { holderOf, toWorkerClaim } from './to-worker.ts';
import { type Claim, Claims, type StorageClass, type Volume, Volumes } from './types.ts';
import { tellClaim, workerWarnings } from './words.ts';

const LOOK_AGAIN_MS = 3000;
const RETRY_MS = 15_000;
/** A worker that refuses for so long is given up for now: home's scheduler may choose another vnode. */
const GIVE_BACK_MS = 30_000;

/** Works on a claim without a volume whose class is ours. */
export async function provision(state: VolumeState, home: Claim, storageClass: StorageClass): Promise<Outcome> {
  const { context } = state;
  const offer = offerOf(storageClass);
  const problem = typeof offer === 'string' ? offer : claimProblem(home);
  const selected = home.metadata.annotations?.[VolumeAnnotation.selectedNode];
  const vnode = selected === undefined ? undefined : context.stores.vnodes.get(selected);
  // Whose claim it is, is said by the node. Without one, a mistake in the class is told by everybody.
  if (!isOurs(state, vnode) && (selected !== undefined || problem === undefined)) return undefined;
  if (problem !== undefined || typeof offer === 'string') return told(state, home, problem ?? '');
  if (!vnode) return undefined;
  // Set when no volume that exists already will do, and the volume controller leaves the claim to us.
  if (home.metadata.annotations?.[VolumeAnnotation.storageProvisioner] !== VolumeDriver) return undefined;
  const notAdmitted = await whyNotAdmitted(state, home);
  if (notAdmitted) return told(state, home, notAdmitted);

  const record = context.stores.records.byIndex('vnode', vnode.metadata.name)[0];
  if (!record?.status?.phase) return { againInMs: LOOK_AGAIN_MS };
  const closing = leaseRefusal(record);
  const worker = await ensureWorkerClaim(state, home, offer, closing ? undefined : record.spec.nodeName);
  if (!worker || worker.status?.phase === 'Bound') {
    return worker && finish(state, home, worker, { storageClass, offer, vnode });
  }
  if (closing) return giveBack(state, home, worker, closing.message);
  if (worker.metadata.deletionTimestamp) return { againInMs: LOOK_AGAIN_MS };
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

async function told(state: VolumeState, home: Claim, message: string): Promise<Outcome> {
  await tellClaim(state.context, home, 'ProvisioningFailed', message);
  return { againInMs: 60_000 };
}

/** The annotation with the node is the user's to write: the claim must be where the binding admits pods. */
async function whyNotAdmitted({ context }: VolumeState, home: Claim): Promise<string | undefined> {
  const { namespace = '' } = home.metadata;
  const { metadata, spec } = context.binding();
  if (SystemNamespaces.includes(namespace)) return `claims of the namespace ${namespace} get no volumes of vnodes`;
  if (!spec.namespaceSelector) return undefined;
  const { metadata: of } = await context.home.get<KubeObject>(Namespaces, '', namespace);
  if (matchesLabels(spec.namespaceSelector, of.labels ?? {})) return undefined;
  return `the ClusterBinding ${metadata.name} does not admit the namespace ${namespace} (spec.namespaceSelector)`;
}

/**
 * The worker claim as it is now; made when there is none and `node` says for which.
 * @returns undefined when it cannot be had now, which was told.
 */
async function ensureWorkerClaim(
  state: VolumeState,
  home: Claim,
  { workerClass }: Offer,
  node: string | undefined,
): Promise<Claim | undefined> {
  const { context, refusedSince } = state;
  const { namespace = '', name: homeName, uid = '' } = home.metadata;
  const name = workerClaimName(namespace, homeName, uid);
  let worker = state.stores.workerClaims.get(`${context.mountNamespace}/${name}`) ?? (await workerNow(state, name));
  if (!worker && node === undefined) {
    await resetSelection(state, home);
    return undefined;
  }
  if (!worker && node !== undefined) {
    try {
      mayWriteWorker(context);
      worker = await context.worker.create<Claim>(Claims, toWorkerClaim(home, { ...context, workerClass, node }));
      context.log.info({ claim: `${namespace}/${homeName}`, worker: name, node }, 'worker claim created');
    } catch (error) {
      if (isAlreadyExists(error)) worker = await workerNow(state, name);
      else if (isRefusal(error)) {
        await tellClaim(
          context,
          home,
          'ProvisioningFailed',
          `the worker cluster refused the claim: ${messageOf(error)}`,
        );
        const since = refusedSince.get(uid) ?? performance.now();
        refusedSince.set(uid, since);
        if (performance.now() - since > GIVE_BACK_MS) {
          refusedSince.delete(uid);
          await resetSelection(state, home);
          return undefined;
        }
        throw error;
      } else throw error;
    }
  }
  refusedSince.delete(uid);
  if (worker && holderOf(worker, context)?.uid !== uid) {
    const message = `the claim ${context.mountNamespace}/${name} of the worker cluster stands where this one's volume belongs and was not made for it; it is left alone: ask the worker's owner to remove it`;
    await tellClaim(context, home, 'NameTaken', message);
    throw new Error(message);
  }
  return worker;
}

/** The worker understood and said no. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && [400, 403, 422].includes(error.code);
}

export async function workerNow({ context }: Pick<VolumeState, 'context'>, name: string): Promise<Claim | undefined> {
  try {
    return await context.worker.get<Claim>(Claims, context.mountNamespace, name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The storage in the worker has given what was asked for: home gets its volume. */
async function finish(
  state: VolumeState,
  home: Claim,
  worker: Claim,
  facts: { storageClass: StorageClass; offer: Offer; vnode: KubeObject },
): Promise<Outcome> {
  const { context } = state;
  // Where it lies is said by the worker claim: home's scheduler may have changed its mind since.
  const node = worker.metadata.annotations?.[VolumeAnnotation.selectedNode];
  const record = context.stores.records.byIndex('node', node ?? '')[0];
  const made = [...context.stores.vnodes.values()].find(
    (each) => isOurs(state, each) && each.metadata.labels?.[Label.physicalNodeName] === (record?.spec.nodeName ?? node),
  );
  const vnode = made ?? facts.vnode;
  const where = reach({ ...facts, vnode, bindingName: context.bindingName });
  if (typeof where === 'string') return told(state, home, where);
  const volume = toHomeVolume(home, worker, { ...facts, vnode, bindingName: context.bindingName });
  if (!state.stores.volumes.has(volume.metadata.name)) {
    try {
      mayWriteHome(context);
      await context.home.create<Volume>(Volumes, volume);
      context.log.info({ claim: home.metadata.name, volume: volume.metadata.name }, 'home volume created');
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
  await markUsed(state, worker, volume.metadata.name);
  return { againInMs: RETRY_MS };
}

/** From now on there may be data in it: it never goes as an orphan. */
export async function markUsed({ context }: VolumeState, worker: Claim, volume: string): Promise<void> {
  const { uid, name, annotations } = worker.metadata;
  if (annotations?.[VolumeAnnotation.homeVolume] === volume && !annotations[VolumeAnnotation.retained]) return;
  mayWriteWorker(context);
  const marks = { [VolumeAnnotation.homeVolume]: volume, [VolumeAnnotation.retained]: null };
  const patch = { metadata: { uid, annotations: marks } };
  await context.worker.patch(Claims, context.mountNamespace, name, patch);
}

async function giveBack(state: VolumeState, home: Claim, worker: Claim, why: string): Promise<Outcome> {
  await tellClaim(state.context, home, 'ProvisioningFailed', `the worker cluster gives the volume back: ${why}`);
  await removeUnused(state, worker);
  await resetSelection(state, home);
  return undefined;
}

/** Of a worker claim that no home volume stands for: nothing was ever in it. */
export async function removeUnused({ context }: VolumeState, worker: Claim): Promise<void> {
  const { uid, name, deletionTimestamp, annotations, resourceVersion } = worker.metadata;
  if (deletionTimestamp || annotations?.[VolumeAnnotation.homeVolume] !== undefined) return;
  mayWriteWorker(context);
  try {
    // Only as it was looked at: it may have been marked since.
    const only = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    await context.worker.delete(Claims, context.mountNamespace, name, only);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/** As Kubernetes' own provisioners do it: home's scheduler tries the pod again, perhaps elsewhere. */
async function resetSelection({ context }: VolumeState, home: Claim): Promise<void> {
  const { namespace = '', name, uid, resourceVersion } = home.metadata;
  mayWriteHome(context);
  context.log.info({ claim: `${namespace}/${name}` }, 'node of a claim given back to the scheduler');
  const metadata = { uid, resourceVersion, annotations: { [VolumeAnnotation.selectedNode]: null } };
  try {
    await context.home.patch(Claims, namespace, name, { metadata });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
