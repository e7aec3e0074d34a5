/**
 * The kinds on a real API server: the tutorial's YAML is accepted as it is, everything that cannot be valid is refused,
 * and the refusal names the field and says what would be right.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { type ApiServer, kubectl, startApiServer } from './harness/index.ts';

type Fields = Record<string, unknown>;

let server: ApiServer;

const files = [
  'charts/kubeocean/templates/crds/clusterbindings.yaml',
  'charts/kubeocean-worker/templates/crds/resourceleasingpolicies.yaml',
  'charts/kubeocean-worker/templates/crds/leaseguards.yaml',
  'charts/kubeocean-worker/templates/crds/leasednodes.yaml',
].map((file) => join(checkout, file));

beforeAll(async () => {
  server = await startApiServer();
  await run(['apply', ...files.flatMap((file) => ['-f', file])]);
  await run(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
});

function run(args: string[], input?: string, anyExit = false): ReturnType<typeof kubectl> {
  return kubectl(server.kubeconfig as `/${string}`, args, { ...(input !== undefined && { input }), anyExit });
}

/** What the API server says to an object; empty when it takes it. Nothing is stored. */
async function refusal(object: unknown): Promise<string> {
  const { status, stderr } = await run(['create', '--dry-run=server', '-f', '-'], JSON.stringify(object), true);
  return status === 0 ? '' : stderr;
}

const apiVersion = 'cloud.tencent.com/v1beta1';

function binding(spec: Fields): Fields {
  const secretRef = { name: 'worker', namespace: 'kubeocean-system' };
  return {
    apiVersion,
    kind: 'ClusterBinding',
    metadata: { name: 'test' },
    spec: { clusterID: 'cls-test', mountNamespace: 'kubeocean-worker', secretRef, ...spec },
  };
}

function policy(spec: Fields): Fields {
  return { apiVersion, kind: 'ResourceLeasingPolicy', metadata: { name: 'test' }, spec: { cluster: 'test', ...spec } };
}

function expressions(...matchExpressions: Fields[]): Fields {
  return { nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] } };
}

function window(fields: Fields): Fields {
  return policy({ timeWindows: [fields] });
}

function limit(...resourceLimits: Fields[]): Fields {
  return policy({ resourceLimits });
}

describe('the tutorial', () => {
  it.each(['cb.yaml', 'rlp.yaml'])('%s is accepted unchanged, unknown fields being an error', async (name) => {
    const file = join(checkout, 'docs/tutorial', name);
    await run(['create', '--dry-run=server', '--validate=strict', '-f', file]);
  });
});

describe('accepted', () => {
  it.each<[string, Fields]>([
    ['a policy with nothing but its binding', policy({})],
    ['an empty selector', policy({ nodeSelector: { nodeSelectorTerms: [] } })],
    ['a window of the whole day', window({ days: ['Monday'] })],
    ['day names in any case', window({ start: '00:00', end: '23:59', days: ['monday', 'TUESDAY'] })],
    [
      'a window across midnight in a zone',
      policy({ timeZone: 'America/Argentina/Buenos_Aires', timeWindows: [{ start: '22:00', end: '06:00' }] }),
    ],
    ['the zones UTC and Etc/GMT+8', policy({ timeZone: 'Etc/GMT+8' })],
    [
      'quantities of every form',
      limit(
        { resource: 'cpu', quantity: '500m' },
        { resource: 'memory', quantity: '1.5Gi' },
        { resource: 'pods', quantity: 10 },
        { resource: 'nvidia.com/gpu', quantity: '1e1' },
      ),
    ],
    ['zero', limit({ resource: 'cpu', quantity: 0 }, { resource: 'memory', percent: 0 })],
    [
      'all operators',
      policy(
        expressions(
          { key: 'a', operator: 'In', values: ['x'] },
          { key: 'a.io/b', operator: 'Exists' },
          { key: 'c', operator: 'Gt', values: ['-8'] },
        ),
      ),
    ],
    [
      'a field',
      policy({
        nodeSelector: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node1'] }] }],
        },
      }),
    ],
    ['a clusterID of 24 characters', binding({ clusterID: 'a'.repeat(24) })],
    [
      'a namespaceSelector',
      binding({
        namespaceSelector: {
          matchLabels: { team: 'a' },
          matchExpressions: [{ key: 'b', operator: 'NotIn', values: ['c'] }],
        },
      }),
    ],
  ])('%s', async (_, object) => expect(await refusal(object)).toBe(''));
});

describe('refused', () => {
  it.each<[string, Fields, RegExp]>([
    ['a binding without clusterID', binding({ clusterID: undefined }), /spec\.clusterID: Required value/],
    ['a clusterID in capitals', binding({ clusterID: 'CLS' }), /spec\.clusterID: .*should match '\^\[a-z0-9\]/],
    [
      'a clusterID of 25 characters',
      binding({ clusterID: 'a'.repeat(25) }),
      /spec\.clusterID: Too long: may not be more than 24/,
    ],
    ['a binding without secretRef', binding({ secretRef: undefined }), /spec\.secretRef: Required value/],
    ['a secretRef without name', binding({ secretRef: { namespace: 'a' } }), /spec\.secretRef\.name: Required value/],
    [
      'a secretRef with empty name',
      binding({ secretRef: { name: '', namespace: 'a' } }),
      /spec\.secretRef\.name: .*at least 1/,
    ],
    [
      'a secretRef without namespace',
      binding({ secretRef: { name: 'a' } }),
      /spec\.secretRef\.namespace: Required value/,
    ],
    [
      'a binding without mountNamespace',
      binding({ mountNamespace: undefined }),
      /spec\.mountNamespace: Required value/,
    ],
    ['a mountNamespace with a dot', binding({ mountNamespace: 'a.b' }), /spec\.mountNamespace: .*should match/],
    [
      'an unknown operator',
      binding(expressions({ key: 'a', operator: 'Is', values: ['b'] })),
      /matchExpressions\[0\]\.operator: Unsupported value: "Is": supported values: "In", "NotIn"/,
    ],
    [
      'In without values',
      binding(expressions({ key: 'a', operator: 'In' })),
      /matchExpressions\[0\]\.values: .*In and NotIn need at least one value/,
    ],
    [
      'Exists with values',
      policy(expressions({ key: 'a', operator: 'Exists', values: ['b'] })),
      /\.values: .*Exists and DoesNotExist take no values/,
    ],
    [
      'Gt with a word',
      policy(expressions({ key: 'a', operator: 'Gt', values: ['many'] })),
      /\.values: .*Gt and Lt need exactly one value, an integer/,
    ],
    [
      'Lt with two values',
      policy(expressions({ key: 'a', operator: 'Lt', values: ['1', '2'] })),
      /\.values: .*Gt and Lt need exactly one value/,
    ],
    [
      'a field that nodes lack',
      policy({
        nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'spec.x', operator: 'In', values: ['a'] }] }] },
      }),
      /matchFields\[0\]\.key: Unsupported value.*metadata\.name/,
    ],
    ['a policy without cluster', policy({ cluster: undefined }), /spec\.cluster: Required value/],
    [
      '24:00',
      window({ start: '00:00', end: '24:00' }),
      /timeWindows\[0\]\.end: .*must be a time HH:MM from 00:00 to 23:59/,
    ],
    ['8:00', window({ start: '8:00', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
    ['12:60', window({ start: '12:60', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
    ['an empty time', window({ start: '', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
    ['start without end', window({ start: '08:00' }), /timeWindows\[0\]: .*give both, or neither/],
    ['an unknown day', window({ days: ['Mon'] }), /timeWindows\[0\]\.days\[0\]: .*must be one of Monday, Tuesday/],
    [
      'an offset for a zone',
      policy({ timeZone: '+08:00' }),
      /spec\.timeZone: .*IANA time zone, for example Asia\/Shanghai/,
    ],
    [
      '101 percent',
      limit({ resource: 'cpu', percent: 101 }),
      /resourceLimits\[0\]\.percent: .*less than or equal to 100/,
    ],
    [
      '-1 percent',
      limit({ resource: 'cpu', percent: -1 }),
      /resourceLimits\[0\]\.percent: .*greater than or equal to 0/,
    ],
    [
      'a negative quantity',
      limit({ resource: 'cpu', quantity: '-1' }),
      /resourceLimits\[0\]\.quantity: .*a Kubernetes quantity and not negative/,
    ],
    [
      'a negative whole number',
      limit({ resource: 'cpu', quantity: -1 }),
      /resourceLimits\[0\]\.quantity: .*not negative/,
    ],
    [
      'what is no quantity',
      limit({ resource: 'cpu', quantity: '4 cores' }),
      /resourceLimits\[0\]\.quantity: .*a Kubernetes quantity/,
    ],
    ['a limit without resource', limit({ percent: 1 }), /resourceLimits\[0\]\.resource: Required value/],
    ['a limit without any', limit({ resource: 'cpu' }), /resourceLimits\[0\]: .*needs quantity, percent or both/],
    [
      'a resource twice',
      limit({ resource: 'cpu', percent: 1 }, { resource: 'cpu', percent: 2 }),
      /resourceLimits\[1\]: Duplicate value/,
    ],
    [
      'a negative grace',
      policy({ gracefulReclaimPeriodSeconds: -1 }),
      /gracefulReclaimPeriodSeconds: .*greater than or equal to 0/,
    ],
    ['a misspelt field', policy({ timeWindow: [] }), /unknown field "spec\.timeWindow"/],
    [
      'a record without node',
      { apiVersion, kind: 'LeasedNode', metadata: { name: 'x' }, spec: { cluster: 'a', nodeUID: 'u', policy: 'p' } },
      /spec\.nodeName: Required value/,
    ],
  ])('%s', async (_, object, message) => expect(await refusal(object)).toMatch(message));

  it.each<[string, Fields, RegExp]>([
    ['clusterID', { clusterID: 'other' }, /spec\.clusterID: .*clusterID is immutable/],
    ['mountNamespace', { mountNamespace: 'other' }, /spec\.mountNamespace: .*mountNamespace is immutable/],
  ])('a change of %s', async (field, change, message) => {
    const made = binding({});
    made['metadata'] = { name: `immutable-${field.toLowerCase()}` };
    await run(['create', '-f', '-'], JSON.stringify(made));
    const changed = { ...made, spec: { ...(made['spec'] as Fields), ...change } };
    const { status, stderr } = await run(['replace', '-f', '-'], JSON.stringify(changed), true);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    const other = { ...made, spec: { ...(made['spec'] as Fields), directScheduling: true } };
    await run(['replace', '-f', '-'], JSON.stringify(other));
  });
});

describe('kubectl get', () => {
  it.each<[string, string[], Fields, Fields, RegExp]>([
    [
      'cb',
      [],
      binding({}),
      { phase: 'Ready', nodes: 2 },
      /^NAME +CLUSTERID +PHASE +AGE\ncolumns-cb +cls-test +Ready +\d/,
    ],
    [
      'cb',
      ['-owide'],
      binding({}),
      { nodes: 2, pods: 3, workerVersion: 'v1.34.4' },
      /CLUSTERID +PHASE +NODES +PODS +WORKER-VERSION +AGE\n.* 2 +3 +v1\.34\.4/,
    ],
    [
      'rlp',
      [],
      policy({}),
      { phase: 'Active', activeTimeWindow: true },
      /^NAME +CLUSTER +PHASE +ACTIVE +AGE\ncolumns-rlp +test +Active +true/,
    ],
    [
      'ln',
      [],
      { apiVersion, kind: 'LeasedNode', spec: { cluster: 'test', nodeName: 'node1', nodeUID: 'u', policy: 'p' } },
      {
        phase: 'Active',
        allocatable: { cpu: '4', memory: '27Gi', pods: '80' },
        window: { closesAt: '2026-01-01T08:00:00Z' },
        reason: 'Shrunk',
      },
      /^NAME +CLUSTER +NODE +PHASE +CPU +MEMORY +PODS +CLOSES +REASON +AGE\n\S+ +test +node1 +Active +4 +27Gi +80 +2026-01-01T08:00:00Z +Shrunk/,
    ],
    [
      'rlp',
      ['-owide'],
      policy({}),
      {
        phase: 'Active',
        activeTimeWindow: true,
        nodes: 2,
        closesAt: '2026-01-01T08:00:00Z',
        resources: [
          { resource: 'cpu', has: '8', lent: '4' },
          { resource: 'memory', lent: '27Gi' },
        ],
        reason: 'NodesLent',
        conditions: [
          {
            type: 'Leased',
            status: 'True',
            reason: 'NodesLent',
            message: '2 nodes lent to test',
            lastTransitionTime: '2026-01-01T08:00:00Z',
          },
        ],
      },
      /CLOSES +OPENS +NODES +CPU +MEMORY +PODS +REASON +MESSAGE +AGE\n.* 2026-01-01T08:00:00Z +2 +4 +27Gi +NodesLent +2 nodes lent to test/,
    ],
  ])('%s %j', async (short, options, object, status, output) => {
    const name = `columns-${short}`;
    await run(['apply', '-f', '-'], JSON.stringify({ ...object, metadata: { name } }));
    await run(['patch', short, name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
    const { stdout } = await run(['get', short, name, ...options]);
    expect(stdout).toMatch(output);
  });
});

describe('the definitions in the charts', () => {
  it.each(files)('%s stays when the chart is uninstalled', (file) => {
    expect(readFileSync(file, 'utf8')).toContain('\n    helm.sh/resource-policy: keep\n');
  });
});
