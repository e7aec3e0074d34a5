/** What a pod that was never run is told while nothing may be written to the worker for it. */
import { patchHomeStatus } from '../writes/home.ts';
import { notRunPatch } from '../status/own-patches.ts';
import { type PodState, workerOf } from '../state.ts';
import { wasShown } from '../status/to-home.ts';
import { isTerminal, type Pod } from '../types.ts';

/** Who waits for so long again has waited for about as long. What is over in a moment is worth no write. Milliseconds. */
const LONG_MS = 12_000;

/**
 * Says so on the pod, once, when that has lasted for a while.
 * @param waitMs until it is looked at again, which it gives back
 * @throws ApiError, ConnectionError
 */
export async function tellHeld(
  state: Pick<PodState, 'context' | 'created'>,
  homeKey: string,
  waitMs: number,
): Promise<number> {
  const { context } = state;
  const home = context.stores.homePods.get(homeKey) as Pod | undefined;
  if (waitMs < LONG_MS || !home || !context.leadership.isCurrent()) return waitMs;
  if (home.metadata.deletionTimestamp || isTerminal(home) || wasShown(home) || workerOf(state, home)) return waitMs;
  const message = `it waits: nothing is asked of a worker cluster that does not answer or does not know this binding. See the conditions of the ClusterBinding ${context.bindingName}`;
  const patch = notRunPatch(home, 'FailedCreate', message, context.now(), 'refused');
  if (patch) await patchHomeStatus(context, home, patch);
  return waitMs;
}
