/** The pods' side of the syncer. Start it once all stores have synced and leadership and the claim are held. */
import { randomBytes } from 'node:crypto';
import { Annotation, BindingCondition } from '@kubeocean/shared/api';
import { messageOf } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { startDependents } from '../dependents/index.ts';
import { createPodController, type PodController } from './controller.ts';
import { createDeletionGuard, type DeletionGuard, type GuardState } from './deletion-guard.ts';
import { createHomeNetwork } from './home-network.ts';
import type { PodState } from './state.ts';

export interface Pods {
  /** Counts deletions that nobody asked for; removals of vnodes ask it too. */
  guard: DeletionGuard;
  stop(): Promise<void>;
}

export function startPods(context: SyncerContext): Pods {
  const stopping = new AbortController();
  const guard = guardOf(context);
  let controller: PodController | undefined;
  let stopDependents: (() => Promise<void>) | undefined;

  async function start(): Promise<void> {
    const dependents = await startDependents(context, {
      signal: AbortSignal.any([context.leadership.signal, stopping.signal]),
      onAppeared: (homeKey) => controller?.add(homeKey),
    });
    stopDependents = () => dependents.stop();
    if (stopping.signal.aborted) return;
    const state: PodState = {
      context,
      dependents,
      guard,
      network: createHomeNetwork(context.home, context.settings),
      admitted: new Set(),
      created: new Map(),
      released: new Set(),
    };
    controller = createPodController(state);
    controller.start();
  }

  start().catch((error: unknown) => context.log.error({ error: messageOf(error) }, 'pods could not be started'));
  return {
    guard,
    async stop() {
      stopping.abort();
      await Promise.all([controller?.stop(), stopDependents?.()]);
    },
  };
}

function guardOf(context: SyncerContext): DeletionGuard {
  const guard = createDeletionGuard({
    population: () => context.stores.workerPods.size,
    approval: () => context.binding().metadata.annotations?.[Annotation.approveDeletions],
    clock: () => performance.now(),
    token: () => randomBytes(4).toString('hex'),
    onChange: report,
  });
  report({ stopped: false });
  return guard;

  function report(state: GuardState): void {
    context.report.condition(
      state.stopped
        ? {
            type: BindingCondition.deletionGuard,
            status: 'True',
            reason: 'TooManyDeletions',
            message: `${state.waiting} pods would be deleted or failed although nobody asked for it; if that is right: kubectl annotate clusterbinding ${context.bindingName} --overwrite ${Annotation.approveDeletions}=${state.token}`,
          }
        : {
            type: BindingCondition.deletionGuard,
            status: 'False',
            reason: 'NothingHeld',
            message: 'no deletion is held back',
          },
    );
  }
}
