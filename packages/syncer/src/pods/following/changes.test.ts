import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { migratedWorkerName } from '@kubeocean/shared/api';
import {
  askedRequests,
  ephemeralPatch,
  grows,
  missingEphemeral,
  resized,
  resizePatch,
  specPatch,
  updatePatch,
} from './changes.ts';
import { arbitraryPod, FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

function workerOf(home: Pod): Pod {
  const pod = toWorkerPod(home, FACTS);
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid' } };
}

const withResources = (resources: object, name = 'main') =>
  samplePod({ containers: [{ name, image: 'a', resources }] });

test('what was just made needs no change', () => {
  fc.assert(
    fc.property(arbitraryPod, (home) => {
      const worker = workerOf(home);
      expect(specPatch(home, worker)).toBeUndefined();
      expect(resizePatch(home, worker)).toBeUndefined();
      expect(ephemeralPatch(home, worker, FACTS)).toBeUndefined();
      expect(updatePatch(home, worker, undefined, 'none')).toBeUndefined();
    }),
  );
});

const ASKED = 'kubeocean.io/asked';

describe('what the worker’s owner made of it', () => {
  const home = (image: string, cpu = '100m', more: object = {}) =>
    samplePod({
      containers: [
        { name: 'main', image, resources: { requests: { cpu, memory: '1Gi' } } },
        { name: 'other', image: 'other:1' },
      ],
      initContainers: [{ name: 'i', image: 'i:1' }],
      ...more,
    });
  /** The worker pod of `asked`, as a webhook there changed it. */
  function mutated(asked: Pod): Pod {
    const worker = structuredClone(workerOf(asked));
    for (const container of [...worker.spec.containers, ...(worker.spec.initContainers ?? [])]) {
      container.image = `mirror/${container.image}`;
    }
    const [main] = worker.spec.containers;
    if (main) main.resources = { requests: { cpu: '2', memory: '2Gi' } };
    worker.spec.activeDeadlineSeconds = 500;
    return worker;
  }
  /** As the API server has it after the patch. */
  function after(worker: Pod, patch: ReturnType<typeof updatePatch>): Pod {
    const annotations = { ...worker.metadata.annotations, ...(patch?.metadata['annotations'] as object) };
    return { ...worker, metadata: { ...worker.metadata, annotations } };
  }

  test('stays: containers are not started anew for it', () => {
    const asked = home('a:1', '100m', { activeDeadlineSeconds: 3000 });
    const worker = mutated(asked);
    expect(specPatch(asked, worker)).toBeUndefined();
    expect(resizePatch(asked, worker)).toBeUndefined();
    expect(updatePatch(asked, worker, undefined, 'none')).toBeUndefined();
  });

  test('stays of one container when home changes another, or anything else of the pod', () => {
    const worker = mutated(home('a:1'));
    const changed = home('a:2', '100m', {
      tolerations: [{ operator: 'Exists' }],
      ephemeralContainers: [{ name: 'd' }],
    });
    expect(specPatch(changed, worker)?.spec).toEqual({ containers: [{ name: 'main', image: 'a:2' }] });
    expect(resizePatch(home('a:1', '3'), worker)?.spec).toEqual({
      containers: [{ name: 'main', resources: { requests: { cpu: '3' } } }],
    });
  });

  test('is what counts when room for a resize is looked for', () => {
    const worker = mutated(home('a:1'));
    const patch = resizePatch(home('a:1', '3'), worker);
    const wanted = patch && askedRequests(resized(worker, patch));
    expect(wanted?.get('memory')).toEqual(askedRequests(worker).get('memory'));
    expect(wanted?.get('cpu')?.nanos).toBe(3_000_000_000n);
  });

  test('of a change is not asked about again, and changing back is followed', () => {
    let worker = mutated(home('a:1'));
    const changed = home('a:2');
    const patch = updatePatch(changed, worker, specPatch(changed, worker), 'none');
    expect(patch).toMatchObject({ metadata: { uid: 'worker-uid' }, spec: { containers: [{ image: 'a:2' }] } });
    // The webhook has changed it to its own again.
    worker = after(worker, patch);
    expect(specPatch(changed, worker)).toBeUndefined();
    expect(specPatch(home('a:1'), worker)?.spec).toEqual({ containers: [{ name: 'main', image: 'a:1' }] });
  });

  test('a change to what is there already is only noted, so that the way back is followed', () => {
    let worker = mutated(home('a:1'));
    const changed = home('mirror/a:1');
    const patch = updatePatch(changed, worker, specPatch(changed, worker), 'none');
    expect(patch).not.toHaveProperty('spec');
    worker = after(worker, patch);
    expect(specPatch(home('a:1'), worker)?.spec).toEqual({ containers: [{ name: 'main', image: 'a:1' }] });
  });

  test('a resize that waits is not noted with an image that does not, one that was sent is', () => {
    const before = workerOf(home('a:1'));
    const changed = home('a:2', '3');
    const waiting = after(before, updatePatch(changed, before, specPatch(changed, before), 'waits'));
    expect(specPatch(changed, waiting)).toBeUndefined();
    expect(resizePatch(changed, waiting)).toBeDefined();
    const sent = after(before, updatePatch(changed, before, specPatch(changed, before), 'sent'));
    expect(resizePatch(changed, sent)).toBeUndefined();
  });

  test('nothing noted: what differs is followed, and noted with that', () => {
    const worker = mutated(home('a:1'));
    delete worker.metadata.annotations?.[ASKED];
    const spec = specPatch(home('a:1'), worker);
    expect(spec?.spec['containers']).toHaveLength(2);
    expect(resizePatch(home('a:1'), worker)).toBeDefined();
    const noted = after(worker, updatePatch(home('a:1'), worker, spec, 'sent'));
    expect(specPatch(home('a:1'), noted)).toBeUndefined();
    expect(resizePatch(home('a:1'), noted)).toBeUndefined();
    const same = workerOf(home('a:1'));
    delete same.metadata.annotations?.[ASKED];
    expect(updatePatch(home('a:1'), same, undefined, 'none')).toBeUndefined();
  });

  test('an adopted pod is taken as it is, and follows from then on', () => {
    const asked = home('a:1');
    const worker = mutated(asked);
    worker.metadata.name = migratedWorkerName('shop', asked.metadata.name);
    delete worker.metadata.annotations?.[ASKED];
    expect(specPatch(asked, worker)).toBeUndefined();
    expect(resizePatch(asked, worker)).toBeUndefined();
    const patch = updatePatch(asked, worker, undefined, 'none');
    expect(patch).not.toHaveProperty('spec');
    expect(specPatch(home('a:2'), after(worker, patch))?.spec).toEqual({
      containers: [{ name: 'main', image: 'a:2' }],
    });
  });

  test('a note that somebody spoiled is as none', () => {
    const worker = workerOf(home('a:1'));
    for (const text of ['', ';;;', 'x', ';,:', ';:////////']) {
      worker.metadata.annotations = { [ASKED]: text };
      expect(specPatch(home('a:1'), worker)).toBeUndefined();
      expect(specPatch(home('a:2'), worker)?.spec).toEqual({ containers: [{ name: 'main', image: 'a:2' }] });
    }
  });

  test('is noted in few bytes', () => {
    const image = `registry.example.com/a/long/name@sha256:${'0'.repeat(64)}`;
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '1Gi' } };
    const worker = workerOf(samplePod({ containers: [{ name: 'main', image, resources }] }));
    expect(worker.metadata.annotations?.[ASKED]).toMatch(/^;[\w-]{8}:100m\/64Mi\/1\/1Gi$/);
  });
});

describe('images and deadline', () => {
  test('only those that changed, by name', () => {
    const home = samplePod({
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '1' },
      ],
      initContainers: [{ name: 'i', image: '1' }],
    });
    const worker = workerOf(home);
    const changed = samplePod({
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '2' },
      ],
      initContainers: [{ name: 'i', image: '2' }],
      activeDeadlineSeconds: 60,
    });
    expect(specPatch(changed, worker)).toEqual({
      metadata: { uid: 'worker-uid' },
      spec: {
        containers: [{ name: 'b', image: '2' }],
        initContainers: [{ name: 'i', image: '2' }],
        activeDeadlineSeconds: 60,
      },
    });
  });

  test('a container that only one side has is left alone', () => {
    const worker = workerOf(
      samplePod({
        containers: [
          { name: 'a', image: '1' },
          { name: 'injected', image: '1' },
        ],
      }),
    );
    expect(specPatch(samplePod({ containers: [{ name: 'a', image: '1' }] }), worker)).toBeUndefined();
  });
});

describe('debug containers', () => {
  const debug = {
    name: 'debug',
    image: 'busybox',
    targetContainerName: 'main',
    env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
    futureField: 1,
  };

  test('are translated like others, once', () => {
    const worker = workerOf(samplePod());
    const home = samplePod({ ephemeralContainers: [debug] });
    const patch = ephemeralPatch(home, worker, FACTS);
    const [sent] = (patch?.spec['ephemeralContainers'] ?? []) as (typeof debug)[];
    expect(sent).toMatchObject({ name: 'debug', targetContainerName: 'main', futureField: 1 });
    expect(JSON.stringify(sent?.env)).not.toContain('"name":"s"');
    expect(sent?.env[0]).toEqual({ name: 'KUBERNETES_SERVICE_HOST', value: '10.1.0.1' });
    worker.spec.ephemeralContainers = [debug];
    expect(missingEphemeral(home, worker)).toEqual([]);
  });
});

describe('resources', () => {
  test.each<[string, object, object, object | undefined]>([
    ['equal in other words', { requests: { cpu: '1' } }, { requests: { cpu: '1000m' } }, undefined],
    ['more', { requests: { cpu: '100m' } }, { requests: { cpu: '200m' } }, { requests: { cpu: '200m' } }],
    ['less', { limits: { memory: '2Gi' } }, { limits: { memory: '1Gi' } }, { limits: { memory: '1Gi' } }],
    ['new', {}, { requests: { memory: '1Gi' } }, { requests: { memory: '1Gi' } }],
    [
      'only those that differ',
      { requests: { cpu: '1', memory: '1Gi' } },
      { requests: { cpu: '2', memory: '1Gi' } },
      { requests: { cpu: '2' } },
    ],
    [
      'defaults of the worker stay',
      { requests: { cpu: '1' }, limits: { cpu: '4' } },
      { requests: { cpu: '1' } },
      undefined,
    ],
    [
      'what cannot be resized',
      { limits: { 'example.com/gpu': '1' } },
      { limits: { 'example.com/gpu': '2' } },
      undefined,
    ],
  ])('%s', (_, before, after, resources) => {
    const patch = resizePatch(withResources(after), workerOf(withResources(before)));
    expect(patch?.spec).toEqual(resources && { containers: [{ name: 'main', resources }] });
  });

  test('of init containers only sidecars', () => {
    const make = (cpu: string) =>
      samplePod({
        initContainers: [
          { name: 'once', resources: { requests: { cpu } } },
          { name: 'side', restartPolicy: 'Always', resources: { requests: { cpu } } },
        ],
      });
    expect(resizePatch(make('2'), workerOf(make('1')))?.spec).toEqual({
      initContainers: [{ name: 'side', resources: { requests: { cpu: '2' } } }],
    });
  });

  test('grow when any of them does', () => {
    const [small, mixed] = [
      withResources({ requests: { cpu: '1', memory: '2Gi' } }),
      withResources({ requests: { cpu: '2', memory: '1Gi' } }),
    ];
    expect(grows(askedRequests(small), askedRequests(mixed))).toBe(true);
    expect(grows(askedRequests(mixed), askedRequests(small))).toBe(true);
    expect(grows(askedRequests(small), askedRequests(small))).toBe(false);
    const less = withResources({ requests: { cpu: '1', memory: '1Gi' } });
    expect(grows(askedRequests(small), askedRequests(less))).toBe(false);
  });
});
