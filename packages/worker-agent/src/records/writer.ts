/** Carries out planned writes of LeasedNodes. */
import { type LeasedNode, LeasedNodes } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import { isAlreadyExists, isConflict, isNotFound, type KubeClient } from '@kubeocean/shared/kube';
import type { DesiredRecord } from '@kubeocean/shared/lease';
import type { LeftPods } from './left.ts';
import type { RecordWrite } from './plan.ts';

/** Fields of a record's status that say how far its lease is. */
const STEPS = ['phase', 'reason', 'reclaimStage', 'reclaimAt', 'noticedAt'];

/**
 * Makes one write. Finding that the object is gone, is there already or is another one by now is no error: the watch
 * will tell, and the next look decides anew.
 * @returns whether it was made
 * @throws ApiError | ConnectionError; Error when the record must stay because a lent pod is left
 */
export async function writeRecord(
  client: KubeClient,
  write: RecordWrite,
  log: Logger,
  signal: AbortSignal,
  left: LeftPods,
): Promise<boolean> {
  const { namespace, name } = write.kind === 'create' ? write.record : write.record.metadata;
  try {
    if (write.kind === 'remove' && write.released) {
      const pod = await left.under(write.record);
      if (pod !== undefined) {
        throw new Error(
          `the record ${namespace}/${name} stays while there is the lent pod ${pod}; delete it if nobody does`,
        );
      }
    }
    await carryOut(client, write, signal);
    const fields = { record: `${namespace}/${name}`, node: write.record.spec.nodeName };
    if (write.kind === 'create') log.info({ ...fields, policy: write.record.spec.policy }, 'lease begun');
    else if (write.kind === 'remove') log.info(fields, 'record removed');
    else if (write.kind === 'status') {
      // What is lent changes with every pod of the node: lines of that would be most of the log.
      const isStep = STEPS.some((field) => field in write.patch);
      const { phase, reclaimStage: stage } = write.status;
      log[isStep ? 'info' : 'debug']({ ...fields, phase, stage, changed: Object.keys(write.patch) }, 'lease updated');
    }
    return true;
  } catch (error) {
    if (!isNotFound(error) && !isAlreadyExists(error) && !isConflict(error)) throw error;
    log.debug({ record: `${namespace}/${name}`, write: write.kind }, 'the record changed meanwhile');
    return false;
  }
}

async function carryOut(client: KubeClient, write: RecordWrite, signal: AbortSignal): Promise<void> {
  if (write.kind === 'create') return createRecord(client, write.record, signal);
  const { namespace, name, uid } = write.record.metadata;
  if (write.kind === 'remove') {
    await client.delete(LeasedNodes, namespace, name, { ...(uid && { uid }), signal });
  } else if (write.kind === 'labels') {
    await client.patch(LeasedNodes, namespace, name, { metadata: { uid, ...write.patch } }, { signal });
  } else {
    const patch = { metadata: { uid }, status: write.patch };
    await client.patch(LeasedNodes, namespace, name, patch, { subresource: 'status', signal });
  }
}

/** Status is a subresource: it takes a second call. A record between the two says nothing and lends nothing. */
async function createRecord(client: KubeClient, desired: DesiredRecord, signal: AbortSignal): Promise<void> {
  const { namespace, name, labels, spec, status } = desired;
  const created = await client.create<LeasedNode>(
    LeasedNodes,
    { metadata: { namespace, name, labels }, spec },
    { signal },
  );
  const patch = { metadata: { uid: created.metadata.uid }, status };
  await client.patch(LeasedNodes, namespace, name, patch, { subresource: 'status', signal });
}
