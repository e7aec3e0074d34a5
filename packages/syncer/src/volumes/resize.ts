/** A volume that grows: asked for on the home claim, done by the worker's storage, shown at home. */
import { isConflict, messageOf, type Outcome } from '@kubeocean/shared/kube';
import { mayWriteHome, mayWriteWorker, WritesHeld } from '../gate.ts';
import { failedAgain, isRefusal } from './failures.ts';
import type { VolumeState } from './state.ts';
import { capacityPatch, claimStatusPatch } from './to-home.ts';
import { sizePatch } from './to-worker.ts';
import { type Claim, Claims, claimSubject, type Volume, Volumes } from './types.ts';

const REFUSED_MS = 60_000;

/** Brings size and capacity of a bound claim in step. */
export async function resize(state: VolumeState, home: Claim, volume: Volume, worker: Claim): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name } = home.metadata;
  // What the worker has shows at home even while it takes no other size.
  const asked = await ask(state, home, worker).catch((error: unknown) => ({ error }));
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
  if (asked && 'error' in asked) throw asked.error;
  return asked;
}

/** Asks the worker's storage for the size that home asks for. @throws ApiError, ConnectionError, WritesHeld */
async function ask(state: VolumeState, home: Claim, worker: Claim): Promise<{ againInMs: number } | undefined> {
  const { context } = state;
  const { namespace = '', name, uid = '' } = home.metadata;
  const patch = sizePatch(home, worker);
  if (patch) {
    try {
      mayWriteWorker(context);
      await context.worker.patch(Claims, context.mountNamespace, worker.metadata.name, patch);
      context.log.info({ claim: `${namespace}/${name}`, worker: worker.metadata.name }, 'worker claim resized');
    } catch (error) {
      if (error instanceof WritesHeld || isConflict(error)) throw error;
      const refused = isRefusal(error);
      if (failedAgain(state, uid).times > 1 || refused) {
        const message = `the worker cluster ${refused ? 'refused' : 'could not take'} the volume's new size: ${messageOf(error)}`;
        context.homeEvents.event(claimSubject(home), 'Warning', 'VolumeResizeFailed', message);
      }
      if (!refused) throw error;
      return { againInMs: REFUSED_MS };
    }
  }
  state.failing.delete(uid);
  return undefined;
}
