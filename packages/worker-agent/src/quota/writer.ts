/** Carries out planned writes of ResourceQuotas. */
import type { Logger } from '@kubeocean/shared/daemon';
import { isAlreadyExists, isConflict, isNotFound, type KubeClient, ResourceQuotas } from '@kubeocean/shared/kube';
import type { QuotaWrite } from './plan.ts';

/**
 * Makes one write. One that finds another object than was seen is no error: the watch will tell, and the next look
 * decides anew.
 * @throws ApiError | ConnectionError
 */
export async function writeQuota(
  client: KubeClient,
  write: QuotaWrite,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '', name, uid } = write.quota.metadata;
  const hard = write.kind === 'create' ? write.quota.spec.hard : write.hard;
  try {
    if (write.kind === 'create') await client.create(ResourceQuotas, write.quota, { signal });
    else await client.patch(ResourceQuotas, namespace, name, { metadata: { uid }, spec: { hard } }, { signal });
    log.info({ quota: `${namespace}/${name}`, pods: hard?.['pods'] }, 'quota written');
  } catch (error) {
    if (!isNotFound(error) && !isAlreadyExists(error) && !isConflict(error)) throw error;
    log.debug({ quota: `${namespace}/${name}` }, 'the quota changed meanwhile');
  }
}
