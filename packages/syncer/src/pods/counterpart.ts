/** The counterpart of a home pod, asked for at the worker's API server: what a watch tells may be late. */
import { Annotation, migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { mayBelieveAbsence } from './gate.ts';
import type { PodState } from './state.ts';
import type { Pod } from './types.ts';
import { currentWorker } from './worker.ts';

/**
 * The counterpart of a home pod as the API server has it now, under our name, or under the one that gocrane/kubeocean gave
 * it when home says that it did. What home says decides no more than that it is asked for, too.
 * @throws ApiError, ConnectionError; WritesHeld when there is none, but the worker is not known to be the cluster it should be
 */
export async function counterpartNow(state: PodState, home: Pod): Promise<Pod | undefined> {
  const { namespace = '', name } = home.metadata;
  const worker = await currentWorker(state, workerName(state.context.bindingUID, namespace, name));
  if (worker) return worker;
  const migrated = isMigrated(home) ? await currentWorker(state, migratedWorkerName(namespace, name)) : undefined;
  if (!migrated) await mayBelieveAbsence(state.context);
  return migrated;
}

/** Whether home says that gocrane/kubeocean began to run this pod. */
export function isMigrated({ metadata: { namespace = '', name, annotations } }: Pod): boolean {
  const said = annotations?.[Annotation.physicalPodName];
  return said !== undefined && said === migratedWorkerName(namespace, name);
}
