/**
 * The volumes' side of the syncer: it is the provisioner and resizer of home's claims whose class is ours and whose node
 * is one of our vnodes. Pods without claims never wait for it.
 */
import { homeVolumeName, Label, vnodeNames } from '@kubeocean/shared/api';
import { keyOf, type Outcome, type ReadonlyStore, WorkQueue } from '@kubeocean/shared/kube';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { WritesHeld } from '../gate.ts';
import type { Pod } from '../pods/types.ts';
import { provision } from './provision.ts';
import { isDynamic, syncVolume, syncWorkerClaim, workerClaimOf } from './reclaim.ts';
import { resize } from './resize.ts';
import { type ResolvedClaims, resolveClaims } from './resolve.ts';
import { synced, type VolumeState, watchVolumes } from './state.ts';
import { holderOf, holds } from './to-worker.ts';
import type { Claim } from './types.ts';
import { claimNames } from './words.ts';

export interface PodVolumes {
  /** @throws Refusal, ApiError, ConnectionError */
  resolve(home: Pod): Promise<ResolvedClaims>;
  stop(): Promise<void>;
}

export interface VolumeOptions {
  /** Told of home pods that may have waited for a claim which has changed. */
  onAppeared: (homeKey: string) => void;
  signal: AbortSignal;
  /** Resolves when the context's stores have synced and the claim is held, or the signal has aborted. */
  ready: Promise<unknown>;
}

const HELD_MS = 2000;

export function startVolumes(context: SyncerContext, options: VolumeOptions): PodVolumes {
  const stores = watchVolumes(context, options.signal);
  const state: VolumeState = {
    context,
    stores,
    failing: new Map(),
    missingSince: new Map(),
    elapsed: () => performance.now(),
  };
  const queueOptions = { workers: 4, baseDelayMs: 1000, maxDelayMs: 60_000 };
  const claims = new WorkQueue(held(syncClaim), { ...context.queue('claims'), ...queueOptions });
  const volumes = new WorkQueue(held(syncHomeVolume), { ...context.queue('volumes'), ...queueOptions });
  const copies = new WorkQueue(held(syncCopy), { ...context.queue('worker-claims'), ...queueOptions });
  const queues = [claims, volumes, copies];
  const stops: (() => void)[] = [];

  async function syncClaim(key: string): Promise<Outcome> {
    const claim = stores.claims.get(key);
    if (!claim || claim.metadata.deletionTimestamp) return undefined;
    if (!claim.spec.volumeName) {
      const storageClass = stores.classes.get(claim.spec.storageClassName ?? '');
      return storageClass ? provision(state, claim, storageClass) : undefined;
    }
    const volume = stores.volumes.get(claim.spec.volumeName);
    if (!volume || !isDynamic(volume) || volume.spec.claimRef?.uid !== claim.metadata.uid) return undefined;
    const worker = stores.workerClaims.get(`${context.mountNamespace}/${workerClaimOf(state, volume) ?? ''}`);
    if (!worker || !holds(worker, volume, context)) return undefined;
    return claim.status?.phase === 'Bound' ? resize(state, claim, volume, worker) : undefined;
  }

  async function syncHomeVolume(name: string): Promise<Outcome> {
    const volume = stores.volumes.get(name);
    return volume ? syncVolume(state, volume) : undefined;
  }

  async function syncCopy(key: string): Promise<Outcome> {
    const worker = stores.workerClaims.get(key);
    return worker ? syncWorkerClaim(state, worker) : undefined;
  }

  function follow(): void {
    for (const pod of context.stores.homePods.values()) {
      if (claimNames(pod as Pod).length > 0) options.onAppeared(keyOf(pod));
    }
    stops.push(
      stores.claims.onChange(({ previous, current }) => {
        if (!current) forget(previous);
        wakePods((current ?? previous) as Claim);
      }),
      stores.volumes.onChange(({ previous, current }) => {
        if (!current) forget(previous);
      }),
    );
    onEach(stores.claims, (claim, key) => {
      if (isOurs(claim)) claims.add(key);
      // It may have chosen another node, or be gone.
      const { uid = '' } = claim.metadata;
      for (const worker of stores.workerClaims.byIndex('holder', uid)) copies.add(keyOf(worker));
    });
    onEach(stores.volumes, ({ metadata, spec }) => {
      volumes.add(metadata.name);
      if (spec.claimRef) claims.add(`${spec.claimRef.namespace}/${spec.claimRef.name}`);
    });
    onEach(stores.workerClaims, (worker, key) => {
      const holder = holderOf(worker, context);
      if (!holder) return;
      copies.add(key);
      volumes.add(homeVolumeName(holder.uid));
      claims.add(`${holder.namespace}/${holder.name}`);
    });
    stops.push(
      stores.workerClaims.onChange(({ previous, current }) => {
        const holder = holderOf((current ?? previous) as Claim, context);
        if (holder) wakePods({ metadata: holder });
      }),
    );
    onEach(stores.classes, ({ metadata }) => {
      for (const claim of stores.claims.values()) {
        if (!claim.spec.volumeName && claim.spec.storageClassName === metadata.name) claims.add(keyOf(claim));
      }
    });
    followVnodes();
  }

  /** Claims for which a vnode was chosen wait for it to come, and must not wait when it goes. */
  function followVnodes(): void {
    const { vnodes, records } = context.stores;
    const owner = (vnode?: KubeObject) => vnode && (vnode.metadata.labels?.[Label.bindingUID] ?? '');
    stops.push(
      vnodes.onChange(({ key, previous, current }) => {
        if (owner(previous) !== owner(current)) addSelecting(key);
      }),
      records.onChange(({ previous, current }) => {
        const nodeName = (current ?? previous)?.spec.nodeName;
        if (nodeName === undefined || previous?.status?.phase === current?.status?.phase) return;
        const { clusterID } = context;
        for (const name of vnodeNames(clusterID, nodeName)) addSelecting(name);
      }),
    );
  }

  function addSelecting(vnode: string): void {
    for (const claim of stores.claims.byIndex('selected', vnode)) if (isOurs(claim)) claims.add(keyOf(claim));
  }

  /** Whether there is anything to do for a claim: most of home's are of other classes. */
  function isOurs({ spec }: Claim): boolean {
    return spec.volumeName ? stores.volumes.has(spec.volumeName) : stores.classes.has(spec.storageClassName ?? '');
  }

  function forget(gone: KubeObject | undefined): void {
    const { uid = '' } = gone?.metadata ?? {};
    state.failing.delete(uid);
    state.missingSince.delete(uid);
  }

  function onEach<T extends KubeObject>(store: ReadonlyStore<T>, look: (object: T, key: string) => void): void {
    for (const object of store.values()) look(object, keyOf(object));
    stops.push(
      store.onChange(({ key, previous, current }) => {
        const object = current ?? previous;
        if (object) look(object, key);
      }),
    );
  }

  /** Pods on vnodes that name the claim and may be waiting for it. */
  function wakePods({ metadata: { namespace, name } }: { metadata: { namespace?: string; name: string } }): void {
    for (const pod of context.stores.homePods.byIndex('claim', `${namespace}/${name}`)) options.onAppeared(keyOf(pod));
  }

  void Promise.all([synced(stores), options.ready]).then(() => {
    if (options.signal.aborted) return;
    follow();
    for (const queue of queues) queue.start();
    context.log.info('volumes are known');
  });

  return {
    async resolve(home) {
      if (claimNames(home).length === 0) return { claims: new Map(), missing: [] };
      if (!Object.values(stores).every((store) => store.hasSynced)) {
        return { claims: new Map(), missing: ['the claims of this cluster and of the worker are not known yet'] };
      }
      return resolveClaims(state, home);
    },
    async stop() {
      for (const stop of stops) stop();
      await Promise.all(queues.map((queue) => queue.stop()));
    },
  };
}

/** Work that leadership or the claim does not allow now is done later, and is no failure. */
function held(sync: (key: string) => Promise<Outcome>): (key: string) => Promise<Outcome> {
  return async (key) => {
    try {
      return await sync(key);
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: HELD_MS };
      throw error;
    }
  };
}
