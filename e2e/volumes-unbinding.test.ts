/** The end of a binding keeps volumes and their data; a binding of the same name finds them again. */
import { type ClusterBinding, ClusterBindings, Label, VolumeAnnotation, VolumeFinalizer } from '@kubeocean/shared/api';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { toWorkerClaim } from '../packages/syncer/src/volumes/to-worker.ts';
import { Claims } from '../packages/syncer/src/volumes/types.ts';
import { absent, client, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { getClaim, getWorkerClaim, logOf, running, showWhy, vnodesReady, volumeOf } from './volumes/look.ts';
import { claimVolume, createRig, FOREVER, home, removeRig, type Rig } from './volumes/rig.ts';
import { storageClasses } from './volumes/storage.ts';

test('volumes outlive their binding', { timeout: 400_000 }, async () => {
  // Each try has a binding of its own.
  const rig: Rig = await createRig('volend');
  let syncer: RunningProcess = rig.startSyncer();
  onTestFinished(() => removeRig(rig, syncer), 180_000);
  onTestFailed(() => showWhy(rig, syncer));
  await vnodesReady(rig, syncer);
  const name = uniqueName('stays');
  const offered = await rig.offer(storageClasses.node);
  const claim = await rig.claim(name, offered);
  const script = `echo "$HOSTNAME" >> /data/notes; echo "notes: $(cat /data/notes | tr '\\n' ' ')"; ${FOREVER}`;
  await rig.pod(`${name}-1`, script, [claimVolume('data', name)]);
  await running(rig, `${name}-1`);

  // Another has yet to get its volume when the binding ends.
  rig.storage.makes = false;
  const waiting = await rig.claim(`${name}-late`, offered);
  await rig.pod(`${name}-late`, FOREVER, [claimVolume('data', `${name}-late`)]);
  await waitFor('its claim in the worker', () => getWorkerClaim(rig, waiting), { timeoutMs: 60_000 });

  // The owner offers its class no more: what exists goes on, and can be ended.
  await rig.lendClasses(['another']);
  const facts = { bindingName: rig.name, bindingUID: rig.bindingUID, mountNamespace: rig.name, homeUID: 'h' };
  const other = { ...claim, metadata: { ...claim.metadata, uid: crypto.randomUUID() } };
  await waitFor('the new list in force', () =>
    client(rig.tenant)
      .create(Claims, toWorkerClaim(other, { ...facts, workerClass: storageClasses.node, node: 'node1' }), {
        dryRun: true,
      })
      .then(
        () => false,
        (error: unknown) => String(error).includes('storageClassName of a claim must be one of'),
      ),
  );

  const { spec } = await home.get<ClusterBinding>(ClusterBindings, '', rig.name);
  await home.delete(ClusterBindings, '', rig.name);
  await absent('binding', () => home.get(ClusterBindings, '', rig.name), 120_000);
  await syncer.stop();
  await absent('the claim that nothing was ever in', () => getWorkerClaim(rig, waiting));
  const { annotations } = (await getClaim(rig, waiting.metadata.name)).metadata;
  expect(annotations?.[VolumeAnnotation.selectedNode]).toBeUndefined();
  rig.storage.makes = true;
  const kept = await volumeOf(rig, name);
  expect(kept.spec.persistentVolumeReclaimPolicy).toBe('Retain');
  expect(kept.metadata.finalizers ?? []).not.toContain(VolumeFinalizer);
  expect((await getClaim(rig, name)).status?.phase).toBe('Bound');
  const copy = await getWorkerClaim(rig, claim);
  expect(copy.metadata.deletionTimestamp).toBeUndefined();
  expect(copy.metadata.annotations?.[VolumeAnnotation.retained]).toBeDefined();

  const again = await home.create<ClusterBinding>(ClusterBindings, { metadata: { name: rig.name }, spec });
  rig.bindingUID = again.metadata.uid ?? '';
  syncer = rig.startSyncer();
  await vnodesReady(rig, syncer);
  await rig.pod(`${name}-2`, script, [claimVolume('data', name)]);
  await running(rig, `${name}-2`);
  expect(await logOf(rig, `${name}-2`, 'notes:')).toContain(`notes: ${name}-1 ${name}-2`);
  await waitFor('both sides ours again', async () => {
    const { labels, annotations } = (await getWorkerClaim(rig, claim)).metadata;
    expect(labels?.[Label.bindingUID]).toBe(rig.bindingUID);
    expect(annotations?.[VolumeAnnotation.retained]).toBeUndefined();
    expect((await volumeOf(rig, name)).metadata.finalizers).toContain(VolumeFinalizer);
    return true;
  });
});
