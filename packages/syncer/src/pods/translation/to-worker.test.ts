import { workerName, tokenSecretName } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copiesOf, referencesOf } from '../../dependents/references.ts';
import { Refusal } from './refusal.ts';
import { arbitraryPod, FACTS, samplePod } from '../samples.ts';
import { toWorkerPod, workerMetadataPatch } from './to-worker.ts';
import type { Pod } from '../types.ts';

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
