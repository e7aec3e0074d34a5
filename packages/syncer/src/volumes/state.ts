/** What the parts of the volumes share: the context, and what is watched of claims, volumes and classes. */
import { Label, labelValue, VolumeAnnotation, VolumeDriver } from '@kubeocean/shared/api';
import { logWatch } from '@kubeocean/shared/daemon';
import {
  createReflector,
  type IndexFunction,
  type KubeObject,
  type ReadonlyStore,
  type Resource,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import type { Failing } from './failures.ts';
import { type Claim, Claims, type StorageClass, StorageClasses, type Volume, Volumes } from './types.ts';

export interface VolumeStores {
  /** All claims of home; index `selected` by the node chosen for those without a volume. */
  claims: ReadonlyStore<Claim>;
  /** Home volumes of our driver, of every binding; index `handle` by what they stand for. */
  volumes: ReadonlyStore<Volume>;
  /** StorageClasses of our provisioner. */
  classes: ReadonlyStore<StorageClass>;
  /** Claims of the mount namespace with this binding's name; index `holder` by the UID of the home claim that they name. */
  workerClaims: ReadonlyStore<Claim>;
}

export interface VolumeState {
  context: SyncerContext;
  stores: VolumeStores;
  /** What failed when it was last worked on, by UID of the home claim or volume. */
  failing: Map<string, Failing>;
  /** Since when the Node chosen for a home claim is missing, or was taken off it, by UID; as `elapsed` tells it. */
  missingSince: Map<string, number>;
  /** Milliseconds, monotonic. */
  elapsed: () => number;
}

/** The indexes of the stores: each is asked for every claim, so that none may look through all of another kind. */
export const INDEXES = {
  claims: {
    selected: ({ metadata, spec }: Claim) =>
      named(spec.volumeName ? undefined : metadata, VolumeAnnotation.selectedNode),
  },
  volumes: { handle: ({ spec }: Volume) => (spec.csi ? [spec.csi.volumeHandle] : []) },
  workerClaims: { holder: ({ metadata }: Claim) => named(metadata, VolumeAnnotation.virtualUID) },
} as const;

function named(metadata: KubeObject['metadata'] | undefined, annotation: string): string[] {
  const value = metadata?.annotations?.[annotation];
  return value ? [value] : [];
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
      indexes?: Record<string, IndexFunction<T>>;
    } = {},
  ): ReadonlyStore<T> {
    const reflector = createReflector<T>(context[where], {
      resource,
      ...(where === 'worker' && { namespace: context.mountNamespace }),
      ...(options.of !== undefined && { labelSelector: options.of }),
      ...(options.project && { project: options.project }),
      ...(options.concerns && { concerns: options.concerns }),
      ...(options.indexes && { indexes: options.indexes }),
      onError: logWatch(context.log, { kind: resource.kind, where }, 'watching volumes'),
    });
    void reflector.run(signal);
    return reflector.store;
  }
  const driver = Buffer.from(`"${VolumeDriver}"`);
  return {
    claims: reflect<Claim>('home', Claims, { indexes: INDEXES.claims }),
    volumes: reflect<Volume>('home', Volumes, {
      indexes: INDEXES.volumes,
      // The source of a volume cannot be changed.
      concerns: (line) => line.includes(driver),
      project: (volume) => ((volume as Volume).spec.csi?.driver === VolumeDriver ? (volume as Volume) : undefined),
    }),
    classes: reflect<StorageClass>('home', StorageClasses, {
      project: (each) => ((each as StorageClass).provisioner === VolumeDriver ? (each as StorageClass) : undefined),
    }),
    workerClaims: reflect<Claim>('worker', Claims, {
      of: `${Label.clusterBinding}=${labelValue(context.bindingName)}`,
      indexes: INDEXES.workerClaims,
    }),
  };
}

/** Resolves when all stores are complete. */
export function synced(stores: VolumeStores): Promise<unknown> {
  return Promise.all(Object.values(stores).map((store) => store.synced));
}
