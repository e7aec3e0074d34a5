/** What the functions of this folder work on, over two {@link Peer}s, for their tests. */
import {
  Label,
  leasedNodeName,
  type LeasedNode,
  VolumeAnnotation,
  VolumeDriver,
  vnodeName,
} from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { indexByClaim } from '../stores.ts';
import { Peer } from './peer.ts';
import { facts, homeClaim, storageClass, vnode } from './samples.ts';
import { INDEXES, type VolumeState } from './state.ts';
import { toHomeVolume } from './to-home.ts';
import { toWorkerClaim } from './to-worker.ts';
import { type Claim, Claims, type StorageClass, type Volume, Volumes } from './types.ts';

export const CLUSTER_ID = 'cls';
export const VNODE = vnodeName(CLUSTER_ID, 'node1');

interface Stores {
  vnodes: Store<KubeObject>;
  records: Store<LeasedNode>;
  homePods: Store<KubeObject>;
  workerPods: Store<KubeObject>;
}

export interface TestState {
  state: VolumeState;
  context: SyncerContext;
  stores: Stores;
  /** Events at home: `<object> <reason>: <message>`. */
  events: string[];
  /** Lets time pass for the state. */
  pass: (ms: number) => void;
  /** Takes both servers' objects for what the watches have told. */
  seen: () => void;
}

export interface World {
  home: Peer;
  worker: Peer;
  at: TestState;
}

/** For the tests of a file: both servers, emptied after each test, and a state over them that is made anew before each. */
export function withPeers(use: (made: World) => void): void {
  let home: Peer;
  let worker: Peer;
  beforeAll(async () => {
    [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
  });
  beforeEach(() => use({ home, worker, at: testState(home, worker) }));
  afterEach(() => {
    for (const peer of [home, worker]) peer.reset();
  });
  afterAll(() => {
    for (const peer of [home, worker]) peer.stop();
  });
}

export function testState(home: Peer, worker: Peer): TestState {
  const events: string[] = [];
  let elapsed = 1_000_000;
  const stores: Stores = {
    vnodes: new Store(),
    records: new Store<LeasedNode>({
      node: ({ spec }) => [spec.nodeName],
      vnode: ({ spec }) => [vnodeName(CLUSTER_ID, spec.nodeName)],
    }),
    homePods: new Store({ claim: indexByClaim }),
    workerPods: new Store(),
  };
  const binding = sampleBinding();
  binding.metadata = { name: facts.bindingName, uid: facts.bindingUID };
  const context = {
    ...facts,
    clusterID: CLUSTER_ID,
    binding: () => binding,
    home: home.client(),
    worker: worker.client(),
    homeEvents: {
      event: ({ metadata }: KubeObject, _: string, reason: string, message: string) =>
        events.push(`${metadata.name} ${reason}: ${message}`),
    },
    log: { info: () => undefined, warn: () => undefined },
    now: () => new Date(0),
    leadership: { isCurrent: () => true },
    mayWriteWorker: () => true,
    confirmWorker: () => Promise.resolve(true),
    stores,
    queue: () => ({}),
  } as unknown as SyncerContext;
  const claims = new Store<Claim>(INDEXES.claims);
  const volumes = new Store<Volume>(INDEXES.volumes);
  const workerClaims = new Store<Claim>(INDEXES.workerClaims);
  const state: VolumeState = {
    context,
    stores: { claims, volumes, workerClaims, classes: new Store<StorageClass>() },
    failing: new Map(),
    missingSince: new Map(),
    elapsed: () => elapsed,
  };
  return {
    state,
    context,
    stores,
    events,
    pass: (ms) => void (elapsed += ms),
    seen() {
      claims.replace(home.all<Claim>(Claims));
      volumes.replace(home.all<Volume>(Volumes));
      workerClaims.replace(worker.all<Claim>(Claims));
    },
  };
}

/** A claim for which the vnode was chosen, and which the volume controller has left to us. */
export function waitingClaim(vnode = VNODE, spec: Partial<Claim['spec']> = {}): Claim {
  const claim = homeClaim(spec);
  const annotations = { [VolumeAnnotation.selectedNode]: vnode, [VolumeAnnotation.storageProvisioner]: VolumeDriver };
  return { ...claim, metadata: { ...claim.metadata, annotations } };
}

export function vnodeOf(node: string): KubeObject {
  const labels = {
    [Label.bindingUID]: facts.bindingUID,
    [Label.clusterBinding]: facts.bindingName,
    [Label.physicalNodeName]: node,
  };
  return { metadata: { name: vnodeName(CLUSTER_ID, node), uid: `uid-of-${node}`, labels } };
}

export function recordOf(node: string, phase: 'Active' | 'Closing' | 'Closed' = 'Active'): LeasedNode {
  return {
    metadata: {
      name: leasedNodeName(facts.bindingName, node),
      namespace: facts.mountNamespace,
      resourceVersion: phase,
    },
    spec: { cluster: facts.bindingName, nodeName: node, nodeUID: 'n', policy: 'p' },
    status: { phase },
  };
}

/** The worker claim of {@link waitingClaim}, for a node. */
export function claimFor(
  node: string,
  change: Partial<KubeObject['metadata']> = {},
  status: Claim['status'] = {},
): Claim {
  const { metadata, ...rest } = toWorkerClaim(homeClaim(), { ...facts, node });
  return { ...rest, metadata: { ...metadata, ...change }, status };
}

/** The home volume of {@link waitingClaim}, as a binding has made it. */
export function volumeFor(worker: Claim, bindingName = facts.bindingName): Volume {
  const offer = { workerClass: 'local-path', topology: 'node' } as const;
  const who = { bindingName, clusterID: CLUSTER_ID };
  return toHomeVolume(homeClaim(), worker, { ...who, storageClass: storageClass(), offer, vnode: vnode() });
}
