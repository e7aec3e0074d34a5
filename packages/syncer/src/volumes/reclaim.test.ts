/** What is deleted, and what is not, when home's volumes and the worker's claims do not fit together. */
import { Label, OfferedTo, VolumeAnnotation, VolumeFinalizer } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import type { Peer } from './peer.ts';
import { syncVolume } from './reclaim.ts';
import { releaseVolumes } from './release.ts';
import { resize } from './resize.ts';
import { boundClaim, facts, homeClaim } from './samples.ts';
import { CLUSTER_ID, type TestState, volumeFor, withPeers } from './test-state.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';
import { whyNotHeld } from './words.ts';

let home: Peer;
let worker: Peer;
let at: TestState;

withPeers((made) => ({ home, worker, at } = made));

const DELETED = { deletionTimestamp: '2026-11-21T06:00:00Z' };

/** A dynamic volume for a worker claim; of the claim `shop/data` unless `claimRef` says otherwise. */
function volume(of: Claim, claimRef?: Volume['spec']['claimRef'], more: Partial<Volume['metadata']> = {}): Volume {
  const made = volumeFor(of);
  const spec = { ...made.spec, ...(claimRef && { claimRef }) };
  return { ...made, metadata: { ...made.metadata, uid: 'pv1', ...more }, spec };
}

/** Claims in the mount namespace that this binding has not made. */
const STRANGE: [whose: string, claim: Claim][] = [
  ['the owner’s', { metadata: { name: 'owners', namespace: facts.mountNamespace }, spec: {} }],
  [
    'another binding’s',
    {
      metadata: {
        name: 'other-7',
        namespace: facts.mountNamespace,
        labels: { [Label.clusterBinding]: 'other' },
        annotations: { [VolumeAnnotation.homeVolume]: 'pvc-x' },
      },
      spec: {},
    },
  ],
];

describe.each(STRANGE)('a volume at home that stands for a claim in the worker which is %s', (_, strange) => {
  test.each<[string, Volume['spec']['claimRef'], Partial<Volume['metadata']>]>([
    ['no claimRef', {}, {}],
    ['a claimRef without UID', { namespace: 'shop', name: 'data' }, {}],
    ['a claimRef', { namespace: 'shop', name: 'data', uid: 'c1' }, {}],
    ['no claimRef, being deleted,', {}, DELETED],
    ['a claimRef without UID, being deleted,', { namespace: 'shop', name: 'data' }, DELETED],
    ['a claimRef, being deleted,', { namespace: 'shop', name: 'data', uid: 'c1' }, DELETED],
  ])('and has %s does nothing to it, and says so', async (__, claimRef, more) => {
    worker.put(Claims, strange);
    await syncVolume(at.state, home.put(Volumes, volume(strange, claimRef, more)));
    expect(worker.writes).toEqual([]);
    expect(home.writes).toEqual([]);
    expect(worker.all(Claims)).toHaveLength(1);
    expect(home.all(Volumes)).toHaveLength(1);
    expect(at.events.join()).toContain('MappingDisagrees');
  });
});

describe('a volume at home that was this binding’s own', () => {
  test.each(['Delete', 'Retain'])('and lost its claimRef: %s', async (policy) => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const lost = volume(own, { namespace: 'shop', name: 'data' }, DELETED);
    lost.spec.persistentVolumeReclaimPolicy = policy;
    own.metadata.annotations = { ...own.metadata.annotations, [VolumeAnnotation.homeVolume]: lost.metadata.name };
    worker.put(Claims, own);
    await syncVolume(at.state, home.put(Volumes, lost));
    const [kept] = worker.all<Claim>(Claims);
    expect(kept).toBeDefined();
    expect(kept?.metadata.annotations?.[VolumeAnnotation.retained] !== undefined).toBe(policy === 'Retain');
    expect(at.events.some((event) => event.includes('names no claim by its UID'))).toBe(policy === 'Delete');
  });

  test('marks no claim of another volume when it is given up', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const other = volume(own, { namespace: 'shop', name: 'other', uid: 'c2' }, { ...DELETED, name: 'pvc-c2' });
    other.spec.persistentVolumeReclaimPolicy = 'Retain';
    await syncVolume(at.state, home.put(Volumes, other));
    expect(worker.writes).toEqual([]);
  });

  test('without a claim in its claimRef is not guarded by a finalizer', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    await syncVolume(at.state, home.put(Volumes, volume(own, {}, { finalizers: [] })));
    expect(home.writes).toEqual([]);
  });

  test('deletes the data when the claim that both name is gone', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    await syncVolume(at.state, home.put(Volumes, volume(own, undefined, DELETED)));
    expect(worker.writes).toEqual([`DELETE ${own.metadata.name}`]);
  });

  test.each([
    ['is there', homeClaim()],
    ['is there, and the volume says another name', homeClaim()],
  ])('deletes nothing while the claim %s', async (words, claim) => {
    home.put(Claims, claim);
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const claimRef = { namespace: 'shop', name: words.includes('another') ? 'another' : 'data', uid: 'c1' };
    await syncVolume(at.state, home.put(Volumes, volume(own, claimRef, DELETED)));
    expect(worker.writes).toEqual([]);
  });

  test('tells of a deletion that fails again', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const deleted = home.put(Volumes, volume(own, undefined, DELETED));
    worker.refuse = () => ({ code: 500, message: 'a webhook' });
    await expect(syncVolume(at.state, deleted)).rejects.toThrow('a webhook');
    expect(at.events).toEqual([]);
    await expect(syncVolume(at.state, deleted)).rejects.toThrow('a webhook');
    expect(at.events).toEqual([`${deleted.metadata.name} VolumeFailed: a webhook`]);
  });
});

test.each([true, false])(
  'a worker claim is said to be lost only by the cluster that has our claim: %s',
  async (isOurs) => {
    at.context.confirmWorker = () => Promise.resolve(isOurs);
    const inUse = home.put(Volumes, volume(boundClaim(homeClaim())));
    const turn = syncVolume(at.state, inUse);
    if (isOurs) await turn;
    else await expect(turn).rejects.toThrow('no writes to the worker cluster now');
    expect(at.events).toEqual(isOurs ? [expect.stringContaining('data VolumeLost')] : []);
  },
);

test('why a worker claim is not taken for a volume’s, and what to do', () => {
  const own = boundClaim(homeClaim());
  const given = volume(own, { namespace: 'shop', name: 'new', uid: 'c2' });
  expect(whyNotHeld(at.context, own, given)).toMatch(
    /holds the data of the claim shop\/data .* names another claim by/,
  );
  expect(whyNotHeld(at.context, own, volume(own, {}))).toContain(`names no claim by now, so nothing is done with it`);
  expect(whyNotHeld(at.context, own, given)).toContain(`label that claim ${OfferedTo}=${facts.bindingName}`);
  expect(whyNotHeld(at.context, { metadata: { name: 'x' }, spec: {} }, given)).toContain('ask the worker');
  const offered: Claim = { metadata: { name: 'x', labels: { [OfferedTo]: 'example-cluster' } }, spec: {} };
  expect(whyNotHeld(at.context, offered, given)).toContain('is offered by its owner');
});

describe('whose volume it is, by which home keeps it from the syncers of others,', () => {
  const clusterIDs = () => home.all<Volume>(Volumes).map(({ metadata }) => metadata.labels?.[Label.physicalClusterID]);

  test('is said by one that an earlier version made as soon as it is looked at, once', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const former = volume(own);
    delete former.metadata.labels?.[Label.physicalClusterID];
    await syncVolume(at.state, home.put(Volumes, former));
    expect(clusterIDs()).toEqual([CLUSTER_ID]);
    const [labelled] = home.all<Volume>(Volumes);
    expect(labelled?.metadata.finalizers).toEqual([VolumeFinalizer]);
    home.writes.length = 0;
    await syncVolume(at.state, labelled as Volume);
    expect(home.writes).toEqual([]);
  });

  test('is said no more when its binding is given up: the next of this name may have another clusterID', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    home.put(Volumes, volume(own));
    expect(clusterIDs()).toEqual([CLUSTER_ID]);
    expect(await releaseVolumes(at.context, false)).toBe(1);
    expect(clusterIDs()).toEqual([undefined]);
  });
});

describe('a claim that shall grow', () => {
  const grown = homeClaim(
    { resources: { requests: { storage: '2Gi' } } },
    { phase: 'Bound', capacity: { storage: '1Mi' } },
  );

  test.each([
    [500, 'a webhook', 2, 'could not take'],
    [403, 'quota', 1, 'refused'],
  ])('and the worker answers %i: told', async (code, message, times, words) => {
    home.put(Claims, grown);
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const of = home.put(Volumes, volume(own));
    worker.refuse = () => ({ code, message });
    const said = [`data VolumeResizeFailed: the worker cluster ${words} the volume's new size: ${message}`];
    for (let n = 1; n <= 2; n++) {
      const turn = resize(at.state, home.all<Claim>(Claims)[0] as Claim, of, own);
      if (code === 500) await expect(turn).rejects.toThrow(message);
      else expect(await turn).toEqual({ againInMs: 60_000 });
      expect(at.events.slice(0, 1)).toEqual(n >= times ? said : []);
    }
    // Home shows what there is all the same.
    expect(home.all<Claim>(Claims)[0]?.status?.capacity).toEqual({ storage: '1Gi' });
  });
});
