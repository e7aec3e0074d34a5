/** What becomes of volumes, and of claims that wait for one, when their binding ends. */
import { Label, VolumeAnnotation, VolumeFinalizer } from '@kubeocean/shared/api';
import { type KubeObject, Nodes } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import type { Peer } from './peer.ts';
import { releaseVolumes } from './release.ts';
import { boundClaim, homeClaim } from './samples.ts';
import { claimFor, type TestState, VNODE, volumeFor, waitingClaim, withPeers } from './test-state.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';

let home: Peer;
let worker: Peer;
let at: TestState;

withPeers((made) => ({ home, worker, at } = made));

function selected(): string | undefined {
  return home.all<Claim>(Claims)[0]?.metadata.annotations?.[VolumeAnnotation.selectedNode];
}

test.each(['has', 'has lost'])('a volume that %s its label stays, with its data', async (label) => {
  const claim = worker.put(Claims, boundClaim(homeClaim()));
  const volume = volumeFor(claim);
  if (label === 'has lost') delete volume.metadata.labels?.[Label.clusterBinding];
  home.put(Volumes, volume);
  expect(await releaseVolumes(at.context, true)).toBe(1);
  const kept = home.all<Volume>(Volumes)[0];
  expect(kept?.spec.persistentVolumeReclaimPolicy).toBe('Retain');
  expect(kept?.metadata).toMatchObject({ '$deleteFromPrimitiveList/finalizers': [VolumeFinalizer] });
  expect(worker.all<Claim>(Claims)[0]?.metadata.annotations).toHaveProperty([VolumeAnnotation.retained]);
  // A second try finds nothing more to do in the worker.
  worker.writes = [];
  await releaseVolumes(at.context, true);
  expect(worker.writes).toEqual([]);
});

test('the volumes of others are left alone', async () => {
  home.put(Volumes, volumeFor(boundClaim(homeClaim()), 'another'));
  expect(await releaseVolumes(at.context, true)).toBe(0);
  expect(home.writes).toEqual([]);
});

describe('a claim that waits for a volume on a vnode', () => {
  test.each([true, false])(
    'is given back to the scheduler when the vnode is gone; with the worker: %s',
    async (with_) => {
      home.put(Claims, waitingClaim());
      worker.put(Claims, claimFor('node1'));
      await releaseVolumes(at.context, with_);
      expect(selected()).toBeUndefined();
      expect(worker.all(Claims)).toHaveLength(with_ ? 0 : 1);
    },
  );

  test('stays where it is while there is a Node of that name, of another binding', async () => {
    home.put(Claims, waitingClaim());
    home.put(Nodes, { metadata: { name: VNODE } });
    await releaseVolumes(at.context, true);
    expect([selected(), home.writes]).toEqual([VNODE, []]);
  });

  test.each<[string, Claim]>([
    ['of another cluster', waitingClaim('vnode-other-node1')],
    ['that a real provisioner makes', provisionedBy('rancher.io/local-path')],
    ['that has its volume', waitingClaim(VNODE, { volumeName: 'pvc-c1' })],
  ])('%s is left alone', async (_, claim) => {
    home.put(Claims, claim);
    await releaseVolumes(at.context, true);
    expect(home.writes).toEqual([]);
  });
});

/** The server has another version of the claim when the first write of that kind comes, as often as there are versions. */
function changing(peer: Peer, verb: string, ...versions: Claim[]): void {
  peer.refuse = ({ method }) => {
    const next = method === verb ? versions.shift() : undefined;
    if (!next) return undefined;
    peer.put(Claims, next);
    return { code: 409, reason: 'Conflict', message: 'the object has been modified' };
  };
}

describe('a claim that somebody changes while its binding ends', () => {
  const labelled = ({ metadata, ...rest }: Claim, n: number): Claim => ({
    ...rest,
    metadata: { ...metadata, labels: { ...metadata.labels, theirs: String(n) } },
  });

  test('is given back all the same', async () => {
    home.put(Claims, waitingClaim());
    changing(home, 'PATCH', labelled(waitingClaim(), 1));
    await releaseVolumes(at.context, true);
    expect([selected(), home.all<Claim>(Claims)[0]?.metadata.labels]).toEqual([undefined, { theirs: '1' }]);
  });

  test('keeps the node that was chosen since', async () => {
    home.put(Claims, waitingClaim());
    changing(home, 'PATCH', waitingClaim('real'));
    await releaseVolumes(at.context, true);
    expect(selected()).toBe('real');
  });

  test('goes in the worker all the same', async () => {
    worker.put(Claims, claimFor('node1'));
    changing(worker, 'DELETE', claimFor('node1', {}, { phase: 'Bound' }));
    await releaseVolumes(at.context, true);
    expect(worker.all(Claims)).toEqual([]);
  });

  test('stays in the worker when it was marked as in use since', async () => {
    const claim = worker.put(Claims, claimFor('node1'));
    const annotations = { ...claim.metadata.annotations, [VolumeAnnotation.homeVolume]: 'pvc-c1' };
    changing(worker, 'DELETE', claimFor('node1', { annotations }));
    await releaseVolumes(at.context, true);
    expect(worker.all(Claims)).toHaveLength(1);
  });

  test.each(['home', 'worker'])('again and again keeps the end waiting: at %s', async (where) => {
    home.put(Claims, waitingClaim());
    worker.put(Claims, claimFor('node1'));
    if (where === 'home') changing(home, 'PATCH', ...[1, 2].map((n) => labelled(waitingClaim(), n)));
    else changing(worker, 'DELETE', ...[1, 2].map((n) => labelled(claimFor('node1'), n)));
    await expect(releaseVolumes(at.context, true)).rejects.toThrow('keeps changing while it is given up');
    await releaseVolumes(at.context, true);
    expect([selected(), worker.all(Claims)]).toEqual([undefined, []]);
  });
});

test('what a webhook guards keeps nothing else', async () => {
  const named = <T extends KubeObject>(name: string, object: T): T => ({
    ...object,
    metadata: { ...object.metadata, name, uid: name },
  });
  const volume = volumeFor(named('used', claimFor('node1')));
  for (const name of ['guarded', 'other']) {
    home.put(Volumes, named(name, volume));
    home.put(Claims, named(name, waitingClaim()));
    worker.put(Claims, boundClaim(named(name, homeClaim())));
  }
  for (const peer of [home, worker])
    peer.refuse = ({ path }) => (path.includes('/guarded') ? { code: 403, message: 'guarded by a policy' } : undefined);
  await expect(releaseVolumes(at.context, true)).rejects.toThrow('guarded by a policy');
  const policies = home.all<Volume>(Volumes).map(({ spec }) => spec.persistentVolumeReclaimPolicy);
  const selections = home
    .all<Claim>(Claims)
    .map(({ metadata }) => metadata.annotations?.[VolumeAnnotation.selectedNode]);
  const left = worker.all(Claims).map(({ metadata }) => metadata.name);
  expect({ policies, selections, left }).toEqual({
    policies: ['Delete', 'Retain'],
    selections: [VNODE, undefined],
    left: [expect.stringMatching(/^guarded-/)],
  });
});

test('of the worker’s claims only those go that nothing was ever in', async () => {
  const marked = claimFor('node1', { uid: 'marked' });
  marked.metadata.annotations = { ...marked.metadata.annotations, [VolumeAnnotation.homeVolume]: 'pvc-c1' };
  worker.put(Claims, marked);
  worker.put(Claims, { metadata: { name: 'owners', namespace: at.context.mountNamespace }, spec: {} });
  await releaseVolumes(at.context, true);
  expect(worker.writes).toEqual([]);
  expect(worker.all(Claims)).toHaveLength(2);
});

function provisionedBy(provisioner: string): Claim {
  const claim = waitingClaim();
  const annotations = { ...claim.metadata.annotations, [VolumeAnnotation.storageProvisioner]: provisioner };
  return { ...claim, metadata: { ...claim.metadata, annotations } };
}
