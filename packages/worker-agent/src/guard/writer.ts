/** Carries out planned writes of LeaseGuards. */
import { LeaseGuards } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import { isAlreadyExists, isConflict, isNotFound, type KubeClient } from '@kubeocean/shared/kube';
import type { GuardWrite } from './open-nodes.ts';

/**
 * Makes one write. One that finds another object than was seen is no error: the watch will tell, and the next look
 * decides anew.
 * @throws ApiError | ConnectionError
 */
export async function writeGuard(
  client: KubeClient,
  write: GuardWrite,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = write.guard.metadata;
  const fields = { guard: `${namespace}/${name}` };
  try {
    if (write.kind === 'create') await client.create(LeaseGuards, write.guard, { signal });
    else await client.patch(LeaseGuards, namespace, name, { metadata: { uid }, ...write.patch }, { signal });
    log.info(fields, 'nodes open for new pods written');
  } catch (error) {
    if (!isNotFound(error) && !isAlreadyExists(error) && !isConflict(error)) throw error;
    log.debug(fields, 'the guard changed meanwhile');
  }
}
