/** How a volume of ours comes to its end, step by step: what of it is deleted, what stays, and on whose word. */
import { homeVolumeName, Label, OfferedTo, VolumeAnnotation, VolumeFinalizer } from '@kubeocean/shared/api';
import { describe, expect, test, vi } from 'vitest';
import { WritesHeld } from '../gate.ts';
import type { Peer } from './peer.ts';
import { syncVolume, syncWorkerClaim } from './reclaim.ts';
import { boundClaim, facts, homeClaim } from './samples.ts';
import { claimFor, type TestState, VNODE, vnodeOf, volumeFor, waitingClaim, withPeers } from './test-state.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';

let home: Peer;
let worker: Peer;
let at: TestState;

withPeers((made) => ({ home, worker, at } = made));

const THEN = '2026-11-21T06:00:00Z';
const NAME = homeVolumeName('c1');

/** The volume of `shop/data`, whose claim is gone unless a test puts it there. */
function volume(change: (made: Volume) => void = () => undefined): Volume {
  const made = volumeFor(boundClaim(homeClaim()));
  made.metadata.uid = 'pv1';
  change(made);
  return made;
}

const deleted = (made: Volume): void => void (made.metadata.deletionTimestamp = THEN);
const released = (made: Volume): void => void (made.status = { phase: 'Released' });
const retained = (made: Volume): void => void (made.spec.persistentVolumeReclaimPolicy = 'Retain');

/** Bodies of what is written to a server. */
function bodiesOf(peer: Peer): object[] {
  const bodies: object[] = [];
  peer.refuse = ({ body }) => void bodies.push(body);
  return bodies;
}

test.each([
  ['deleted', deleted],
  ['released', released],
])('one that is %s: first the data goes, of the claim that was looked at, then the volume', async (_, how) => {
  const own = worker.put(Claims, boundClaim(homeClaim()));
  const ended = home.put(Volumes, volume(how));
  const bodies = bodiesOf(worker);
  expect(await syncVolume(at.state, ended)).toEqual({ againInMs: 5000 });
  expect([worker.writes, home.writes]).toEqual([[`DELETE ${own.metadata.name}`], []]);
  const { resourceVersion } = own.metadata;
  expect(bodies).toEqual([expect.objectContaining({ preconditions: { uid: 'w1', resourceVersion } })]);
  const atHome = bodiesOf(home);
  await syncVolume(at.state, ended);
  expect(home.writes).toEqual([`DELETE ${NAME}`, `PATCH ${NAME}`]);
  expect(atHome[0]).toMatchObject({ preconditions: { uid: 'pv1' } });
});

describe('while the worker takes its time to say that it has the claim, the data is kept when', () => {
  /** Lets something happen once the worker was asked for the claim. */
  function meanwhile(happens: () => void): void {
    const { worker: client } = at.context;
    const get = client.get.bind(client);
    vi.spyOn(client, 'get').mockImplementation(async (...given) => {
      const answer = await get(...given);
      happens();
      return answer;
    });
  }

  test('home’s volume is to be retained by now', async () => {
    worker.put(Claims, boundClaim(homeClaim()));
    const ended = home.put(Volumes, volume(released));
    meanwhile(() =>
      home.put(
        Volumes,
        volume((made) => [released, retained].forEach((each) => each(made))),
      ),
    );
    expect(await syncVolume(at.state, ended)).toBeUndefined();
    expect(worker.writes).toEqual([]);
  });

  test('its owner offers the claim by now', async () => {
    const own = worker.put(Claims, boundClaim(homeClaim()));
    const labels = { ...own.metadata.labels, [OfferedTo]: facts.bindingName };
    meanwhile(() => worker.put(Claims, { ...own, metadata: { ...own.metadata, labels } }));
    await expect(syncVolume(at.state, home.put(Volumes, volume(released)))).rejects.toThrow('has been modified');
    expect(worker.all<Claim>(Claims)).toHaveLength(1);
  });
});

test('while the worker claim is on its way home’s volume stays, and nothing is asked for twice', async () => {
  const own = boundClaim(homeClaim());
  worker.put(Claims, { ...own, metadata: { ...own.metadata, deletionTimestamp: THEN } });
  expect(await syncVolume(at.state, home.put(Volumes, volume(deleted)))).toEqual({ againInMs: 5000 });
  expect([worker.writes, home.writes]).toEqual([[], []]);
});

test('only the cluster that has our claim says that the worker claim is gone', async () => {
  at.context.confirmWorker = () => Promise.resolve(false);
  for (const how of [deleted, (made: Volume) => [deleted, retained].forEach((each) => each(made))]) {
    await expect(syncVolume(at.state, home.put(Volumes, volume(how)))).rejects.toThrow(WritesHeld);
  }
  expect(home.writes).toEqual([]);
});

test('one that is to be retained loses our finalizer, and its data stays and says so', async () => {
  const own = worker.put(Claims, boundClaim(homeClaim()));
  const ended = home.put(
    Volumes,
    volume((made) => [deleted, retained].forEach((each) => each(made))),
  );
  const bodies = bodiesOf(worker);
  await syncVolume(at.state, ended);
  expect(worker.writes).toEqual([`PATCH ${own.metadata.name}`]);
  expect(bodies).toEqual([
    { metadata: { uid: 'w1', annotations: { [VolumeAnnotation.retained]: '1970-01-01T00:00:00.000Z' } } },
  ]);
  expect(home.writes).toEqual([`PATCH ${NAME}`]);
  expect(home.all<Volume>(Volumes)[0]?.metadata).toMatchObject({
    '$deleteFromPrimitiveList/finalizers': [VolumeFinalizer],
  });
  worker.writes = [];
  await syncVolume(at.state, ended);
  expect(worker.writes, 'it says so already').toEqual([]);
});

test.each<[string, Volume, Volume | undefined]>([
  ['is released, and to be retained', volume((made) => [released, retained].forEach((each) => each(made))), undefined],
  ['an administrator made', volume(madeByHand), undefined],
  ['stands for a claim of another binding', otherBindings(), undefined],
  ['is gone by now', volume(deleted), undefined],
  ['is another by now', volume(deleted), volume((made) => void (made.metadata.uid = 'pv2'))],
])('nothing is done for one that %s', async (what, stored, now) => {
  worker.put(Claims, boundClaim(homeClaim()));
  if (!what.includes('gone')) home.put(Volumes, now ?? stored);
  expect(await syncVolume(at.state, stored)).toBeUndefined();
  expect([worker.writes, home.writes, at.events]).toEqual([[], [], []]);
});

function madeByHand(made: Volume): void {
  deleted(made);
  delete made.metadata.annotations?.[VolumeAnnotation.provisionedBy];
}

function otherBindings(): Volume {
  const made = volumeFor(boundClaim(homeClaim()), 'another');
  made.metadata.uid = 'pv1';
  deleted(made);
  return made;
}

test('one in use is guarded, and so is what holds its data', async () => {
  const own = worker.put(Claims, boundClaim(homeClaim()));
  const unguarded = home.put(
    Volumes,
    volume((made) => void (made.metadata.finalizers = ['other'])),
  );
  const bodies = bodiesOf(home);
  await syncVolume(at.state, unguarded);
  const { uid, resourceVersion } = unguarded.metadata;
  expect(bodies).toEqual([
    { metadata: expect.objectContaining({ uid, resourceVersion, finalizers: ['other', VolumeFinalizer] }) as object },
  ]);
  const [marked] = worker.all<Claim>(Claims);
  expect([marked?.metadata.name, marked?.metadata.annotations?.[VolumeAnnotation.homeVolume]]).toEqual([
    own.metadata.name,
    NAME,
  ]);
  expect(at.events).toEqual([]);
});

test('one in use is not guarded any more while its binding ends', async () => {
  at.context.binding().metadata.deletionTimestamp = THEN;
  worker.put(Claims, boundClaim(homeClaim()));
  await syncVolume(
    at.state,
    home.put(
      Volumes,
      volume((made) => void (made.metadata.finalizers = [])),
    ),
  );
  expect([worker.writes, home.writes]).toEqual([[], []]);
});

test('that writes are held is no failure of the volume, and one that passes is forgotten', async () => {
  worker.put(Claims, boundClaim(homeClaim()));
  const ended = home.put(Volumes, volume(deleted));
  at.context.mayWriteWorker = () => false;
  for (let turn = 0; turn < 3; turn++) await expect(syncVolume(at.state, ended)).rejects.toThrow(WritesHeld);
  at.context.mayWriteWorker = () => true;
  const fail = async () => {
    worker.refuse = () => ({ code: 500, message: 'a webhook' });
    await expect(syncVolume(at.state, ended)).rejects.toThrow('a webhook');
    worker.refuse = () => undefined;
  };
  await fail();
  await syncVolume(at.state, ended);
  worker.put(Claims, boundClaim(homeClaim()));
  await fail();
  expect(at.events).toEqual([]);
});

describe('a worker claim without a home volume', () => {
  const bound = (uid: string): Volume => volume((made) => Object.assign(made.spec.claimRef ?? {}, { uid }));
  const elsewhere = (uid: string): Volume => {
    const made = bound(uid);
    if (made.spec.csi) made.spec.csi.volumeHandle = 'another/claim';
    return made;
  };
  const withUID = (uid: string): Claim => ({ ...waitingClaim(), metadata: { ...waitingClaim().metadata, uid } });
  const othersVnode = { ...vnodeOf('node1'), metadata: { name: VNODE, labels: { [Label.bindingUID]: 'another' } } };

  test.each<[words: string, stays: boolean, setup: () => void]>([
    ['stays while its home claim waits for it', true, () => home.put(Claims, waitingClaim())],
    [
      'stays, and another volume of that name does not matter',
      true,
      () => {
        home.put(Claims, waitingClaim());
        home.put(Volumes, elsewhere('c2'));
      },
    ],
    ['goes with its home claim', false, () => undefined],
    ['goes when another home claim has the name', false, () => home.put(Claims, withUID('c2'))],
    ['goes when the home claim has a volume', false, () => home.put(Claims, waitingClaim(VNODE, { volumeName: 'pv' }))],
    ['goes when no node is selected any more', false, () => home.put(Claims, homeClaim())],
    ['goes when a node is selected that is not known', false, () => home.put(Claims, waitingClaim('node7'))],
    [
      'goes when the vnode is another binding’s',
      false,
      () => {
        home.put(Claims, waitingClaim());
        at.stores.vnodes.set(othersVnode);
      },
    ],
    [
      'goes when another binding made the volume',
      false,
      () => {
        home.put(Claims, waitingClaim());
        home.put(Volumes, elsewhere('c1'));
      },
    ],
  ])('%s', async (_, stays, setup) => {
    at.stores.vnodes.set(vnodeOf('node1'));
    setup();
    const claim = worker.put(Claims, claimFor('node1', { uid: 'w1' }));
    await syncWorkerClaim(at.state, claim);
    expect(worker.writes).toEqual(stays ? [] : [`DELETE ${claim.metadata.name}`]);
  });

  test.each<[string, Claim]>([
    ['that is in use', marked()],
    ['that is going already', claimFor('node1', { uid: 'w1', deletionTimestamp: THEN })],
    ['of its owner', { metadata: { name: 'owners', namespace: facts.mountNamespace }, spec: {} }],
  ])('%s is left alone', async (_, claim) => {
    expect(await syncWorkerClaim(at.state, worker.put(Claims, claim))).toBeUndefined();
    expect(worker.writes).toEqual([]);
  });

  test('of the binding of this name before is taken over', async () => {
    const former = marked();
    former.metadata.labels = { ...former.metadata.labels, [Label.bindingUID]: 'former' };
    await syncWorkerClaim(at.state, worker.put(Claims, former));
    expect(worker.writes).toEqual([`PATCH ${former.metadata.name}`]);
    expect(worker.all<Claim>(Claims)[0]?.metadata.labels?.[Label.bindingUID]).toBe(facts.bindingUID);
  });
});

function marked(): Claim {
  const claim = claimFor('node1', { uid: 'w1' });
  claim.metadata.annotations = { ...claim.metadata.annotations, [VolumeAnnotation.homeVolume]: NAME };
  return claim;
}
