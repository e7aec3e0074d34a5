import { policySchema, type Schema } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import { readPolicies } from './read.ts';
import { RULES } from './rules.ts';

const head = 'apiVersion: cloud.tencent.com/v1beta1\nkind: ResourceLeasingPolicy\nmetadata: {name: p}\n';

function refusal(text: string): string {
  try {
    readPolicies(text, 'p.yaml', 'UTC');
  } catch (error) {
    return (error as Error).message;
  }
  return 'taken';
}

function rulesOf(schema: Schema): string[] {
  const children = [...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : [])];
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ rule }) => rule),
    ...children.flatMap((child) => rulesOf(child)),
  ];
}

test('every rule of the schema is known here, and no other', () => {
  expect([...RULES.keys()].toSorted()).toEqual([...new Set(rulesOf(policySchema.spec))].toSorted());
});

test('policies are taken from among other documents, with their lines', () => {
  const text = `kind: Namespace\napiVersion: v1\n---\n${head}spec: {cluster: c, forceReclaim: yes}\n---\n${head}spec: {cluster: d}\n`;
  expect(readPolicies(text, 'p.yaml', 'UTC').map(({ policy, line }) => [line, policy.spec])).toEqual([
    [4, { cluster: 'c', forceReclaim: true }],
    [9, { cluster: 'd' }],
  ]);
});

test('times without quotes stay text, as they do for kubectl', () => {
  const [read] = readPolicies(`${head}spec: {cluster: c, timeWindows: [{start: 18:00, end: 08:00}]}`, 'p.yaml', 'UTC');
  expect(read?.policy.spec.timeWindows).toEqual([{ start: '18:00', end: '08:00' }]);
});

describe('YAML as kubectl takes it', () => {
  const night = '{start: "22:00", end: "06:00"}';

  test.each([
    [
      'aliases',
      `spec:\n  cluster: c\n  timeWindows:\n  - {start: "08:00", end: "09:00", days: &d [Monday]}\n  - {days: *d}`,
      [{ start: '08:00', end: '09:00', days: ['Monday'] }, { days: ['Monday'] }],
    ],
    [
      'merge keys',
      `spec:\n  cluster: c\n  timeWindows:\n  - &n ${night}\n  - {<<: *n, end: "05:00"}`,
      [
        { start: '22:00', end: '06:00' },
        { start: '22:00', end: '05:00' },
      ],
    ],
    [
      'several merged, of which the first counts',
      `spec:\n  cluster: c\n  timeWindows:\n  - &n ${night}\n  - &m {start: "01:00", end: "02:00", days: [Sunday]}\n  - <<: [*n, *m]`,
      [
        { start: '22:00', end: '06:00' },
        { start: '01:00', end: '02:00', days: ['Sunday'] },
        { start: '22:00', end: '06:00', days: ['Sunday'] },
      ],
    ],
  ])('%s', (_, spec, windows) => {
    expect(readPolicies(head + spec, 'p.yaml', 'UTC')[0]?.policy.spec.timeWindows).toEqual(windows);
  });

  test('what was merged is held against the schema, too, and told where it was merged', () => {
    const text = `${head}spec:\n  cluster: c\n  timeWindows:\n  - &n {days: [Monday], day: Monday}\n  - start: "08:00"\n    end: "09:00"\n    <<: *n`;
    expect(refusal(text).split('\n')).toEqual([
      'p.yaml:7: spec.timeWindows[0].day: unknown field; known here: start, end, days',
      'p.yaml:10: spec.timeWindows[1].day: unknown field; known here: start, end, days',
    ]);
  });

  test.each([
    ['v1', 'List'],
    ['cloud.tencent.com/v1beta1', 'ResourceLeasingPolicyList'],
  ])('the policies of a %s %s', (version, kind) => {
    const item = (name: string) =>
      `- apiVersion: cloud.tencent.com/v1beta1\n  kind: ResourceLeasingPolicy\n  metadata: {name: ${name}}\n  spec: {cluster: c}\n`;
    const text = `apiVersion: ${version}\nkind: ${kind}\nitems:\n${item('a')}- {apiVersion: v1, kind: Pod}\n${item('b')}`;
    const read = readPolicies(text, 'p.yaml', 'UTC').map(({ policy, line }) => [line, policy.metadata.name]);
    expect(read).toEqual([
      [4, 'a'],
      [9, 'b'],
    ]);
    expect(refusal(text.replace('cluster: c', 'claster: c'))).toContain('p.yaml:7: spec.claster: unknown field');
  });

  test('aliases that never end, or that come to too much, are refused', () => {
    expect(refusal(`${head}spec: &s\n  cluster: c\n  nodeSelector: *s`)).toContain('names what it is itself part of');
    const nine = (text: string): string => Array.from({ length: 9 }, () => text).join();
    const levels = Array.from({ length: 9 }, (_, i) => `l${i}: &l${i} [${nine(i > 0 ? `*l${i - 1}` : 'x')}]\n`);
    expect(refusal(`${levels.join('')}kind: Pod\n`)).toContain('aliases make it too large');
  });
});

describe('beside the spec', () => {
  const plain = 'apiVersion: cloud.tencent.com/v1beta1\nkind: ResourceLeasingPolicy\n';

  test.each([
    [
      'metadata: {name: p}\nspec: {cluster: c}\ntimeWindows: []',
      'p.yaml:5: timeWindows: unknown field; did you mean spec.timeWindows?',
    ],
    ['metadata: {name: p}\nSpec: {cluster: c}', 'p.yaml:4: Spec: unknown field; did you mean spec?'],
    ['metadata: {name: p, lables: {a: b}}\nspec: {cluster: c}', 'p.yaml:3: metadata.lables: unknown field'],
    [
      'metadata: {name: p, labels: {a: 1}}\nspec: {cluster: c}',
      'p.yaml:3: metadata.labels.a: Invalid value: "integer"',
    ],
    [
      'metadata: {name: p, annotations: {kubeocean.io/reclaim: yes}}\nspec: {cluster: c}',
      'p.yaml:3: metadata.annotations.kubeocean.io/reclaim: Invalid value: "boolean"',
    ],
    ['metadata: {}\nspec: {cluster: c}', 'p.yaml:3: metadata.name: Required value'],
    ['spec: {cluster: c}', 'p.yaml:1: metadata: Required value'],
    ['metadata: {name: 1}\nspec: {cluster: c}', 'p.yaml:3: metadata.name: Invalid value: "integer"'],
    [
      'metadata: {name: My_Policy}\nspec: {cluster: c}',
      'p.yaml:3: metadata.name: Invalid value: "My_Policy": a lowercase RFC 1123 subdomain',
    ],
    [`metadata: {name: ${'a'.repeat(254)}}\nspec: {cluster: c}`, 'must be no more than 253 characters'],
  ])('%j is refused', (text, message) => expect(refusal(plain + text)).toContain(message));

  test('what `kubectl get -o yaml` writes is taken', () => {
    const metadata =
      '{name: p.q-1, uid: u, resourceVersion: "1", generation: 2, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [], labels: {a: b}, finalizers: [x]}';
    expect(refusal(`${plain}metadata: ${metadata}\nspec: {cluster: c}\nstatus: {phase: Active, any: thing}`)).toBe(
      'taken',
    );
  });
});

describe('what is refused', () => {
  test.each([
    ['spec: {}', 'p.yaml:4: spec.cluster: Required value'],
    ['', 'p.yaml:1: spec: Required value'],
    ['spec:\n  cluster: c\n  timeWindow: []', 'p.yaml:6: spec.timeWindow: unknown field; known here: cluster'],
    ['spec:\n  cluster: c\n  timezone: UTC', 'p.yaml:6: spec.timezone: unknown field; did you mean timeZone?'],
    ['spec:\n  cluster: c\n  timeZone: Mars/Base', 'p.yaml:5: spec: time zone "Mars/Base" is not known'],
    [
      'spec:\n  cluster: C_',
      `p.yaml:5: spec.cluster: Invalid value: "C_": spec.cluster in body should match '^[a-z0-9]`,
    ],
    [
      'spec:\n  cluster: c\n  timeWindows:\n  - {start: "8:00", end: "09:00"}',
      'p.yaml:7: spec.timeWindows[0].start: Invalid value: "8:00": must be a time HH:MM',
    ],
    [
      'spec:\n  cluster: c\n  timeWindows:\n  - start: "08:00"',
      'p.yaml:7: spec.timeWindows[0]: Invalid value: "object": start and end belong together',
    ],
    [
      'spec:\n  cluster: c\n  timeWindows:\n  - days: [Monday, Funday]',
      'p.yaml:7: spec.timeWindows[0].days[1]: Invalid value: "Funday": must be one of Monday',
    ],
    [
      'spec:\n  cluster: c\n  resourceLimits:\n  - {resource: cpu, percent: 101}',
      'p.yaml:7: spec.resourceLimits[0].percent: Invalid value: 101: spec.resourceLimits[0].percent in body should be less than or equal to 100',
    ],
    [
      'spec:\n  cluster: c\n  resourceLimits:\n  - {resource: cpu, quantity: "1e9999999"}',
      'p.yaml:7: spec.resourceLimits[0].quantity: Invalid value: "1e9999999": must be a Kubernetes quantity and not negative',
    ],
    [
      'spec:\n  cluster: c\n  resourceLimits:\n  - {resource: cpu, quantity: -1}',
      'p.yaml:7: spec.resourceLimits[0].quantity: Invalid value: -1: must be a Kubernetes quantity and not negative',
    ],
    [
      'spec:\n  cluster: c\n  resourceLimits:\n  - {resource: cpu}',
      'p.yaml:7: spec.resourceLimits[0]: Invalid value: "object": needs quantity, percent or both',
    ],
    [
      'spec:\n  cluster: c\n  resourceLimits:\n  - {resource: cpu, percent: 1}\n  - {resource: cpu, percent: 2}',
      'p.yaml:8: spec.resourceLimits[1]: Duplicate value: {"resource":"cpu"}',
    ],
    [
      'spec:\n  cluster: c\n  nodeSelector: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In}]}]}',
      'spec.nodeSelector.nodeSelectorTerms[0].matchExpressions[0].values: Invalid value: "object": the operators In and NotIn need at least one value',
    ],
    [
      'spec:\n  cluster: c\n  gracefulReclaimPeriodSeconds: 1.5',
      'p.yaml:6: spec.gracefulReclaimPeriodSeconds: Invalid value: "number": spec.gracefulReclaimPeriodSeconds in body must be of type integer: "number"',
    ],
    ['spec:\n  cluster: c\n  x: [', 'p.yaml:6: not valid YAML: '],
  ])('%j', (spec, message) => {
    expect(refusal(head + spec)).toContain(message);
  });

  test('a file without a policy says what it holds', () => {
    expect(refusal('kind: Pod\napiVersion: v1\n')).toBe(
      'p.yaml: no ResourceLeasingPolicy (apiVersion cloud.tencent.com/v1beta1); it holds v1 Pod',
    );
    expect(refusal('')).toContain('it holds no object');
  });

  test('all that is wrong is told at once, a line each', () => {
    expect(refusal(`${head}spec:\n  forceReclaim: 1\n  timeWindows: {}`).split('\n')).toHaveLength(3);
  });
});
