import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { askedRequests, ephemeralPatch, grows, missingEphemeral, resizePatch, specPatch } from './changes.ts';
import { arbitraryPod, FACTS, samplePod } from './samples.ts';
import { toWorkerPod } from './to-worker.ts';
import type { Pod } from './types.ts';

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
    }),
  );
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
