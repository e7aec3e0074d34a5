/**
 * Makes the worker pod follow what changed of its home pod while it runs. Each step looks at the two objects anew, so a
 * step that failed is simply taken again.
 */
import { ApiError, keyOf, messageOf, type PatchOptions, Pods } from '@kubeocean/shared/kube';
import { askedRequests, ephemeralPatch, grows, missingEphemeral, resizePatch, specPatch } from './changes.ts';
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
  const spec = specPatch(home, worker);
  if (spec) await send('update', spec);
  const debug = missingEphemeral(home, worker);
  if (debug.length > 0) {
    const message = await addDebug();
    if (message !== undefined) own.debug = { names: debug.map((container) => container.name), message };
  }
  const resize = resizePatch(home, worker);
  if (resize) {
    const why = whyNotResized(state, home, worker);
    if (why) {
      own.resize = why;
      waits.push(DEFERRED_MS);
    } else {
      const message = await send('resize', resize, { subresource: 'resize' });
      if (message !== undefined) own.resize = { reason: 'Deferred', message };
    }
  }
  own.behind = spec !== undefined || debug.length > 0 || resize !== undefined;
  return { own, ...(waits.length > 0 && { againInMs: Math.min(...waits) }) };

  /** @returns the worker's words when it refuses. */
  async function send(
    what: (typeof CHANGES)[number],
    patch: object,
    options: Pick<PatchOptions, 'type' | 'subresource'> = {},
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
      await unlessGone(context.worker.patch(Pods, namespace, name, patch, { type: 'strategic', ...options }));
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
function whyNotResized(state: PodState, home: Pod, worker: Pod): Reason | undefined {
  const record = state.context.stores.records.byIndex('vnode', home.spec.nodeName ?? '')[0];
  const asked = askedRequests(home);
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

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
