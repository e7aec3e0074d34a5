/** The counterpart of a home pod, asked for at the worker's API server: what a watch tells may be late. */
import { migratedNameSaidBy, workerName } from '@kubeocean/shared/api';
import { mayBelieveAbsence } from '../../gate.ts';
import type { PodState } from '../state.ts';
import type { Pod } from '../types.ts';
import { currentWorker } from './worker.ts';

/**
 * The counterpart of a home pod as the API server has it now, under our name, or under the one that gocrane/kubeocean gave
 * it when home says that it did. What home says decides no more than that it is asked for, too.
 * @throws ApiError, ConnectionError; WritesHeld when the worker is not known to be the cluster it should be
 */
export async function counterpartNow(state: PodState, home: Pod): Promise<Pod | undefined> {
  // First, as one answer about the claim serves all pods that ask: what another cluster has got is no use either.
  await mayBelieveAbsence(state.context);
  const { namespace = '', name } = home.metadata;
  const worker = await currentWorker(state, workerName(state.context.bindingUID, namespace, name));
  if (worker) return worker;
  const other = migratedNameSaidBy(home);
  const migrated = other === undefined ? undefined : await currentWorker(state, other);
  // And again, as it may have become another one between the two.
  if (!migrated) await mayBelieveAbsence(state.context);
  return migrated;
}
