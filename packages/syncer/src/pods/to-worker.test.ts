import { workerName, tokenSecretName } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copiesOf, referencesOf } from '../dependents/references.ts';
import { Refusal } from './refusal.ts';
import { arbitraryPod, FACTS, samplePod } from './samples.ts';
import { toWorkerPod, workerMetadataPatch } from './to-worker.ts';
import type { Pod } from './types.ts';

const FORBIDDEN = [
  'nodeSelector',
  'topologySpreadConstraints',
  'schedulerName',
  'schedulingGates',
  'priority',
  'preemptionPolicy',
  'serviceAccount',
  'serviceAccountName',
  'readinessGates',
  'resourceClaims',
  'ephemeralContainers',
];

function refusal(pod: Pod): string {
  try {
    toWorkerPod(pod, FACTS);
  } catch (error) {
    if (error instanceof Refusal) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'carried';
}

describe('any pod', () => {
  test('keeps fields this program does not know', () => {
    fc.assert(
      fc.property(arbitraryPod, (pod) => {
        const worker = toWorkerPod(pod, FACTS);
        expect(worker.spec['futurePodField']).toEqual(pod.spec['futurePodField']);
        for (const [at, container] of pod.spec.containers.entries()) {
          expect(worker.spec.containers[at]?.['futureField']).toEqual(container['futureField']);
          expect(worker.spec.containers[at]?.['image']).toEqual(container['image']);
        }
      }),
    );
  });

  test('comes out the same each time, and is not changed', () => {
    fc.assert(
      fc.property(arbitraryPod, (pod) => {
        const before = structuredClone(pod);
        const first = toWorkerPod(pod, FACTS);
        expect(toWorkerPod(pod, FACTS)).toEqual(first);
        expect(pod).toEqual(before);
        expect(workerMetadataPatch(pod, first)).toBeUndefined();
      }),
    );
  });

  test('never carries a field that has power in the worker', () => {
    fc.assert(
      fc.property(arbitraryPod, fc.boolean(), (pod, directScheduling) => {
        const { spec } = toWorkerPod(pod, { ...FACTS, directScheduling });
        for (const field of FORBIDDEN) expect(spec).not.toHaveProperty(field);
        expect(spec['automountServiceAccountToken']).toBe(false);
        expect(spec['enableServiceLinks']).toBe(false);
        expect(spec['priorityClassName']).toBe('kubeocean-default');
        if (directScheduling) {
          expect(spec.nodeName).toBe('node1');
          expect(spec).not.toHaveProperty('affinity');
        } else {
          expect(spec).not.toHaveProperty('nodeName');
          expect(spec['affinity']).toEqual({
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node1'] }] }],
              },
            },
          });
        }
      }),
    );
  });

  test('refers in the worker to exactly the copies of what it refers to at home', () => {
    fc.assert(
      fc.property(arbitraryPod, (pod) => {
        const { objects, tokens } = referencesOf(pod);
        const { namespace = '', name, uid = '' } = pod.metadata;
        const expected = new Set(
          objects.map((o) => `${o.kind}/${workerName(FACTS.bindingUID, namespace, o.name, o.kind)}`),
        );
        if (tokens.length > 0) expected.add(`secret/${tokenSecretName(FACTS.bindingUID, namespace, name, uid)}`);
        expect(new Set(copiesOf(toWorkerPod(pod, FACTS)))).toEqual(expected);
      }),
    );
  });

  test('has a host name that is one label', () => {
    fc.assert(
      fc.property(arbitraryPod, (pod) => {
        const { hostname } = toWorkerPod(pod, FACTS).spec;
        if (!pod.spec.hostNetwork) expect(hostname).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      }),
    );
  });
});

describe('metadata', () => {
  test('says whose pod it is, and carries no label or annotation of home', () => {
    const { metadata } = toWorkerPod(samplePod(), FACTS);
    expect(metadata).toEqual({
      name: workerName(FACTS.bindingUID, 'shop', 'web-5d9c7b-abcde'),
      namespace: 'kubeocean-worker',
      labels: {
        'kubeocean.io/managed-by': 'kubeocean',
        'kubeocean.io/cluster-binding': 'example-cluster',
        'kubeocean.io/binding-uid': FACTS.bindingUID,
        'kubeocean.io/virtual-namespace': 'shop',
        'kubeocean.io/workload-type': 'replicaset',
        'kubeocean.io/workload-name': 'web-5d9c7b',
      },
      annotations: {
        'kubeocean.io/virtual-pod-namespace': 'shop',
        'kubeocean.io/virtual-pod-name': 'web-5d9c7b-abcde',
        'kubeocean.io/virtual-pod-uid': '22222222-2222-2222-2222-222222222222',
        'kubeocean.io/virtual-node-name': 'vnode-cls-example-node1',
        'kubeocean.io/downward.metadata.namespace': 'shop',
        'kubeocean.io/asked': expect.stringMatching(/^;[\w-]{8}$/) as string,
      },
      finalizers: ['kubeocean.io/home-sync'],
    });
  });

  test('carries what the owner allows by prefix, never over our own', () => {
    const { metadata } = toWorkerPod(samplePod(), { ...FACTS, carriedPrefixes: ['app', 'kubeocean.io/'] });
    expect(metadata.labels).toMatchObject({ app: 'web', 'kubeocean.io/managed-by': 'kubeocean' });
  });

  test('of what Kubeocean means by a key nothing of home is carried, though the owner allows it', () => {
    const facts = { ...FACTS, carriedPrefixes: ['kubeocean.io/'] };
    const forged = {
      'kubeocean.io/lease-closed': 'forged',
      'kubeocean.io/virtual-pod-uid': 'forged',
      'kubeocean.io/binding-uid': 'forged',
    };
    const pod = samplePod({}, { labels: forged, annotations: forged });
    const worker = toWorkerPod(pod, facts);
    expect(worker.metadata).toEqual(toWorkerPod(samplePod(), FACTS).metadata);
    expect(workerMetadataPatch(pod, worker, facts)).toBeUndefined();
  });

  test('a change of it is only for the worker pod that was looked at, and takes nothing of the owner’s away', () => {
    const facts = { ...FACTS, carriedPrefixes: ['app'] };
    const worker = toWorkerPod(samplePod(), facts);
    worker.metadata.uid = 'worker-uid';
    worker.metadata.labels = { ...worker.metadata.labels, theirs: 'x' };
    const changed = samplePod({}, { labels: { application: 'shop' } });
    expect(workerMetadataPatch(changed, worker, facts)).toEqual({
      metadata: {
        uid: 'worker-uid',
        labels: { app: null, application: 'shop' },
        annotations: { 'kubeocean.io/carried': 'application;' },
      },
    });
  });

  describe('what the worker’s own webhooks and network put under a carried prefix', () => {
    const facts = { ...FACTS, carriedPrefixes: ['cni.example/', 'app'] };
    const note = 'kubeocean.io/carried';
    const theirs = { 'cni.example/status': 'up' };
    /** As the worker has it, with what its owner added. */
    function mutated(home: Pod): Pod {
      const worker = toWorkerPod(home, facts);
      const annotations = { ...worker.metadata.annotations, ...theirs };
      return { ...worker, metadata: { ...worker.metadata, annotations } };
    }

    test('stays, and is followed no more than before', () => {
      for (const home of [samplePod(), samplePod({}, { labels: {}, annotations: {} })]) {
        expect(workerMetadataPatch(home, mutated(home), facts)).toBeUndefined();
      }
    });

    test('stays when what came from home goes, and the note with the last of it', () => {
      const worker = mutated(samplePod());
      expect(worker.metadata.annotations?.[note]).toBe('app;cni.example/ip');
      const bare = samplePod({}, { labels: {}, annotations: {} });
      expect(workerMetadataPatch(bare, worker, facts)?.metadata).toEqual({
        labels: { app: null },
        annotations: { 'cni.example/ip': null, [note]: null },
      });
    });

    test('nothing is noted on a pod that brings nothing', () => {
      expect(toWorkerPod(samplePod(), FACTS).metadata.annotations).not.toHaveProperty(note);
    });

    test('a pod of a version that did not note it gets the note, and loses nothing', () => {
      const worker = mutated(samplePod());
      delete worker.metadata.annotations?.[note];
      expect(workerMetadataPatch(samplePod(), worker, facts)?.metadata).toEqual({
        annotations: { [note]: 'app;cni.example/ip' },
      });
    });

    test('a key whose prefix is not carried any more stays: the worker would refuse to have it changed', () => {
      const bare = samplePod({}, { labels: {}, annotations: {} });
      expect(workerMetadataPatch(bare, mutated(samplePod()), FACTS)?.metadata).toEqual({
        annotations: { [note]: null },
      });
    });
  });

  test('follows the downward API files of home', () => {
    const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
    const pod = samplePod({ volumes: [{ name: 'info', downwardAPI: { items } }] }, { labels: { b: '2', a: '1' } });
    const worker = toWorkerPod(pod, FACTS);
    expect(worker.metadata.annotations?.['kubeocean.io/downward.metadata.labels']).toBe('a="1"\nb="2"');
    expect(worker.spec.volumes?.[0]?.downwardAPI?.items?.[0]?.fieldRef?.fieldPath).toBe(
      "metadata.annotations['kubeocean.io/downward.metadata.labels']",
    );
    const changed = { ...pod, metadata: { ...pod.metadata, labels: { a: '1' } } };
    expect(workerMetadataPatch(changed, worker)).toEqual({
      metadata: { uid: undefined, annotations: { 'kubeocean.io/downward.metadata.labels': 'a="1"' } },
    });
  });
});

describe('environment', () => {
  const env = (fieldPath: string) => {
    const containers = [{ name: 'main', env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] }];
    return toWorkerPod(samplePod({ containers }), FACTS).spec.containers[0]?.env?.find(({ name }) => name === 'X');
  };

  test.each([
    ['metadata.name', 'web-5d9c7b-abcde'],
    ['metadata.namespace', 'shop'],
    ['metadata.uid', '22222222-2222-2222-2222-222222222222'],
    ['spec.nodeName', 'vnode-cls-example-node1'],
    ['spec.serviceAccountName', 'builder'],
    ["metadata.labels['app']", 'web'],
    ["metadata.labels['none']", ''],
    ["metadata.annotations['note']", 'a $$(b) "c"'],
  ])('%s is the value of home, literally', (fieldPath, value) => {
    expect(env(fieldPath)).toEqual({ name: 'X', value });
  });

  test('what only the worker knows is left to it', () => {
    expect(env('status.podIP')).toEqual({ name: 'X', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
  });

  test("names home's API server unless the pod does", () => {
    const own = [{ name: 'KUBERNETES_SERVICE_PORT', value: '1' }];
    const [first] = toWorkerPod(samplePod({ containers: [{ name: 'main', env: own }] }), FACTS).spec.containers;
    // All of them: the worker's kubelet adds those of its own API server that are missing.
    expect(first?.env).toEqual([
      { name: 'KUBERNETES_SERVICE_HOST', value: '10.1.0.1' },
      { name: 'KUBERNETES_SERVICE_PORT_HTTPS', value: '6443' },
      { name: 'KUBERNETES_PORT', value: 'tcp://10.1.0.1:6443' },
      { name: 'KUBERNETES_PORT_6443_TCP', value: 'tcp://10.1.0.1:6443' },
      { name: 'KUBERNETES_PORT_6443_TCP_PROTO', value: 'tcp' },
      { name: 'KUBERNETES_PORT_6443_TCP_PORT', value: '6443' },
      { name: 'KUBERNETES_PORT_6443_TCP_ADDR', value: '10.1.0.1' },
      { name: 'KUBERNETES_SERVICE_PORT', value: '1' },
    ]);
  });
});

describe('names in the network', () => {
  test('ClusterFirst means home, with what the pod adds', () => {
    const dnsConfig = { nameservers: ['9.9.9.9'], searches: ['corp'], options: [{ name: 'ndots', value: '2' }] };
    expect(toWorkerPod(samplePod({ dnsConfig }), FACTS).spec).toMatchObject({
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['10.1.0.10', '9.9.9.9'],
        searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp'],
        options: [{ name: 'ndots', value: '2' }],
      },
    });
  });

  test.each([
    [{ dnsPolicy: 'Default' }, 'Default'],
    [{ dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'] } }, 'None'],
    [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, 'ClusterFirst'],
    [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, 'None'],
  ])('%o gives %s', (spec, policy) => {
    expect(toWorkerPod(samplePod(spec), FACTS).spec.dnsPolicy).toBe(policy);
  });

  test("without home's DNS no name is answered by the worker's", () => {
    const { dns: _, ...facts } = FACTS;
    expect(toWorkerPod(samplePod(), facts).spec).toMatchObject({ dnsPolicy: 'Default' });
  });

  test("kubernetes.default is home's API server", () => {
    const hostAliases = [{ ip: '1.2.3.4', hostnames: ['kubernetes'] }];
    expect(toWorkerPod(samplePod({ hostAliases }), FACTS).spec.hostAliases).toEqual([
      ...hostAliases,
      {
        ip: '10.1.0.1',
        hostnames: ['kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'],
      },
    ]);
  });
});

describe('refused', () => {
  test.each([
    [{ resourceClaims: [{ name: 'gpu' }] }, /^ResourceClaimsNotCarried: /],
    [
      { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }] },
      /no claim of the worker cluster is known for the volume data/,
    ],
    [{ volumes: [{ name: 'data', newKind: {} }] }, /^VolumeNotCarried: volumes of kind newKind/],
    [{ volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 's' } } }] }, /nodePublishSecretRef/],
    [{ volumes: [{ name: 'v', rbd: { secretRef: { name: 's' } } }] }, /^VolumeNotCarried: /],
    [{ volumes: [{ name: 'v', projected: { sources: [{ podCertificate: {} }] } }] }, /projects podCertificate/],
    [{ containers: [{ name: 'm', env: [{ name: 'A', valueFrom: { newRef: {} } }] }] }, /^EnvironmentNotCarried: /],
    [{ containers: [{ name: 'm', envFrom: [{ newRef: {} }] }] }, /newRef, which Kubeocean does not know/],
    [
      { containers: [{ name: 'm', env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.new' } } }] }] },
      /^FieldNotCarried: /,
    ],
  ])('%o', (spec, reason) => {
    expect(refusal(samplePod(spec))).toMatch(reason);
  });

  test('a CSI volume without a Secret is not', () => {
    expect(refusal(samplePod({ volumes: [{ name: 'v', csi: { driver: 'd' } }] }))).toBe('carried');
  });
});
