/**
 * Every malformed field of a ResourceLeasingPolicy is refused by the API server, in words that name the field and the
 * right form. The list follows the schema: a field that is added without a case here fails the last test.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { messageOf } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { policyDefinition } from '../packages/shared/src/api/crd.ts';
import { checkout } from './clusters/paths.ts';
import { client, kubectl } from './harness/index.ts';

type Fields = Record<string, unknown>;

const worker = client('worker-1');

/** What the API server says to a policy; empty when it takes it. Nothing is stored. */
async function refusal(spec: Fields, strict: boolean): Promise<string> {
  const policy = {
    apiVersion: 'cloud.tencent.com/v1beta1',
    kind: 'ResourceLeasingPolicy',
    metadata: { name: 'input-test' },
    spec: { cluster: 'test', ...spec },
  };
  if (!strict) {
    return worker.create(ResourceLeasingPolicies, policy, { dryRun: true }).then(() => '', messageOf);
  }
  // Unknown fields are an error where the client asks for that, as kubectl does.
  const command = ['create', '--dry-run=server', '-f', '-'];
  return (await kubectl('worker-1', command, { input: JSON.stringify(policy), anyExit: true })).stderr;
}

function terms(...nodeSelectorTerms: unknown[]): Fields {
  return { nodeSelector: { nodeSelectorTerms } };
}

function expression(fields: Fields): Fields {
  return terms({ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'], ...fields }] });
}

function field(fields: Fields): Fields {
  return terms({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'], ...fields }] });
}

const window = { start: '08:00', end: '18:00' };
function windows(...timeWindows: unknown[]): Fields {
  return { timeWindows };
}

function limit(fields: Fields): Fields {
  return { resourceLimits: [{ resource: 'cpu', percent: 1, ...fields }] };
}

const name253 = /a lowercase RFC 1123|should match|Too long|at least 1/;

/** Path in the schema, without indices; what is wrong; what must be said. */
const cases: [path: string, spec: Fields, says: RegExp][] = [
  ['cluster', { cluster: undefined }, /spec\.cluster: Required value/],
  ['cluster', { cluster: '' }, /spec\.cluster: .*at least 1/],
  ['cluster', { cluster: 'Example_Cluster' }, name253],
  ['cluster', { cluster: 'a'.repeat(254) }, /spec\.cluster: Too long: may not be more than 253/],
  ['cluster', { cluster: ['a'] }, /spec\.cluster: Invalid value: "array": .*must be of type string/],
  ['nodeSelector', { nodeSelector: 'all' }, /spec\.nodeSelector: .*must be of type object/],
  ['nodeSelector', { nodeSelector: { role: 'worker' } }, /unknown field "spec\.nodeSelector\.role"/],
  ['nodeSelector.nodeSelectorTerms', { nodeSelector: {} }, /spec\.nodeSelector\.nodeSelectorTerms: Required value/],
  [
    'nodeSelector.nodeSelectorTerms',
    terms(...Array.from({ length: 65 }, () => ({}))),
    /nodeSelectorTerms: Too many: 65: must have at most 64/,
  ],
  ['nodeSelector.nodeSelectorTerms[]', terms('a'), /nodeSelectorTerms\[0\]: .*must be of type object/],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions',
    terms({ matchExpressions: {} }),
    /matchExpressions: .*must be of type array/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[]',
    terms({ matchExpressions: ['a'] }),
    /matchExpressions\[0\]: .*must be of type object/,
  ],
  ['nodeSelector.nodeSelectorTerms[].matchExpressions[].key', expression({ key: undefined }), /\.key: Required value/],
  ['nodeSelector.nodeSelectorTerms[].matchExpressions[].key', expression({ key: 'a b' }), /\.key: .*should match/],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].operator',
    expression({ operator: 'in' }),
    /\.operator: Unsupported value: "in": supported values: "In"/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].values',
    expression({ values: [] }),
    /\.values: .*In and NotIn need at least one value/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].values',
    expression({ operator: 'DoesNotExist' }),
    /\.values: .*take no values/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].values',
    expression({ operator: 'Gt' }),
    /\.values: .*exactly one value, an integer/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].values[]',
    expression({ values: [8] }),
    /\.values\[0\]: .*must be of type string/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchExpressions[].values[]',
    expression({ values: ['a'.repeat(64)] }),
    /\.values\[0\]: Too long/,
  ],
  ['nodeSelector.nodeSelectorTerms[].matchFields', terms({ matchFields: {} }), /matchFields: .*must be of type array/],
  [
    'nodeSelector.nodeSelectorTerms[].matchFields[]',
    terms({ matchFields: ['a'] }),
    /matchFields\[0\]: .*must be of type object/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchFields[].key',
    field({ key: 'metadata.uid' }),
    /\.key: Unsupported value.*metadata\.name/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchFields[].operator',
    field({ operator: 'Exists' }),
    /\.operator: Unsupported value: "Exists"/,
  ],
  [
    'nodeSelector.nodeSelectorTerms[].matchFields[].values',
    field({ values: ['a', 'b'] }),
    /\.values: Too many: 2: must have at most 1/,
  ],
  ['nodeSelector.nodeSelectorTerms[].matchFields[].values', field({ values: undefined }), /\.values: Required value/],
  ['nodeSelector.nodeSelectorTerms[].matchFields[].values[]', field({ values: [''] }), /\.values\[0\]: .*at least 1/],
  ['timeWindows', { timeWindows: window }, /spec\.timeWindows: .*must be of type array/],
  [
    'timeWindows',
    windows(...Array.from({ length: 65 }, () => window)),
    /timeWindows: Too many: 65: must have at most 64/,
  ],
  ['timeWindows[]', windows('08:00-18:00'), /timeWindows\[0\]: .*must be of type object/],
  ['timeWindows[]', windows({ start: '08:00' }), /timeWindows\[0\]: .*give both, or neither/],
  ['timeWindows[]', windows({ end: '08:00' }), /timeWindows\[0\]: .*give both, or neither/],
  ['timeWindows[]', windows({ ...window, day: ['Monday'] }), /unknown field "spec\.timeWindows\[0\]\.day"/],
  ['timeWindows[].start', windows({ ...window, start: '8am' }), /timeWindows\[0\]\.start: .*HH:MM from 00:00 to 23:59/],
  ['timeWindows[].start', windows({ ...window, start: 480 }), /timeWindows\[0\]\.start: .*must be of type string/],
  ['timeWindows[].end', windows({ ...window, end: '24:00' }), /timeWindows\[0\]\.end: .*HH:MM from 00:00 to 23:59/],
  ['timeWindows[].end', windows({ ...window, end: '18:00:00' }), /timeWindows\[0\]\.end: .*HH:MM/],
  ['timeWindows[].days', windows({ ...window, days: 'Monday' }), /\.days: .*must be of type array/],
  [
    'timeWindows[].days',
    windows({ days: Array.from({ length: 8 }, () => 'Monday') }),
    /\.days: Too many: 8: must have at most 7/,
  ],
  ['timeWindows[].days[]', windows({ days: ['Mo'] }), /\.days\[0\]: .*must be one of Monday, Tuesday/],
  ['timeWindows[].days[]', windows({ days: [1] }), /\.days\[0\]: .*must be of type string/],
  ['timeZone', { timeZone: 'GMT+08:00' }, /spec\.timeZone: .*IANA time zone, for example Asia\/Shanghai/],
  ['timeZone', { timeZone: '' }, /spec\.timeZone: .*IANA time zone/],
  ['timeZone', { timeZone: 8 }, /spec\.timeZone: .*must be of type string/],
  ['resourceLimits', { resourceLimits: { cpu: 4 } }, /spec\.resourceLimits: .*must be of type array/],
  [
    'resourceLimits',
    {
      resourceLimits: [
        { resource: 'cpu', percent: 1 },
        { resource: 'cpu', percent: 2 },
      ],
    },
    /resourceLimits\[1\]: Duplicate value/,
  ],
  ['resourceLimits[]', { resourceLimits: ['cpu'] }, /resourceLimits\[0\]: .*must be of type object/],
  [
    'resourceLimits[]',
    { resourceLimits: [{ resource: 'cpu' }] },
    /resourceLimits\[0\]: .*needs quantity, percent or both/,
  ],
  ['resourceLimits[].resource', limit({ resource: undefined }), /resourceLimits\[0\]\.resource: Required value/],
  ['resourceLimits[].resource', limit({ resource: '' }), /resourceLimits\[0\]\.resource: .*at least 1/],
  ['resourceLimits[].resource', limit({ resource: 'my gpu' }), /resourceLimits\[0\]\.resource: .*should match/],
  ['resourceLimits[].resource', limit({ resource: 'cpus' }), /resourceLimits\[0\]\.resource: .*must be cpu, memory/],
  [
    'resourceLimits[].quantity',
    limit({ quantity: '4 cores' }),
    /\.quantity: .*Kubernetes quantity and not negative, for example "4"/,
  ],
  ['resourceLimits[].quantity', limit({ quantity: '' }), /\.quantity: .*Kubernetes quantity/],
  ['resourceLimits[].quantity', limit({ quantity: '-1Gi' }), /\.quantity: .*not negative/],
  // The API server would take seconds of a processor to find that out, and with more digits all it has.
  ['resourceLimits[].quantity', limit({ quantity: '1e9999999' }), /\.quantity: .*Kubernetes quantity/],
  ['resourceLimits[].quantity', limit({ quantity: 1.5 }), /\.quantity: .*must be (of type|an integer)/],
  ['resourceLimits[].percent', limit({ percent: 101 }), /\.percent: .*less than or equal to 100/],
  ['resourceLimits[].percent', limit({ percent: -1 }), /\.percent: .*greater than or equal to 0/],
  ['resourceLimits[].percent', limit({ percent: '80%' }), /\.percent: .*must be of type integer/],
  ['resourceLimits[].percent', limit({ percent: 12.5 }), /\.percent: .*must be of type integer/],
  ['forceReclaim', { forceReclaim: 'yes' }, /spec\.forceReclaim: .*must be of type boolean/],
  [
    'gracefulReclaimPeriodSeconds',
    { gracefulReclaimPeriodSeconds: -1 },
    /gracefulReclaimPeriodSeconds: .*greater than or equal to 0/,
  ],
  [
    'gracefulReclaimPeriodSeconds',
    { gracefulReclaimPeriodSeconds: '5m' },
    /gracefulReclaimPeriodSeconds: .*must be of type integer/,
  ],
  [
    'gracefulReclaimPeriodSeconds',
    { gracefulReclaimPeriodSeconds: 31_536_001 },
    /gracefulReclaimPeriodSeconds: .*less than or equal to 31536000/,
  ],
];

describe('refused', () => {
  it.each(cases)('%s: %j', async (path, spec, says) => {
    const message = await refusal(spec, says.source.includes('unknown field'));
    expect(message).toMatch(says);
    const last = path.split('.').at(-1)?.replaceAll('[]', '');
    expect(message).toContain(last);
  });
});

it('the recipes of docs/leasing.md are accepted as they are, unknown fields being an error', async () => {
  const guide = readFileSync(join(checkout, 'docs/leasing.md'), 'utf8');
  const recipes = [...guide.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml ?? '');
  expect(recipes.length).toBeGreaterThanOrEqual(2);
  for (const input of recipes) {
    await kubectl('worker-1', ['create', '--dry-run=server', '--validate=strict', '-f', '-'], { input });
  }
});

it('the list has a case for every field of the schema', () => {
  expect(new Set(cases.map(([path]) => path))).toEqual(new Set(fieldsOf(policyDefinition.spec, '')));
});

interface Node {
  properties?: Record<string, Node>;
  items?: Node;
}

/** Paths of all fields below a schema, with `[]` for the entries of a list. */
function fieldsOf(schema: Node, at: string): string[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = at === '' ? name : `${at}.${name}`;
    return [path, ...fieldsOf(field, path)];
  });
  const entries = schema.items ? [`${at}[]`, ...fieldsOf(schema.items, `${at}[]`)] : [];
  return [...below, ...entries];
}
