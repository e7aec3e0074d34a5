/**
 * The end of a binding: vnodes are emptied and go, then the copies in the worker, then the claim, then the finalizer.
 * With the annotation `kubeocean.io/abandon: "true"` it ends without the worker.
 */
import { Annotation, type ClusterBinding, Label, labelValue } from '@kubeocean/shared/api';
import {
  ConfigMaps,
  isConflict,
  isNotFound,
  type KubeObject,
  messageOf,
  Nodes,
  PAGE_SIZE,
  type Resource,
  Secrets,
  sleep,
} from '@kubeocean/shared/kube';
import type { ClaimKeeper } from '../claim/keeper.ts';
import type { SyncerContext } from '../context.ts';
import type { NodesController } from '../nodes/controller.ts';
import { nodeNameOf } from '../nodes/from-record.ts';
import { mayWriteWorker } from '../gate.ts';
import { createParts } from '../parts.ts';
import { releaseVolumes } from '../volumes/release.ts';
import { hasFinalizer, removeFinalizer } from './finalizer.ts';
import { bindingSubject } from './subject.ts';

export type Removal = 'none' | 'drain' | 'abandon';

/** Whether the vnodes of a binding have to go, and how. Pure. */
export function removalOf(binding: ClusterBinding): Removal {
  if (!binding.metadata.deletionTimestamp) return 'none';
  return binding.metadata.annotations?.[Annotation.abandon] === 'true' ? 'abandon' : 'drain';
}

export interface UnbindingParts {
  claim: ClaimKeeper;
  nodes: NodesController;
  /** Whether anything of this binding can be in the worker at all: it has held its claim once. */
  everClaimed: () => boolean;
  /** Whether the worker has answered lately. */
  workerAnswers: () => boolean;
}

const WITHOUT = `to end without the worker: kubectl annotate clusterbinding NAME ${Annotation.abandon}=true`;

/** What unbinding waits for, or undefined when the next step can be taken. Pure. */
export function unbindingWaitsFor(state: {
  removal: Removal;
  vnodes: number;
  homePods: number;
  everClaimed: boolean;
  claimHeld: boolean;
  claimRefusal: string | undefined;
  workerAnswers: boolean;
  workerPodsKnown: boolean;
  workerPods: number;
}): string | undefined {
  const cut = `the worker cluster to clean up in does not answer or does not know this binding; ${WITHOUT}`;
  if (state.vnodes > 0) {
    const left = `${state.vnodes} vnodes with ${state.homePods} pods to go`;
    if (state.removal !== 'drain' || state.homePods === 0) return left;
    if (state.claimRefusal === 'Released' && state.workerAnswers) {
      return `${left}: the owner of the worker cluster took the lease back, and the agent there ends them; ${WITHOUT}`;
    }
    return state.claimHeld && state.workerAnswers ? left : `${left}, but ${cut}`;
  }
  if (state.removal === 'abandon' || !state.everClaimed) return undefined;
  // The worker serves somebody else by now, or its owner took the lease back: the agent cleans up there.
  if (state.claimRefusal === 'NameTaken' || state.claimRefusal === 'Released') return undefined;
  if (!state.claimHeld || !state.workerPodsKnown) {
    return cut;
  }
  if (state.workerPods > 0) return `${state.workerPods} pods in the worker to go`;
  return undefined;
}

const LOOK_MS = 1000;
/**
 * Looks at which the way out must have been the same before it is told. Whoever has just begun, or whose end failed, has yet to
 * look at the claim, once in ten seconds: a worker that answers is not to be given up for that.
 */
const PATIENT_LOOKS = 12;
const LONGEST_PAUSE_MS = 30_000;

/** How long until the end is tried again that has failed so often in a row, in milliseconds. Pure. */
export function pauseMs(failures: number): number {
  return Math.min(LOOK_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
}

/** Waits for the deletion of the binding and sees it through. Ends when the finalizer is off or the signal aborts. */
export async function unbind(context: SyncerContext, parts: UnbindingParts, signal: AbortSignal): Promise<void> {
  const { stores, log } = context;
  let told = '';
  let waited = { text: '', looks: 0 };
  let mode: Removal = 'none';
  let failures = 0;
  let tryAt = 0;
  while (!signal.aborted) {
    const binding = context.binding();
    const removal = removalOf(binding);
    if (removal !== mode) {
      mode = removal;
      // Without the worker it may end at once.
      tryAt = 0;
      log.info({ removal }, 'unbinding');
      parts.nodes.resync();
    }
    if (removal !== 'none') {
      if (!hasFinalizer(binding)) return;
      const waits = unbindingWaitsFor({
        removal,
        vnodes: parts.nodes.count,
        homePods: stores.homePods.size,
        everClaimed: parts.everClaimed(),
        claimHeld: parts.claim.held,
        claimRefusal: parts.claim.refusal,
        workerAnswers: parts.workerAnswers(),
        workerPodsKnown: stores.workerPods.hasSynced,
        workerPods: stores.workerPods.size,
      });
      if (waits === undefined) {
        if (performance.now() >= tryAt) {
          const error = await finish(context, parts.claim, removal, signal).catch((thrown: unknown) => ({ thrown }));
          if (!error) return log.info('unbound');
          if (signal.aborted) return;
          failures++;
          tryAt = performance.now() + pauseMs(failures);
          tellFailure(context, removal, error.thrown);
        }
      } else {
        // Not at each pod that goes: events about one object are cut, and it may come to wait for something worse.
        const text = withoutNumbers(waits);
        waited = { text, looks: text === waited.text ? waited.looks + 1 : 0 };
        if (text !== told && (waited.looks >= PATIENT_LOOKS || !waits.includes(WITHOUT))) {
          told = text;
          tell(context, 'Normal', `waiting for ${waits.replace('NAME', binding.metadata.name)}`);
        }
      }
    }
    await sleep(LOOK_MS, signal).catch(() => undefined);
  }
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+/g, '');
}

function tellFailure(context: SyncerContext, removal: Removal, error: unknown): void {
  context.log.warn({ error: messageOf(error) }, 'unbinding is tried again');
  // First the way out: events are cut.
  const { name } = context.binding().metadata;
  const wayOut = removal === 'drain' ? ` (${WITHOUT.replace('NAME', name)})` : '';
  tell(context, 'Warning', `it cannot end yet and is tried again${wayOut}: ${messageOf(error)}`);
}

function tell(context: SyncerContext, type: 'Normal' | 'Warning', message: string): void {
  context.homeEvents.event(bindingSubject(context.binding()), type, 'Unbinding', message);
}

async function finish(
  context: SyncerContext,
  claim: ClaimKeeper,
  removal: Removal,
  signal: AbortSignal,
): Promise<void> {
  // At the moment in which nothing was waited for: a claim that is lost from here on fails a step instead of leaving all behind.
  const withWorker = removal === 'drain' && claim.held;
  await mustBeWithoutVnodes(context);
  const parts = createParts();
  const kept = (await parts.run(() => releaseVolumes(context, withWorker))) ?? 0;
  if (kept > 0) context.log.info({ volumes: kept }, 'volumes stay, with their data, for a binding of this name');
  // Home's Secrets do not stay in the worker because of a volume.
  if (withWorker) await parts.run(() => deleteCopies(context, signal));
  if (parts.failure !== undefined) throw parts.failure;
  if (withWorker) {
    mayWriteWorker(context);
    await claim.release();
  }
  await context.report.stop();
  await removeFinalizer(context.home, context.binding());
}

/**
 * One may have been made a moment ago, of which no watch has told, or have lost the label by which it is watched: nobody would
 * take its finalizer off later.
 */
async function mustBeWithoutVnodes({ home, bindingName, bindingUID, clusterID }: SyncerContext): Promise<void> {
  const { items } = await home.list<KubeObject>(Nodes, { labelSelector: `${Label.bindingUID}=${bindingUID}` });
  const left = items.find(({ spec }) =>
    nodeNameOf((spec as { providerID?: string } | undefined)?.providerID, clusterID),
  );
  if (!left) return;
  const { name, uid, labels } = left.metadata;
  const watched = { [Label.clusterBinding]: labelValue(bindingName) };
  if (labels?.[Label.clusterBinding] !== watched[Label.clusterBinding]) {
    await home.patch(Nodes, '', name, { metadata: { uid, labels: watched } });
  }
  throw new Error(`the vnode ${name} is still there`);
}

/** One that a webhook guards does not keep the others. @throws the first failure */
async function deleteCopies(context: SyncerContext, signal: AbortSignal): Promise<void> {
  const { worker, mountNamespace: namespace } = context;
  const selection = { namespace, labelSelector: `${Label.bindingUID}=${context.bindingUID}`, limit: PAGE_SIZE };
  const parts = createParts();
  for (const resource of [ConfigMaps, Secrets]) {
    // Each once: one that a finalizer of somebody else keeps would be in every new list.
    for await (const page of worker.pages(resource, selection, { signal, metadataOnly: true })) {
      for (const { metadata } of page.items) await parts.run(() => remove(resource, metadata));
    }
  }
  if (parts.failure !== undefined) throw parts.failure;

  async function remove(resource: Resource, { name, uid }: KubeObject['metadata']): Promise<void> {
    mayWriteWorker(context);
    try {
      await worker.delete(resource, namespace, name, { ...(uid && { uid }), signal });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}
