/** What becomes of volumes, and of claims that wait for one, when their binding ends. */
import { Label, VolumeAnnotation, VolumeFinalizer } from '@kubeocean/shared/api';
import { Nodes } from '@kubeocean/shared/kube';
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
