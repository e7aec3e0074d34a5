/** The syncer's finalizer on its binding: the binding stays until nothing of it is left in the worker. */
import { type ClusterBinding, ClusterBindings, Finalizer } from '@kubeocean/shared/api';
import { isConflict, isNotFound, type KubeClient, type ReadonlyStore } from '@kubeocean/shared/kube';

export function hasFinalizer(binding: ClusterBinding): boolean {
  return binding.metadata.finalizers?.includes(Finalizer.bindingSyncer) ?? false;
}

/** Puts the finalizer on, unless the binding is being deleted already. @throws ApiError, ConnectionError */
export function addFinalizer(home: KubeClient, binding: ClusterBinding): Promise<void> {
  return change(home, binding, (current) =>
    current.metadata.deletionTimestamp || hasFinalizer(current)
      ? undefined
      : [...(current.metadata.finalizers ?? []), Finalizer.bindingSyncer],
  );
}

/**
 * Calls `put` whenever the binding is found without it and is not being deleted: `kubectl replace` takes off what its file does
 * not name, and a binding that is deleted then would leave its vnodes, pods and claim behind.
 * @param put called once at a time: it may go on for hours where home refuses the finalizer, and the binding's status changes all
 * the while. It looks at the binding itself. Never rejects
 * @returns what ends it
 */
export function followFinalizer(
  bindings: Pick<ReadonlyStore<ClusterBinding>, 'onChange'>,
  uid: string,
  put: (binding: ClusterBinding) => Promise<void>,
): () => void {
  let isPutting = false;
  /** Found without it meanwhile. */
  let next: ClusterBinding | undefined;

  async function putAll(): Promise<void> {
    isPutting = true;
    for (let binding = next; binding; binding = next) {
      next = undefined;
      await put(binding);
    }
    isPutting = false;
  }

  return bindings.onChange(({ current }) => {
    if (current?.metadata.uid !== uid || current.metadata.deletionTimestamp || hasFinalizer(current)) return;
    next = current;
    if (!isPutting) void putAll();
  });
}

/** Takes it off. @throws ApiError, ConnectionError */
export function removeFinalizer(home: KubeClient, binding: ClusterBinding): Promise<void> {
  return change(home, binding, (current) =>
    hasFinalizer(current) ? current.metadata.finalizers?.filter((name) => name !== Finalizer.bindingSyncer) : undefined,
  );
}

/** Others write the same list: on a conflict, look again. */
async function change(
  home: KubeClient,
  binding: ClusterBinding,
  next: (current: ClusterBinding) => string[] | undefined,
): Promise<void> {
  const { name, uid } = binding.metadata;
  for (let tries = 1; ; tries++) {
    try {
      const current = await home.get<ClusterBinding>(ClusterBindings, '', name);
      const finalizers = current.metadata.uid === uid ? next(current) : undefined;
      if (!finalizers) return;
      const { resourceVersion } = current.metadata;
      await home.patch(ClusterBindings, '', name, { metadata: { uid, resourceVersion, finalizers } });
      return;
    } catch (error) {
      if (isNotFound(error)) return;
      if (!isConflict(error) || tries >= 5) throw error;
    }
  }
}
