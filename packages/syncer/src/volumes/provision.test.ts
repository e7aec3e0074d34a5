/** From a chosen vnode to a volume, where something is not as it should be. */
import { homeVolumeName, VolumeAnnotation } from '@kubeocean/shared/api';
import { type KubeObject, Namespaces } from '@kubeocean/shared/kube';
import { describe, expect, test, vi } from 'vitest';
import type { Peer } from './peer.ts';
import { provision } from './provision.ts';
import { syncWorkerClaim } from './reclaim.ts';
import { boundClaim, homeClaim, storageClass } from './samples.ts';
import {
  claimFor,
  recordOf,
  type TestState,
  VNODE,
  vnodeOf,
  volumeFor,
  waitingClaim,
  withPeers,
} from './test-state.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';

let home: Peer;
let worker: Peer;
let at: TestState;

withPeers((made) => ({ home, worker, at } = made));

/** Works on the claim as both servers show it. */
async function turn(parameters: Record<string, string> = {}): Promise<{ againInMs: number } | void> {
  at.seen();
  const [claim] = home.all<Claim>(Claims);
  if (!claim) throw new Error('no claim');
  const offer = { workerStorageClass: 'local-path', ...parameters };
  return provision(at.state, claim, storageClass({ parameters: offer }));
}

function lend(...nodes: string[]): void {
  for (const node of nodes) {
    at.stores.vnodes.set(vnodeOf(node));
    at.stores.records.set(recordOf(node));
  }
}

function selected(): string | undefined {
  return home.all(Claims)[0]?.metadata.annotations?.[VolumeAnnotation.selectedNode];
}

const BOUND = { phase: 'Bound', capacity: { storage: '1Gi' } };

function made(node: string): Claim {
  return worker.put(Claims, claimFor(node));
}

function bound(node: string, change: Partial<KubeObject['metadata']> = {}): Claim {
  return worker.put(Claims, claimFor(node, change, BOUND));
}

describe('a worker that does not make the claim', () => {
  test.each([
    [500, 'failed calling webhook "storage.owner.example": no endpoints available'],
    [413, 'request is too large'],
    [409, 'another write was faster'],
  ])('because of %i is told of the second time, and given up after half a minute', async (code, message) => {
    lend('node1');
    home.put(Claims, waitingClaim());
    worker.refuse = () => ({ code, reason: 'Other', message });
    await expect(turn()).rejects.toThrow(message);
    expect(at.events).toEqual([]);
    await expect(turn()).rejects.toThrow(message);
    expect(at.events).toEqual([`data ProvisioningFailed: the worker cluster could not make the claim: ${message}`]);
    at.pass(30_001);
    await turn();
    expect(selected()).toBeUndefined();
    expect(at.state.failing.size).toBe(0);
  });

  test('because it refuses is told of at once', async () => {
    lend('node1');
    home.put(Claims, waitingClaim());
    worker.refuse = () => ({ code: 403, reason: 'Forbidden', message: 'quota' });
    await expect(turn()).rejects.toThrow('quota');
    expect(at.events).toEqual(['data ProvisioningFailed: the worker cluster refused the claim: quota']);
  });

  test('is not given up for failures long ago', async () => {
    lend('node1');
    home.put(Claims, waitingClaim());
    worker.refuse = () => ({ code: 500, message: 'once' });
    await expect(turn()).rejects.toThrow('once');
    worker.refuse = () => undefined;
    await turn();
    expect(worker.all(Claims)).toHaveLength(1);
    expect(at.state.failing.size).toBe(0);
  });
});

test('a home volume that cannot be made is told of', async () => {
  lend('node1');
  home.put(Claims, waitingClaim());
  bound('node1');
  home.refuse = ({ method }) => (method === 'POST' ? { code: 403, message: 'a policy of home' } : undefined);
  await expect(turn()).rejects.toThrow('a policy');
  await expect(turn()).rejects.toThrow('a policy');
  expect(at.events).toEqual(['data ProvisioningFailed: a policy of home']);
  expect(selected()).toBe(VNODE);
});

/** Values of the node affinity of the only home volume, by label. */
function affinity(): Record<string, string[]> | undefined {
  const [volume] = home.all<Volume>(Volumes);
  const { nodeAffinity } = (volume?.spec ?? {}) as {
    nodeAffinity?: { required: { nodeSelectorTerms: { matchExpressions: { key: string; values: string[] }[] }[] } };
  };
  const terms = nodeAffinity?.required.nodeSelectorTerms[0]?.matchExpressions;
  return terms && Object.fromEntries(terms.map(({ key, values }) => [key, values]));
}

describe('a volume that was made on another node than was chosen since', () => {
  test.each<[string, string[]]>([
    ['with a vnode', ['node1', 'node2']],
    ['without one', ['node2']],
  ])('%s is said to be where it is', async (_, lent) => {
    lend(...lent);
    home.put(Claims, waitingClaim('vnode-cls-node2'));
    bound('node1');
    await turn();
    expect(affinity()).toMatchObject({ 'kubeocean.io/physical-node-name': ['node1'] });
  });

  test('in a zone that is not known waits, and says so', async () => {
    lend('node2');
    at.stores.vnodes.set(vnodeIn('zone-b', 'node2'));
    home.put(Claims, waitingClaim('vnode-cls-node2'));
    bound('node1');
    expect(await turn({ topology: 'zone' })).toEqual({ againInMs: 60_000 });
    expect(affinity()).toBeUndefined();
    expect(at.events).toEqual([expect.stringContaining('worker node node1, which has no vnode now')]);
    at.stores.vnodes.set(vnodeIn('zone-a', 'node1'));
    await turn({ topology: 'zone' });
    expect(affinity()).toMatchObject({ 'topology.kubernetes.io/zone': ['zone-a'] });
  });

  test('which it does not say, is taken to be on the chosen one', async () => {
    lend('node2');
    home.put(Claims, waitingClaim('vnode-cls-node2'));
    const { metadata } = bound('node1');
    const { [VolumeAnnotation.selectedNode]: _, ...annotations } = metadata.annotations ?? {};
    bound('node1', { annotations });
    await turn();
    expect(affinity()).toMatchObject({ 'kubeocean.io/physical-node-name': ['node2'] });
  });
});

function vnodeIn(zone: string, node: string): KubeObject {
  const { metadata } = vnodeOf(node);
  return { metadata: { ...metadata, labels: { ...metadata.labels, 'topology.kubernetes.io/zone': zone } } };
}

test.each(['before its turn', 'while home is asked for its namespace'])(
  'a worker claim gets no home volume once its binding is deleted, %s: nobody would let go of that',
  async (when) => {
    lend('node1');
    home.put(Claims, waitingClaim());
    home.put(Namespaces, { metadata: { name: 'shop', labels: { team: 'a' } } });
    bound('node1');
    const binding = at.context.binding();
    const ends = () => void (binding.metadata.deletionTimestamp = '2026-11-21T06:00:00Z');
    binding.spec.namespaceSelector = { matchLabels: { team: 'a' } };
    if (when.startsWith('before')) ends();
    else vi.spyOn(at.context.home, 'get').mockImplementationOnce((...given) => (ends(), at.context.home.get(...given)));
    await turn();
    expect(binding.metadata.deletionTimestamp).toBeDefined();
    expect([home.all(Volumes), worker.writes]).toEqual([[], []]);
  },
);

test('a worker claim that is bound and being deleted gets no home volume', async () => {
  lend('node1');
  home.put(Claims, waitingClaim());
  bound('node1', { deletionTimestamp: '2026-11-21T06:00:00Z' });
  expect(await turn()).toEqual({ againInMs: 3000 });
  expect(home.writes).toEqual([]);
});

describe('a claim whose volume another binding was first to make', () => {
  test('leaves no worker claim behind: found when the volume would be made', async () => {
    lend('node1');
    home.put(Claims, waitingClaim());
    const claim = bound('node1');
    home.put(Volumes, volumeFor(claim, 'other'));
    await turn();
    expect(worker.writes).toEqual([`DELETE ${claim.metadata.name}`]);
  });

  test.each([true, false])('leaves none behind: found at the worker claim (home claim bound: %s)', async (isBound) => {
    lend('node1');
    home.put(Claims, waitingClaim(VNODE, isBound ? { volumeName: homeVolumeName('c1') } : {}));
    const claim = made('node1');
    home.put(Volumes, volumeFor(claim, 'other'));
    at.seen();
    await syncWorkerClaim(at.state, claim);
    expect(worker.writes).toEqual([`DELETE ${claim.metadata.name}`]);
  });

  test('leaves none behind: bound to a volume that is not of ours at all', async () => {
    lend('node1');
    home.put(Claims, waitingClaim(VNODE, { volumeName: 'of-home' }));
    const claim = made('node1');
    at.seen();
    await syncWorkerClaim(at.state, claim);
    expect(worker.writes).toEqual([`DELETE ${claim.metadata.name}`]);
  });

  test.each<[what: string, name: string, isSeen: boolean]>([
    ['is this binding’s', homeVolumeName('c1'), false],
    ['was made by hand for it', 'by-hand', true],
  ])('keeps the worker claim when the volume %s', async (_, name, isSeen) => {
    home.put(Claims, waitingClaim(VNODE, { volumeName: name }));
    const claim = bound('node1');
    home.put(Volumes, { ...volumeFor(claim), metadata: { name } });
    if (isSeen) at.seen();
    expect(await syncWorkerClaim(at.state, claim)).toEqual({ againInMs: 60_000 });
    expect(worker.writes).toEqual([]);
  });

  test('says so when the volume is another claim’s', async () => {
    lend('node1');
    home.put(Claims, waitingClaim());
    const volume = volumeFor(bound('node1'));
    home.put(Volumes, { ...volume, spec: { ...volume.spec, claimRef: { ...volume.spec.claimRef, uid: 'c2' } } });
    await turn();
    expect(at.events).toEqual([expect.stringContaining('data NameTaken: a PersistentVolume pvc-c1 exists')]);
    expect(worker.writes).toEqual([]);
  });
});

test('a volume that is made is marked in the worker', async () => {
  lend('node1');
  home.put(Claims, waitingClaim());
  const claim = bound('node1');
  await turn();
  expect(home.all(Volumes)).toHaveLength(1);
  const [now] = worker.all(Claims);
  expect(now?.metadata.annotations?.[VolumeAnnotation.homeVolume]).toBe(homeVolumeName('c1'));
  expect(now?.metadata.name).toBe(boundClaim(homeClaim()).metadata.name);
  expect(claim.metadata.annotations?.[VolumeAnnotation.homeVolume]).toBeUndefined();
});
