/**
 * Makes the worker pod follow what changed of its home pod while it runs. Each step looks at the two objects anew, so a
 * step that failed is simply taken again.
 */
import {
  ApiError,
  is404,
  isOlder,
  keyOf,
  type KubeObject,
  mayBeDone,
  messageOf,
  type PatchOptions,
  Pods,
} from '@kubeocean/shared/kube';
import type { Quantity } from '@kubeocean/shared/lease';
import {
  amountsPatch,
  askedRequests,
  ephemeralPatch,
  grows,
  missingEphemeral,
  type ResizePatch,
  resized as asResized,
  resizePatch,
  specPatch,
  updatePatch,
} from './changes.ts';
import { factsFor } from '../creation/creation.ts';
import { misfit, type Reason } from '../placement/eligibility.ts';
import { type Asked, type FollowMemory, refusedKey } from './follow-memory.ts';
import { isGone, mayWriteWorker } from '../../gate.ts';
import { createParts } from '../../parts.ts';
import { Refusal } from '../translation/refusal.ts';
import { FAILURES, REFUSALS } from '../creation/refused.ts';
import { REPAIR_AGAIN_MS } from './repair.ts';
import type { PodState } from '../state.ts';
import type { OwnWord } from '../status/to-home.ts';
import { wantedMetadata, workerMetadataPatch } from '../translation/to-worker.ts';
import { type Container, type Pod, podSubject } from '../types.ts';
import { wordsFor } from '../status/words.ts';
import { currentWorker } from '../writes/worker.ts';

/** A resize that has no room is looked at again: another pod may have ended. */
const DEFERRED_MS = 5000;
const REFUSED_FIRST_MS = 2000;
const REFUSED_LONGEST_MS = 300_000;
const NO_RESIZE =
  'the worker cluster cannot resize pods: its API server has no pods/resize (Kubernetes 1.33, or the feature gate InPlacePodVerticalScaling before)';

export interface Followed {
  own: OwnWord;
  /** Look again after so long: something could not be done now. */
  againInMs?: number;
  failure?: unknown;
}

/**
 * What fails does not keep the rest back.
 * @returns also the first failure, for the caller to throw once it has shown how the pod is
 */
export async function follow(state: PodState, home: Pod, worker: Pod, memory: FollowMemory): Promise<Followed> {
  const { context } = state;
  const { namespace = '', name } = worker.metadata;
  const { uid = '' } = home.metadata;
  const own: OwnWord = {};
  const waits: number[] = [];
  const parts = createParts();

  const facts = { carriedPrefixes: state.carriedPrefixes() };
  const metadata = workerMetadataPatch(home, worker, facts);
  if (metadata) await parts.run(() => followMetadata(metadata));
  const debug = missingEphemeral(home, worker);
  if (debug.length > 0) {
    const message = await parts.run(addDebug);
    if (message !== undefined) own.debug = { names: debug.map((container) => container.name), message };
  }
  const unnoted = memory.unnoted.get(uid);
  const resize = resizePatch(home, worker, unnoted === undefined);
  let resized: 'none' | 'sent' | 'waits' = resize ? 'waits' : 'none';
  if (resize) {
    await parts.run(async () => {
      own.resize = await resizeNow(resize);
      if (!own.resize) resized = 'sent';
    });
  }
  const spec = specPatch(home, worker);
  // Last: the note that goes with it tells of the resize, too.
  await noteAndUpdate();
  // What home's status says of a change it has observed, as a kubelet has that puts a resize off: kubectl waits for no condition
  // of a pod whose status is behind.
  own.behind = spec !== undefined || (debug.length > 0 && !own.debug) || (resize !== undefined && !own.resize);
  return { own, ...(waits.length > 0 && { againInMs: Math.min(...waits) }), failure: parts.failure };

  /** No more often than what somebody else changed is put right, unless home has changed. */
  async function followMetadata(patch: object): Promise<void> {
    const wanted = JSON.stringify(wantedMetadata(home, facts));
    const last = memory.labelled.get(uid);
    const left = last?.wanted === wanted ? last.at + REPAIR_AGAIN_MS - performance.now() : 0;
    if (left > 0) return void waits.push(left);
    if ((await send('labels', patch, { type: 'merge' })) !== undefined) return;
    memory.labelled.set(uid, { wanted, at: performance.now() });
  }

  async function noteAndUpdate(): Promise<void> {
    const update = updatePatch(home, worker, spec, resized);
    let isNoted = update === undefined;
    if (update) isNoted = (await parts.run(async () => (await send('update', update)) === undefined)) ?? false;
    if (!isNoted && spec && resized !== 'waits') {
      // The image is not taken. That the resize was must be known all the same, or taking it back would seem no change.
      const amounts = amountsPatch(home, worker);
      isNoted = amounts === undefined;
      if (amounts) isNoted = (await parts.run(async () => (await send('amounts', amounts)) === undefined)) ?? false;
    }
    // A watch that has not told of the resize yet makes it seem undone.
    const isBehind = unnoted !== undefined && isOlder(worker.metadata.resourceVersion ?? '', unnoted);
    if (isNoted && (resized === 'sent' || (resized === 'none' && !isBehind))) memory.unnoted.delete(uid);
  }

  /** @returns why it has to wait. */
  async function resizeNow(patch: ResizePatch): Promise<Reason | undefined> {
    const wanted = askedRequests(asResized(worker, patch));
    const why = whyNotResized(state, home, worker, wanted);
    if (why) {
      waits.push(DEFERRED_MS);
      return why;
    }
    // At once, so that the next pod that looks for room sees it: the watch tells of it much later.
    const key = keyOf(home);
    state.room.asks(key, wanted);
    let revision: string | undefined;
    try {
      const message = await send('resize', patch, { subresource: 'resize' }, ({ metadata }) => {
        revision = metadata.resourceVersion;
        memory.unnoted.set(uid, revision ?? '');
      });
      if (message === undefined) return undefined;
      return { reason: message === NO_RESIZE ? 'Infeasible' : 'Deferred', message };
    } catch (error) {
      // It may be done all the same: what the watch tells next will say.
      const known = worker.metadata.resourceVersion ?? '';
      if (mayBeDone(error) && /^\d+$/.test(known)) memory.unnoted.set(uid, String(BigInt(known) + 1n));
      throw error;
    } finally {
      state.room.answered(key, revision);
    }
  }

  /**
   * @param done told of the worker pod as it is then
   * @returns the worker's words when it refuses.
   */
  async function send(
    what: Asked,
    patch: object,
    options: Pick<PatchOptions, 'type' | 'subresource'> = {},
    done?: (after: KubeObject) => void,
  ): Promise<string | undefined> {
    const key = refusedKey(uid, what);
    const asked = JSON.stringify(patch);
    const known = memory.refused.get(key);
    // Something else is asked for now, which may well be taken.
    const before = known?.asked === asked ? known : undefined;
    const left = (before?.until ?? 0) - performance.now();
    if (before && left > 0) {
      waits.push(left);
      return before.message;
    }
    mayWriteWorker(context);
    try {
      const after = await context.worker.patch(Pods, namespace, name, patch, { type: 'strategic', ...options });
      done?.(after);
      memory.refused.delete(key);
      return undefined;
    } catch (error) {
      const unknown = is404(error) && options.subresource !== undefined && (await isThere());
      if (isGone(error) && !unknown) {
        memory.refused.delete(key);
        return undefined;
      }
      const isFailure = error instanceof ApiError && FAILURES.includes(error.code);
      if (!isFailure && !(error instanceof ApiError && REFUSALS.includes(error.code))) throw error;
      const words = wordsFor(home, context, worker);
      const noResize = unknown && options.subresource === 'resize';
      const message = noResize ? NO_RESIZE : `the worker cluster refused it: ${words(messageOf(error))}`;
      const count = (before?.count ?? 0) + 1;
      if (isFailure) {
        // Once may be for a moment only, and the queue has pauses of its own.
        memory.refused.set(key, { count, until: 0, message, asked });
        if (count === 2) context.homeEvents.event(podSubject(home), 'Warning', 'FailedUpdate', message);
        throw error;
      }
      // An API server learns a subresource only by an upgrade.
      const waitMs = unknown ? REFUSED_LONGEST_MS : Math.min(REFUSED_FIRST_MS * 2 ** (count - 1), REFUSED_LONGEST_MS);
      memory.refused.set(key, { count, until: performance.now() + waitMs, message, asked });
      waits.push(waitMs);
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedUpdate', message);
      return message;
    }
  }

  /** A subresource that an API server does not have answers as one of a pod that is gone. */
  async function isThere(): Promise<boolean> {
    return (await currentWorker(state, name))?.metadata.uid === worker.metadata.uid;
  }

  async function addDebug(): Promise<string | undefined> {
    try {
      await state.dependents.prepare(withOnly(home, debug));
      const patch = ephemeralPatch(home, worker, await factsFor(state, worker.spec.nodeName ?? '', home));
      return patch && (await send('debug', patch, { subresource: 'ephemeralcontainers' }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedUpdate', error.message);
      return error.message;
    }
  }
}

/** As far as these debug containers are concerned: what else the pod refers to must not keep them back. */
function withOnly(home: Pod, ephemeralContainers: Container[]): Pod {
  const nothing = { containers: [], initContainers: [], volumes: [], imagePullSecrets: [] };
  return { ...home, spec: { ...home.spec, ...nothing, ephemeralContainers } };
}

/**
 * What a kubelet checks before it resizes a pod: the scheduler has no say in it. A resize that only takes less is let
 * through however little is lent; but where a lease takes no pods, the worker's admission policy takes no resize either.
 */
function whyNotResized(
  state: PodState,
  home: Pod,
  worker: Pod,
  asked: ReadonlyMap<string, Quantity>,
): Reason | undefined {
  const record = state.context.stores.records.byIndex('vnode', home.spec.nodeName ?? '')[0];
  const phase = record?.status?.phase;
  const takesMore = grows(askedRequests(worker), asked);
  if (phase !== 'Active' && (takesMore || phase !== undefined)) {
    const message = `the lease of ${home.spec.nodeName} is ${phase ?? 'not known'}: no pod is resized there now`;
    return { reason: 'Deferred', message };
  }
  if (!takesMore || !record?.status) return undefined;
  const { allocatable } = record.status;
  const never = misfit(asked, new Map(), allocatable);
  if (never) return { reason: 'Infeasible', message: never.message };
  const now = misfit(asked, state.room.used(home.spec.nodeName ?? '', keyOf(home)), allocatable);
  return now && { reason: 'Deferred', message: now.message };
}
