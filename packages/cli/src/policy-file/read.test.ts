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
