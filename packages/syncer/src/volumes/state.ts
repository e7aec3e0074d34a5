/** What the parts of the volumes share: the context, and what is watched of claims, volumes and classes. */
import { Label, labelValue, VolumeDriver } from '@kubeocean/shared/api';
import { createReflector, type KubeObject, messageOf, type ReadonlyStore, type Resource } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { type Claim, Claims, type StorageClass, StorageClasses, type Volume, Volumes } from './types.ts';

export interface VolumeStores {
  /** All claims of home, without what is not read. */
  claims: ReadonlyStore<Claim>;
  /** Home volumes of our driver, of every binding. */
  volumes: ReadonlyStore<Volume>;
  /** StorageClasses of our provisioner. */
  classes: ReadonlyStore<StorageClass>;
  /** Claims of the mount namespace with this binding's name. */
  workerClaims: ReadonlyStore<Claim>;
}

export interface VolumeState {
  context: SyncerContext;
  stores: VolumeStores;
  /** When the worker first refused a home claim, by UID; milliseconds, monotonic. */
  refusedSince: Map<string, number>;
}

/** Watches until the signal aborts; the stores' `synced` tells when they are complete. */
export function watchVolumes(context: SyncerContext, signal: AbortSignal): VolumeStores {
  function reflect<T extends KubeObject>(
    where: 'home' | 'worker',
    resource: Resource,
    options: {
      project?: (object: KubeObject) => T | undefined;
      concerns?: (line: Buffer) => boolean;
      of?: string;
    } = {},
  ): ReadonlyStore<T> {
    const reflector = createReflector<T>(context[where], {
      resource,
      ...(where === 'worker' && { namespace: context.mountNamespace }),
      ...(options.of !== undefined && { labelSelector: options.of }),
      ...(options.project && { project: options.project }),
      ...(options.concerns && { concerns: options.concerns }),
      onError: (error, doing) =>
        context.log.warn({ kind: resource.kind, where, doing, error: messageOf(error) }, 'watching volumes'),
    });
    void reflector.run(signal);
    return reflector.store;
  }
  const driver = Buffer.from(`"${VolumeDriver}"`);
  return {
    claims: reflect<Claim>('home', Claims),
    volumes: reflect<Volume>('home', Volumes, {
      // The source of a volume cannot be changed.
      concerns: (line) => line.includes(driver),
      project: (volume) => ((volume as Volume).spec.csi?.driver === VolumeDriver ? (volume as Volume) : undefined),
    }),
    classes: reflect<StorageClass>('home', StorageClasses, {
      project: (each) => ((each as StorageClass).provisioner === VolumeDriver ? (each as StorageClass) : undefined),
    }),
    workerClaims: reflect<Claim>('worker', Claims, {
      of: `${Label.clusterBinding}=${labelValue(context.bindingName)}`,
    }),
  };
}

/** Resolves when all stores are complete. */
export function synced(stores: VolumeStores): Promise<unknown> {
  return Promise.all(Object.values(stores).map((store) => store.synced));
}
