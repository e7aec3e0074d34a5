/**
 * Makes the worker pod follow what changed of its home pod while it runs. Each step looks at the two objects anew, so a
 * step that failed is simply taken again.
 */
import { ApiError, keyOf, type KubeObject, messageOf, type PatchOptions, Pods } from '@kubeocean/shared/kube';
import type { Quantity } from '@kubeocean/shared/lease';
import {
  askedRequests,
  ephemeralPatch,
  grows,
  missingEphemeral,
  type ResizePatch,
  resized,
  resizePatch,
  specPatch,
  updatePatch,
} from './changes.ts';
import { factsFor } from './creation.ts';
import { misfit, type Reason } from './eligibility.ts';
import { isGone, mayWriteWorker } from './gate.ts';
import { Refusal } from './refusal.ts';
import type { PodState } from './state.ts';
import type { OwnWord } from './to-home.ts';
import { workerMetadataPatch } from './to-worker.ts';
import { type Pod, podSubject } from './types.ts';
import { wordsFor } from './words.ts';

/** A resize that has no room is looked at again: another pod may have ended. */
const DEFERRED_MS = 5000;
const REFUSED_FIRST_MS = 2000;
const REFUSED_LONGEST_MS = 300_000;

export interface Followed {
  own: OwnWord;
  /** Look again after so long: something could not be done now. */
  againInMs?: number;
}

/** What can be asked for of a pod that runs. */
export const CHANGES = ['labels', 'update', 'debug', 'resize'] as const;

/** What the worker refused of a pod, until it is asked again. By home UID and what was asked. */
export type Refused = Map<string, { count: number; until: number; message: string; asked: string }>;

export async function follow(state: PodState, home: Pod, worker: Pod, refused: Refused): Promise<Followed> {
  const { context } = state;
  const { namespace = '', name } = worker.metadata;
  const own: OwnWord = {};
  const waits: number[] = [];

  const metadata = workerMetadataPatch(home, worker, { carriedPrefixes: state.carriedPrefixes() });
  if (metadata) await send('labels', metadata, { type: 'merge' });
  const debug = missingEphemeral(home, worker);
  if (debug.length > 0) {
    const message = await addDebug();
    if (message !== undefined) own.debug = { names: debug.map((container) => container.name), message };
  }
  const resize = resizePatch(home, worker);
  if (resize) own.resize = await resizeNow(resize);
  const spec = specPatch(home, worker);
  // Last: the note that goes with it tells of the resize, too.
  const update = updatePatch(home, worker, spec, resize ? (own.resize ? 'waits' : 'sent') : 'none');
  if (update) await send('update', update);
  own.behind = spec !== undefined || debug.length > 0 || resize !== undefined;
  return { own, ...(waits.length > 0 && { againInMs: Math.min(...waits) }) };

  /** @returns why it has to wait. */
  async function resizeNow(patch: ResizePatch): Promise<Reason | undefined> {
    const wanted = askedRequests(resized(worker, patch));
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
      });
      return message === undefined ? undefined : { reason: 'Deferred', message };
    } finally {
      state.room.answered(key, revision);
    }
  }

  /**
   * @param done told of the worker pod as it is then
   * @returns the worker's words when it refuses.
   */
  async function send(
    what: (typeof CHANGES)[number],
    patch: object,
    options: Pick<PatchOptions, 'type' | 'subresource'> = {},
    done?: (after: KubeObject) => void,
  ): Promise<string | undefined> {
    const key = `${home.metadata.uid}/${what}`;
    const asked = JSON.stringify(patch);
    const known = refused.get(key);
    // Something else is asked for now, which may well be taken.
    const before = known?.asked === asked ? known : undefined;
    const left = (before?.until ?? 0) - performance.now();
    if (before && left > 0) {
      waits.push(left);
      return before.message;
    }
    mayWriteWorker(context);
    try {
      const sent = context.worker.patch(Pods, namespace, name, patch, { type: 'strategic', ...options });
      const after = await unlessGone(sent);
      if (after) done?.(after);
      refused.delete(key);
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 403, 404, 422].includes(error.code)) throw error;
      const words = wordsFor(home, context, worker);
      const message = `the worker cluster refused it: ${words(messageOf(error))}`;
      const count = (before?.count ?? 0) + 1;
      const waitMs = Math.min(REFUSED_FIRST_MS * 2 ** (count - 1), REFUSED_LONGEST_MS);
      refused.set(key, { count, until: performance.now() + waitMs, message, asked });
      waits.push(waitMs);
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedUpdate', message);
      return message;
    }
  }

  async function addDebug(): Promise<string | undefined> {
    try {
      await state.dependents.prepare(home);
      const patch = ephemeralPatch(home, worker, await factsFor(state, worker.spec.nodeName ?? '', home));
      return patch && (await send('debug', patch, { subresource: 'ephemeralcontainers' }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedUpdate', error.message);
      return error.message;
    }
  }
}

/**
 * What a kubelet checks before it resizes a pod: the scheduler has no say in it. A resize that only takes less is let
 * through whatever is lent.
 */
function whyNotResized(
  state: PodState,
  home: Pod,
  worker: Pod,
  asked: ReadonlyMap<string, Quantity>,
): Reason | undefined {
  const record = state.context.stores.records.byIndex('vnode', home.spec.nodeName ?? '')[0];
  if (!grows(askedRequests(worker), asked)) return undefined;
  if (record?.status?.phase !== 'Active') {
    const message = `the lease of ${home.spec.nodeName} is ${record?.status?.phase ?? 'not known'}: nothing more is taken of it now`;
    return { reason: 'Deferred', message };
  }
  const { allocatable } = record.status;
  const never = misfit(asked, new Map(), allocatable);
  if (never) return { reason: 'Infeasible', message: never.message };
  const now = misfit(asked, state.room.used(home.spec.nodeName ?? '', keyOf(home)), allocatable);
  return now && { reason: 'Deferred', message: now.message };
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (!isGone(error)) throw error;
    return undefined;
  }
}
