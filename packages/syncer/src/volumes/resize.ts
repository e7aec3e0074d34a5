/** A volume that grows: asked for on the home claim, done by the worker's storage, shown at home. */
import { isConflict, messageOf, type Outcome } from '@kubeocean/shared/kube';
import { mayWriteHome, mayWriteWorker } from '../pods/gate.ts';
import { isRefusal } from './provision.ts';
import type { VolumeState } from './state.ts';
import { capacityPatch, claimStatusPatch } from './to-home.ts';
import { sizePatch } from './to-worker.ts';
import { type Claim, Claims, claimSubject, type Volume, Volumes } from './types.ts';

const REFUSED_MS = 60_000;

/** Brings size and capacity of a bound claim in step. */
export async function resize(state: VolumeState, home: Claim, volume: Volume, worker: Claim): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name } = home.metadata;
  const ask = sizePatch(home, worker);
  let outcome: Outcome;
  if (ask) {
    try {
      mayWriteWorker(context);
      await context.worker.patch(Claims, context.mountNamespace, worker.metadata.name, ask);
      context.log.info({ claim: `${namespace}/${name}`, worker: worker.metadata.name }, 'worker claim resized');
    } catch (error) {
      if (!isRefusal(error) || isConflict(error)) throw error;
      const message = `the worker cluster refused to enlarge the volume: ${messageOf(error)}`;
      context.homeEvents.event(claimSubject(home), 'Warning', 'VolumeResizeFailed', message);
      outcome = { againInMs: REFUSED_MS };
    }
  }
  const capacity = capacityPatch(volume, worker);
  if (capacity) {
    mayWriteHome(context);
    await context.home.patch(Volumes, '', volume.metadata.name, capacity);
  }
  const status = claimStatusPatch(home, worker);
  if (status) {
    mayWriteHome(context);
    try {
      await context.home.patch(Claims, namespace, name, status, { subresource: 'status' });
    } catch (error) {
      if (!isConflict(error)) throw error;
      return { againInMs: 500 };
    }
  }
  return outcome;
}
