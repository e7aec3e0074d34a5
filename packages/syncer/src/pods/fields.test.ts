import { describe, expect, test } from 'vitest';
import { CONTAINER, ENV_SOURCE, type Fate, POD_SPEC, POD_STATUS, PROJECTED_SOURCE, VOLUME } from './fields.ts';
import { Refusal } from './translation/refusal.ts';
import { FACTS, samplePod } from './samples.ts';
import { STATUS_FIELDS, ADDRESS_LISTS } from './status/status-difference.ts';
import { toWorkerPod } from './translation/to-worker.ts';
import type { PodSpec } from './types.ts';

/** Values for the fields that cannot be any text. */
const VALUES: Record<string, unknown> = {
  containers: [{ name: 'main', env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }],
  initContainers: [{ name: 'init', env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }],
  ephemeralContainers: [{ name: 'debug' }],
  volumes: [{ name: 'v', configMap: { name: 'm' } }],
  imagePullSecrets: [{ name: 's' }],
  hostAliases: [{ ip: '192.0.2.1', hostnames: ['a'] }],
  hostNetwork: false,
  readinessGates: [{ conditionType: 'a/b' }],
  resourceClaims: [{ name: 'gpu' }],
  dnsConfig: { nameservers: ['192.0.2.53'] },
  dnsPolicy: 'ClusterFirst',
  enableServiceLinks: true,
  automountServiceAccountToken: true,
  hostname: 'a.b',
  setHostnameAsFQDN: true,
};

function fateOf(make: () => PodSpec, field: string, given: unknown): Fate {
  try {
    const spec = make();
    if (!(field in spec)) return 'home';
    return JSON.stringify(spec[field]) === JSON.stringify(given) ? 'carried' : 'translated';
  } catch (error) {
    if (error instanceof Refusal) return 'refused';
    throw error;
  }
}

describe('the table of fields says what the translation does', () => {
  /** What a field becomes under another name, or only beside others. */
  const ELSEWHERE = ['affinity', 'nodeName', 'ephemeralContainers', 'setHostnameAsFQDN', 'hostname'];
  test.each(Object.entries(POD_SPEC).filter(([field]) => !ELSEWHERE.includes(field)))('spec.%s', (field, [fate]) => {
    const given = VALUES[field] ?? 'text';
    expect(fateOf(() => toWorkerPod(samplePod({ [field]: given }), FACTS).spec, field, given)).toBe(fate);
  });

  test.each(Object.entries(VOLUME).filter(([field]) => field !== 'name'))('volume %s', (field, [fate]) => {
    const sources: Record<string, object> = {
      secret: { secretName: 's' },
      configMap: { name: 'm' },
      persistentVolumeClaim: { claimName: 'c' },
    };
    const items = [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }];
    const source =
      sources[field] ??
      (field === 'projected' ? { sources: [{ downwardAPI: { items } }] } : field === 'downwardAPI' ? { items } : {});
    const volumes = [{ name: 'v', [field]: source }];
    const facts = { ...FACTS, claims: new Map([['v', 'claim']]) };
    const got = fateOf(() => toWorkerPod(samplePod({ volumes }), facts).spec, 'volumes', volumes);
    expect(got).toBe(fate);
  });

  test.each(Object.entries(PROJECTED_SOURCE))('projected %s', (field, [fate]) => {
    const sources: Record<string, object> = {
      downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] },
      serviceAccountToken: { path: 'token' },
    };
    const volumes = [{ name: 'v', projected: { sources: [{ [field]: sources[field] ?? { name: 'm' } }] } }];
    expect(fateOf(() => toWorkerPod(samplePod({ volumes }), FACTS).spec, 'volumes', volumes)).toBe(fate);
  });

  test.each(Object.entries(ENV_SOURCE))('env from %s', (field, [fate]) => {
    const source =
      field === 'fieldRef' ? { fieldPath: 'metadata.name' } : { name: 'm', key: 'k', resource: 'limits.cpu' };
    const env = [{ name: 'A', valueFrom: { [field]: source } }];
    const containers = [{ name: 'main', env }];
    const { apiServer: _, ...facts } = FACTS;
    expect(fateOf(() => toWorkerPod(samplePod({ containers }), facts).spec, 'containers', containers)).toBe(fate);
  });

  const carried = Object.entries(CONTAINER).filter(([field, [fate]]) => fate === 'carried' && field !== 'name');
  test.each(carried)('container.%s is carried', (field) => {
    for (const list of ['containers', 'initContainers']) {
      const given = [{ name: 'main', [field]: 'text' }];
      const { apiServer: _, ...facts } = FACTS;
      const made = toWorkerPod(samplePod({ [list]: given }), facts).spec[list];
      expect(made, list).toEqual(given);
    }
  });

  test('of the status, exactly what is not home’s comes back', () => {
    const back = Object.entries(POD_STATUS)
      .filter(([, [fate]]) => fate !== 'home')
      .map(([field]) => field);
    expect(back.toSorted()).toEqual([...STATUS_FIELDS, ...ADDRESS_LISTS, 'conditions'].toSorted());
  });
});
