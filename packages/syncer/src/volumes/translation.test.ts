/** Rules and properties of claims on their way to the worker, and of volumes on their way home. */
import fc from 'fast-check';
import { Label, OfferedTo, parseVolumeHandle, VolumeFinalizer, workerClaimName } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import { boundClaim, facts, homeClaim, storageClass, vnode } from './samples.ts';
import { capacityPatch, claimStatusPatch, reach, toHomeVolume } from './to-home.ts';
import { compare, holderOf, holds, sizePatch, toWorkerClaim } from './to-worker.ts';
import type { Claim, Volume } from './types.ts';

const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/);
const size = fc.integer({ min: 1, max: 4096 }).map((mebi) => `${mebi}Mi`);
/** Whatever a user may write into a claim. */
const claims: fc.Arbitrary<Claim> = fc
  .record({
    name,
    namespace: name,
    uid: fc.uuid(),
    labels: fc.dictionary(name, name),
    size,
    modes: fc.subarray(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'], { minLength: 1 }),
    more: fc.dictionary(fc.stringMatching(/^x[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
  })
  .map(({ name: of, namespace, uid, labels, size: storage, modes, more }) => ({
    metadata: { name: of, namespace, uid, labels, annotations: labels },
    spec: { ...more, accessModes: modes, resources: { requests: { storage } }, storageClassName: 'vnodes' },
  }));

describe('home claim → worker claim', () => {
  test('carries modes, size and the allowed class, and nothing else of what a user may write', () => {
    fc.assert(
      fc.property(claims, (home) => {
        const made = toWorkerClaim(home, facts);
        expect(Object.keys(made.spec).toSorted()).toEqual(['accessModes', 'resources', 'storageClassName']);
        expect(made.spec.storageClassName).toBe(facts.workerClass);
        for (const key of [
          ...Object.keys(made.metadata.labels ?? {}),
          ...Object.keys(made.metadata.annotations ?? {}),
        ]) {
          expect(key).toMatch(/^(kubeocean\.io\/|volume\.kubernetes\.io\/selected-node$)/);
        }
      }),
    );
  });

  test('carries what kind of volume it is, and the most that it may take', () => {
    const resources = { requests: { storage: '1Gi', other: '1' }, limits: { storage: '2Gi', other: '2' } };
    const { spec } = toWorkerClaim(homeClaim({ volumeMode: 'Block', resources }), facts);
    expect(spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      volumeMode: 'Block',
      resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
      storageClassName: facts.workerClass,
    });
  });

  test('is the same each time, and asks for nothing more once it is there', () => {
    fc.assert(
      fc.property(claims, (home) => {
        const made = toWorkerClaim(home, facts);
        expect(toWorkerClaim(structuredClone(home), facts)).toEqual(made);
        expect(sizePatch(home, made)).toBeUndefined();
        expect(holderOf(made, facts)).toEqual({
          namespace: home.metadata.namespace,
          name: home.metadata.name,
          uid: home.metadata.uid,
        });
      }),
    );
  });

  test('has a name of its own for every claim that ever was', () => {
    fc.assert(
      fc.property(claims, claims, (a, b) => {
        const of = ({ metadata: { namespace = '', name: at, uid = '' } }: Claim) => workerClaimName(namespace, at, uid);
        expect(of(a)).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        expect(of(a) === of(b)).toBe(a.metadata.uid === b.metadata.uid && a.metadata.name === b.metadata.name);
      }),
    );
  });

  test.each([
    ['another binding', { labels: { 'kubeocean.io/cluster-binding': 'other' } }],
    ['another computing cluster', { annotations: { 'kubeocean.io/computing-cluster-uid': 'h2' } }],
    ['another home claim', { annotations: { 'kubeocean.io/virtual-uid': 'c2' } }],
    ['another name', { annotations: { 'kubeocean.io/virtual-name': 'other' } }],
    ['another namespace', { annotations: { 'kubeocean.io/virtual-namespace': 'other' } }],
  ])('says whose it is only when all agrees: %s', (_, forged) => {
    const made = toWorkerClaim(homeClaim(), facts);
    const { labels, annotations } = { labels: {}, annotations: {}, ...forged };
    made.metadata.labels = { ...made.metadata.labels, ...labels };
    made.metadata.annotations = { ...made.metadata.annotations, ...annotations };
    expect(holderOf(made, facts)).toBeUndefined();
  });

  test.each([
    { wanted: '1Gi', asked: '1024Mi', given: '1Gi', patched: undefined },
    { wanted: '2Gi', asked: '1Gi', given: '1Gi', patched: '2Gi' },
    // Its owner has enlarged it, or is about to.
    { wanted: '1Gi', asked: '2Gi', given: '2Gi', patched: undefined },
    { wanted: '1Gi', asked: '2Gi', given: '1Gi', patched: undefined },
    { wanted: '1Gi', asked: '2Gi', given: undefined, patched: undefined },
    // Home takes back what the worker could not give.
    { wanted: '2Gi', asked: '9Gi', given: '1Gi', patched: '2Gi' },
  ])('home asks for $wanted, the worker for $asked and has $given: $patched', ({ wanted, asked, given, patched }) => {
    const home = homeClaim({ resources: { requests: { storage: wanted } } });
    const made = toWorkerClaim(homeClaim({ resources: { requests: { storage: asked } } }), facts);
    if (given) made.status = { phase: 'Bound', capacity: { storage: given } };
    expect(sizePatch(home, made)?.spec.resources?.requests?.storage).toBe(patched);
  });

  test('what its owner offers is not ours', () => {
    const made = toWorkerClaim(homeClaim(), facts);
    made.metadata.labels = { ...made.metadata.labels, [OfferedTo]: facts.bindingName };
    expect(holderOf(made, facts)).toBeUndefined();
  });

  test('holds the volume of the claim that both name, and of none when neither names one', () => {
    const made = toWorkerClaim(homeClaim(), facts);
    const strange: Claim = { metadata: { name: 'strange' }, spec: {} };
    const claimRef = { namespace: 'shop', name: 'data', uid: 'c1' };
    const holding = (worker: Claim, ref: Volume['spec']['claimRef']) =>
      holds(worker, { metadata: { name: 'v' }, spec: { ...(ref && { claimRef: ref }) } }, facts);
    expect(holding(made, claimRef)).toBe(true);
    for (const other of [{ uid: 'c2' }, { uid: '' }, { name: 'other' }, { namespace: 'other' }]) {
      expect(holding(made, { ...claimRef, ...other })).toBe(false);
    }
    expect(holding(strange, undefined)).toBe(false);
    expect(holding(strange, {})).toBe(false);
  });
});

describe('worker claim → home volume', () => {
  const offer = { workerClass: 'local-path', topology: 'node' } as const;
  const who = { bindingName: facts.bindingName, clusterID: 'cls' };
  const volumeFacts = { ...who, storageClass: storageClass(), offer, vnode: vnode() };

  test('is bound to the claim, stays on its node and is named by it', () => {
    fc.assert(
      fc.property(claims, (home) => {
        const worker = boundClaim(home);
        const volume = toHomeVolume(home, worker, volumeFacts);
        expect(toHomeVolume(home, worker, volumeFacts)).toEqual(volume);
        expect(volume.spec.claimRef).toMatchObject({ uid: home.metadata.uid, name: home.metadata.name });
        expect(parseVolumeHandle(volume.spec.csi?.volumeHandle ?? '')).toEqual({
          binding: facts.bindingName,
          claim: worker.metadata.name,
        });
        expect(volume.metadata.finalizers).toEqual([VolumeFinalizer]);
        expect(volume.metadata.labels?.[Label.physicalClusterID]).toBe('cls');
      }),
    );
  });

  test('an unchanged worker claim is no patch, a larger one is one patch', () => {
    fc.assert(
      fc.property(claims, size, (home, now) => {
        const worker = boundClaim(home, now);
        const shown = home.spec.resources?.requests?.storage ?? '';
        const volume = toHomeVolume(home, boundClaim(home), volumeFacts);
        const before: Claim = { ...home, status: { phase: 'Bound', capacity: { storage: shown } } };
        const patches = [capacityPatch(volume, worker), claimStatusPatch(before, worker)];
        const grown = compare(now, shown) > 0;
        expect(patches[0] !== undefined).toBe(grown);
        const after = { ...before, status: { ...before.status, ...(patches[1]?.['status'] as object) } };
        expect(claimStatusPatch(after, worker)).toBeUndefined();
        if (grown) {
          const capacity = patches[0]?.['spec'] as { capacity: { storage: string } };
          expect(capacityPatch({ ...volume, spec: { ...volume.spec, ...capacity } }, worker)).toBeUndefined();
        }
      }),
    );
  });

  test('of a long word of the worker no half of a character is shown: home would keep another in its place', () => {
    const home = homeClaim({ resources: { requests: { storage: '2Gi' } } }, { phase: 'Bound' });
    const waits = boundClaim(home, '1Gi');
    for (const before of ['', 'x']) {
      const message = before + '\u{1f600}'.repeat(1000);
      waits.status = { ...waits.status, conditions: [{ type: 'Resizing', status: 'True', message }] };
      const { status } = claimStatusPatch(home, waits) as { status: { conditions: { message: string }[] } };
      expect(status.conditions[0]?.message).toHaveProperty(
        'length',
        expect.toSatisfy((length) => length <= 1024),
      );
      expect(status.conditions[0]?.message.isWellFormed()).toBe(true);
    }
  });

  test('a claim that waits for room says so, keeps conditions of others, and is quiet once it has it', () => {
    const other = { type: 'ModifyingVolume', status: 'True' };
    const home = homeClaim(
      { resources: { requests: { storage: '2Gi' } } },
      { phase: 'Bound', capacity: { storage: '1Gi' }, conditions: [other] },
    );
    const waits = boundClaim(home, '1Gi');
    waits.status = {
      ...waits.status,
      conditions: [{ type: 'FileSystemResizePending', status: 'True', message: 'a pod' }],
    };
    const patch = claimStatusPatch(home, waits);
    expect(patch).toMatchObject({
      metadata: { uid: 'c1', resourceVersion: '7' },
      status: {
        conditions: [
          other,
          {
            type: 'Resizing',
            status: 'True',
            message:
              'the worker cluster has yet to enlarge the volume, which is 1Gi; it says FileSystemResizePending: a pod',
          },
        ],
      },
    });
    const told = { ...home, status: { ...home.status, ...(patch?.['status'] as object) } };
    expect(claimStatusPatch(told, waits)).toBeUndefined();
    const done = claimStatusPatch(told, boundClaim(home, '2Gi'));
    expect(done?.['status']).toEqual({ capacity: { storage: '2Gi' }, conditions: [other] });
  });

  test.each([
    ['node', {}, { 'kubeocean.io/physical-node-name': 'node1' }],
    ['worker', {}, {}],
    ['zone', { 'topology.kubernetes.io/zone': 'a' }, { 'topology.kubernetes.io/zone': 'a' }],
  ] as const)('reaches %s', (topology, labels, expected) => {
    const where = reach({ bindingName: 'example-cluster', offer: { ...offer, topology }, vnode: vnode(labels) });
    expect(where).toEqual({ 'kubeocean.io/cluster-binding': 'example-cluster', ...expected });
  });

  test('says when the vnode does not tell the zone', () => {
    const where = reach({ bindingName: 'example-cluster', offer: { ...offer, topology: 'zone' }, vnode: vnode() });
    expect(where).toContain('has no label topology.kubernetes.io/zone');
  });
});
