/** Writes on home pods. Each names the UID of the pod it means; a pod that is gone or another by now is left alone. */
import { ApiError, Pods } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../../context.ts';
import { isGone, mayWriteHome } from '../../gate.ts';
import type { StatusPatch } from '../status/to-home.ts';
import type { Pod } from '../types.ts';

/** The pod as the API server has it now; undefined when it is gone. @throws ApiError, ConnectionError */
export async function currentHome(context: SyncerContext, namespace: string, name: string): Promise<Pod | undefined> {
  return gone(context.home.get<Pod>(Pods, namespace, name));
}

/** @returns the pod's resourceVersion after the patch; undefined when it is gone or another by now, or took none of it. */
export async function patchHomeStatus(
  context: SyncerContext,
  home: Pod,
  patch: StatusPatch,
): Promise<string | undefined> {
  const { namespace = '', name } = home.metadata;
  async function send(body: StatusPatch): Promise<string | undefined> {
    mayWriteHome(context);
    const options = { type: 'strategic', subresource: 'status', metadataOnly: true } as const;
    const after = await gone(context.home.patch(Pods, namespace, name, body, options));
    return after?.metadata.resourceVersion;
  }
  context.log.debug({ pod: `${namespace}/${name}`, patch }, 'home status written');
  try {
    return await send(patch);
  } catch (error) {
    const smaller = withoutRefused(patch, error);
    if (!smaller) throw error;
    // What home's API server does not take from this worker must not keep the rest from being shown.
    context.log.warn({ pod: `${namespace}/${name}`, refused: (error as Error).message }, 'parts of the status refused');
    return Object.keys(smaller.status).length > 0 ? send(smaller) : undefined;
  }
}

/**
 * The patch without the fields that a 422 names; undefined when it names none of ours. A pod whose user has filled its
 * annotations (256 KiB are all that API servers take) is shown without ours.
 */
function withoutRefused(patch: StatusPatch, error: unknown): StatusPatch | undefined {
  if (!(error instanceof ApiError) || error.code !== 422) return undefined;
  const causes = (error.status.details?.causes ?? []) as { field?: string }[];
  const refused = causes.map(({ field = '' }) => /^(metadata\.annotations|status\.\w+)/.exec(field)?.[1]);
  const status = Object.fromEntries(
    // phase says what the pod is: without it the rest is no use.
    Object.entries(patch.status).filter(([field]) => field === 'phase' || !refused.includes(`status.${field}`)),
  );
  const { annotations, ...metadata } = patch.metadata;
  const isFull = annotations !== undefined && refused.includes('metadata.annotations');
  if (!isFull && Object.keys(status).length === Object.keys(patch.status).length) return undefined;
  return { metadata: isFull ? metadata : patch.metadata, status };
}

/**
 * Takes the home pod away for good, as a kubelet does when nothing of the pod runs any more. Where finalizers of others keep
 * it, it must have come to an end first, as kubelets see to: the Job controller waits for that.
 * @param shown the patch by which home was just shown the pod's status
 * @throws ApiError 409 when home's watch has yet to tell how it ended, perhaps
 */
export async function finishHomeDeletion(context: SyncerContext, home: Pod, shown?: StatusPatch): Promise<void> {
  const { namespace = '', name, uid, resourceVersion, finalizers = [] } = home.metadata;
  const phase = shown?.status['phase'] ?? home.status?.phase;
  if (finalizers.length > 0 && phase !== 'Succeeded' && phase !== 'Failed') {
    // One that was shown to have succeeded would fail, and its Job run it again.
    const metadata = { uid, ...(!shown && resourceVersion && { resourceVersion }) };
    await patchHomeStatus(context, home, { metadata, status: { phase: 'Failed' } });
  }
  mayWriteHome(context);
  await gone(
    context.home.delete(Pods, namespace, name, { ...(uid && { uid }), gracePeriodSeconds: 0, metadataOnly: true }),
  );
}

/** undefined when the object meant is gone. */
async function gone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
