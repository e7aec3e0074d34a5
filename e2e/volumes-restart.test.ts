/** A syncer that is killed at every step of a volume's life, and a vnode that goes: nothing is lost, made twice or left. */
import { leasedNodeName, LeasedNodes, VolumeAnnotation, vnodeName } from '@kubeocean/shared/api';
import { createReflector, Nodes, Pods } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { type Claim, Claims, type Volume, Volumes } from '../packages/syncer/src/volumes/types.ts';
import { absent, afterTest, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { getClaim, getWorkerClaim, logOf, running, showWhy, vnodesReady, volumeOf, warned } from './volumes/look.ts';
import { claimVolume, createRig, FOREVER, home, removeRig, type Rig, worker } from './volumes/rig.ts';
import { storageClasses } from './volumes/storage.ts';

let rig: Rig;
let syncer: RunningProcess;

beforeAll(async () => {
  rig = await createRig('volkill');
  syncer = rig.startSyncer();
  await vnodesReady(rig, syncer);
});

afterAll(() => removeRig(rig, syncer));

/** Runs a syncer until `look` gives something, and kills it that moment. */
async function killedAt<T>(step: string, look: () => Promise<T> | T): Promise<void> {
  syncer = rig.startSyncer();
  await waitFor(step, look, { timeoutMs: 90_000, everyMs: 10 });
  await syncer.kill();
}

/** Tells whether the home volume has been Released from now on: a syncer deletes it a moment later. */
async function watchRelease(name: string): Promise<() => boolean> {
  let released = false;
  const volumes = createReflector<Volume>(home, { resource: Volumes, fieldSelector: `metadata.name=${name}` });
  volumes.store.onChange(({ current }) => (released ||= current?.status?.phase === 'Released'));
  const over = new AbortController();
  afterTest(() => over.abort());
  void volumes.run(over.signal);
  await volumes.store.synced;
  return () => released;
}

/** Worker claims and home volumes that were made for a home claim. */
async function counterparts(of: Claim): Promise<{ claims: Claim[]; volumes: Volume[] }> {
  const claims = await worker.list<Claim>(Claims, { namespace: rig.name });
  const volumes = await home.list<Volume>(Volumes);
  return {
    claims: claims.items.filter(
      ({ metadata }) => metadata.annotations?.[VolumeAnnotation.virtualUID] === of.metadata.uid,
    ),
    volumes: volumes.items.filter(({ spec }) => spec.claimRef?.uid === of.metadata.uid),
  };
}

test('killed at every step', { timeout: 400_000 }, async () => {
  onTestFailed(() => showWhy(rig, syncer));
  const name = uniqueName('steps');
  const storageClass = await rig.offer(storageClasses.node);
  await syncer.kill();
  rig.storage.makes = false;

  const claim = await rig.claim(name, storageClass);
  await rig.pod(name, `echo "$HOSTNAME" >> /data/notes; echo "notes: $(cat /data/notes)"; ${FOREVER}`, [
    claimVolume('data', name),
  ]);
  await waitFor('a vnode chosen', async () =>
    rig.vnodes.includes((await getClaim(rig, name)).metadata.annotations?.[VolumeAnnotation.selectedNode] ?? ''),
  );
  await killedAt('worker claim made', () => getWorkerClaim(rig, claim));
  rig.storage.makes = true;
  await waitFor('worker claim bound', async () => (await getWorkerClaim(rig, claim)).status?.phase === 'Bound', {
    timeoutMs: 60_000,
  });
  await killedAt('home volume made', () => home.get(Volumes, '', `pvc-${claim.metadata.uid}`));
  await killedAt('worker claim marked', async () => {
    const { annotations } = (await getWorkerClaim(rig, claim)).metadata;
    return annotations?.[VolumeAnnotation.homeVolume] !== undefined;
  });
  syncer = rig.startSyncer();
  await running(rig, name);
  expect(await logOf(rig, name, 'notes:')).toContain(`notes: ${name}\n`);
  const made = await counterparts(claim);
  expect([made.claims.length, made.volumes.length]).toEqual([1, 1]);

  // An unused one: its pod and claim go while nobody follows.
  rig.storage.makes = false;
  const unused = await rig.claim(`${name}-unused`, storageClass);
  await rig.pod(`${name}-unused`, FOREVER, [claimVolume('data', `${name}-unused`)]);
  await waitFor('the second worker claim', () => getWorkerClaim(rig, unused), { timeoutMs: 60_000 });
  await syncer.kill();
  await home.delete(Pods, rig.name, `${name}-unused`, { gracePeriodSeconds: 0 });
  await home.delete(Claims, rig.name, `${name}-unused`);
  rig.storage.makes = true;

  await home.delete(Pods, rig.name, name);
  await home.delete(Claims, rig.name, name);
  const volume = await volumeOf(rig, name);
  const copy = await getWorkerClaim(rig, claim);
  await killedAt('home volume released', await watchRelease(volume.metadata.name));
  await killedAt('worker claim deleted', async () => {
    const { items } = await worker.list<Claim>(Claims, { namespace: rig.name });
    const still = items.find(({ metadata }) => metadata.uid === copy.metadata.uid);
    return !still || still.metadata.deletionTimestamp !== undefined;
  });
  syncer = rig.startSyncer();
  await absent('home volume', () => home.get(Volumes, '', volume.metadata.name), 90_000);
  const nothingLeft = async () => {
    const left = [await counterparts(claim), await counterparts(unused)];
    expect(left).toEqual(left.map(() => ({ claims: [], volumes: [] })));
    return true;
  };
  // The syncer may have just begun.
  await waitFor('nothing left', nothingLeft, { timeoutMs: 90_000 });
});

test('a node that is lent no more while its volume is made: another is chosen', { timeout: 240_000 }, async () => {
  onTestFailed(() => showWhy(rig, syncer));
  // The test before may have failed while none ran.
  if (syncer.exit !== undefined) syncer = rig.startSyncer();
  const name = uniqueName('leaves');
  rig.storage.makes = false;
  const claim = await rig.claim(name, await rig.offer(storageClasses.node));
  await rig.pod(name, FOREVER, [claimVolume('data', name)]);
  const made = await waitFor('the worker claim', () => getWorkerClaim(rig, claim), { timeoutMs: 60_000 });
  const node = made.metadata.annotations?.[VolumeAnnotation.selectedNode] ?? '';
  const vnode = vnodeName(rig.clusterID, node);
  // Nobody is told while no syncer runs: the next one finds the vnode missing.
  await syncer.kill();
  const record = leasedNodeName(rig.name, node);
  await worker.delete(LeasedNodes, rig.name, record);
  await home.patch(Nodes, '', vnode, { metadata: { finalizers: null } });
  await home.delete(Nodes, '', vnode);
  await absent('vnode', () => home.get(Nodes, '', vnode));
  syncer = rig.startSyncer();
  await warned(rig, 'PersistentVolumeClaim', name, `the vnode ${vnode}, for which the volume was to be made, is gone`);
  rig.storage.makes = true;
  const { spec } = await running(rig, name);
  expect(spec.nodeName).not.toBe(vnode);
  expect((await counterparts(claim)).claims).toHaveLength(1);
});
