/** Writes one ConfigMap or Secret into the mount namespace: makes it, or brings it up to date, but only when it is ours. */
import { Label } from '@kubeocean/shared/api';
import { ApiError, isAlreadyExists, isNotFound, type KubeObject, type Resource } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { mayWriteWorker } from '../gate.ts';
import type { Written } from './written.ts';

/** An object of that name exists in the mount namespace and is not ours: it is left alone. */
export class ForeignObject extends Error {
  constructor(kind: string, namespace: string, name: string) {
    super(
      `the ${kind} ${namespace}/${name} of the worker cluster stands where a copy belongs and was not made by Kubeocean; ask the worker's owner to remove it`,
    );
    this.name = 'ForeignObject';
  }
}

/**
 * @param formerUID UID of the copy that was known under this name until a moment ago: one that only lost its label is
 * still ours
 * @throws ApiError, ConnectionError, ForeignObject, WritesHeld
 */
export async function writeCopy(
  context: SyncerContext,
  resource: Resource,
  written: Written,
  desired: KubeObject,
  formerUID?: string,
): Promise<void> {
  const { name, namespace = '' } = desired.metadata;
  const known = written.latest(name);
  try {
    written.note(known ? await replace(known) : await create());
  } catch (error) {
    written.forget(name);
    if (isAlreadyExists(error)) {
      const current = await context.worker.get<KubeObject>(resource, namespace, name);
      const { labels, uid } = current.metadata;
      if (labels?.[Label.bindingUID] !== context.bindingUID && (uid === undefined || uid !== formerUID)) {
        throw new ForeignObject(resource.kind, namespace, name);
      }
      written.note(await replace(current));
    } else if (isNotFound(error) && known) {
      written.note(await create());
    } else if (known && isImmutable(error)) {
      // The type of a Secret cannot be changed: another Secret took the name at home. The old one goes only when the
      // new one is sure to come: pods use it.
      await tryCreate();
      await context.worker.delete(resource, namespace, name, withUID(known));
      written.note(await create());
    } else throw error;
  }

  /** @throws ApiError when the worker would not take it even if the name were free */
  async function tryCreate(): Promise<void> {
    mayWriteWorker(context);
    try {
      await context.worker.create<KubeObject>(resource, desired, { metadataOnly: true, dryRun: true });
    } catch (error) {
      // The name is looked at last, after all else was found to be right.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  function create(): Promise<KubeObject> {
    mayWriteWorker(context);
    return context.worker.create<KubeObject>(resource, desired, { metadataOnly: true });
  }

  function replace(current: KubeObject): Promise<KubeObject> {
    mayWriteWorker(context);
    const { uid, resourceVersion } = current.metadata;
    const metadata = {
      ...desired.metadata,
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
    };
    return context.worker.replace(resource, { ...desired, metadata }, { metadataOnly: true });
  }
}

/** Removes a copy; one that is gone already, or another by now, is left alone. */
export async function removeCopy(
  context: SyncerContext,
  resource: Resource,
  written: Written,
  name: string,
): Promise<void> {
  const known = written.latest(name);
  if (!known || known.metadata.labels?.[Label.bindingUID] !== context.bindingUID) return;
  mayWriteWorker(context);
  try {
    await context.worker.delete(resource, context.mountNamespace, name, { ...withUID(known), metadataOnly: true });
  } catch (error) {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
  }
  written.gone(known);
}

/**
 * Whether a server refuses to change an object at all, and nothing else of it: the type of a Secret, or content that was
 * declared immutable (k8s.io/kubernetes/pkg/apis/core/validation). Admission policies answer 422, too, but name no field.
 */
function isImmutable(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.code !== 422) return false;
  const causes = (error.status.details?.causes ?? []) as { field?: string; message?: string }[];
  return (
    causes.length > 0 &&
    causes.every(({ field, message }) => FIXED.includes(field ?? '') && /immutable/.test(message ?? ''))
  );
}

const FIXED = ['type', 'data', 'binaryData', 'immutable'];

function withUID(object: KubeObject): { uid?: string } {
  return object.metadata.uid ? { uid: object.metadata.uid } : {};
}
