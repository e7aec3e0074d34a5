/**
 * The kinds as the charts install them, on real API servers: the tutorial's YAML is accepted as it is, everything that cannot be valid is refused,
 * and the refusal names the field and says what would be right.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { apiVersion, binding, expressions, type Fields, limit, policy, window } from './crds/objects.ts';
import { REFUSED } from './crds/refused.ts';
import { cleanup, client, type ClusterName, kubectl, uniqueName } from './harness/index.ts';

const files = [
  'charts/kubeocean/templates/crds/clusterbindings.yaml',
  'charts/kubeocean-worker/templates/crds/resourceleasingpolicies.yaml',
  'charts/kubeocean-worker/templates/crds/leaseguards.yaml',
  'charts/kubeocean-worker/templates/crds/leasednodes.yaml',
].map((file) => join(checkout, file));

/** Where the charts put each kind, and its path there. */
const places: Record<string, [ClusterName, path: string]> = {
  ClusterBinding: ['computing', 'clusterbindings'],
  ResourceLeasingPolicy: ['worker-1', 'resourceleasingpolicies'],
  LeasedNode: ['worker-1', 'namespaces/default/leasednodes'],
};

function placeOf(object: Fields): [ClusterName, path: string] {
  const place = places[String(object['kind'])];
  if (!place) throw new Error(`no chart installs the kind ${String(object['kind'])}`);
  return place;
}

/** What the API server says to an object, asked as kubectl asks; empty when it takes it. Nothing is stored. */
async function refusal(object: Fields): Promise<string> {
  const [cluster, plural] = placeOf(object);
  const query = { dryRun: 'All', fieldValidation: 'Strict' };
  const body = JSON.stringify(object);
  try {
    await client(cluster).transport.call({ method: 'POST', path: `/apis/${apiVersion}/${plural}`, query, body });
    return '';
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

describe('the tutorial', () => {
  it.each<[string, ClusterName]>([
    ['cb.yaml', 'computing'],
    ['rlp.yaml', 'worker-1'],
  ])('%s is accepted unchanged, unknown fields being an error', async (name, cluster) => {
    const file = join(checkout, 'docs/tutorial', name);
    await kubectl(cluster, ['create', '--dry-run=server', '--validate=strict', '-f', file]);
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
  it.each(REFUSED)('%s', async (_, object, words) => expect(await refusal(object)).toMatch(words));

  it.each<[string, Fields, RegExp]>([
    ['clusterID', { clusterID: 'other' }, /spec\.clusterID: .*clusterID is immutable/],
    ['mountNamespace', { mountNamespace: 'other' }, /spec\.mountNamespace: .*mountNamespace is immutable/],
  ])('a change of %s', async (field, change, message) => {
    const made = binding({});
    const name = uniqueName(`immutable-${field.toLowerCase()}`);
    made['metadata'] = { name };
    cleanup(() => kubectl('computing', ['delete', 'cb', name, '--ignore-not-found']));
    await kubectl('computing', ['create', '-f', '-'], { input: JSON.stringify(made) });
    const changed = { ...made, spec: { ...(made['spec'] as Fields), ...change } };
    const replaced = { input: JSON.stringify(changed), anyExit: true };
    const { status, stderr } = await kubectl('computing', ['replace', '-f', '-'], replaced);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    const other = { ...made, spec: { ...(made['spec'] as Fields), directScheduling: true } };
    await kubectl('computing', ['replace', '-f', '-'], { input: JSON.stringify(other) });
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
      {
        nodes: 2,
        pods: 3,
        workerVersion: 'v1.34.4',
        conditions: [
          {
            type: 'Ready',
            status: 'False',
            reason: 'SecretMissing',
            message: 'the Secret is missing',
            lastTransitionTime: '2026-01-01T08:00:00Z',
          },
        ],
      },
      /CLUSTERID +PHASE +NODES +PODS +WORKER-VERSION +MESSAGE +AGE\n.* 2 +3 +v1\.34\.4 +the Secret is missing/,
    ],
    [
      'rlp',
      [],
      policy({}),
      { phase: 'Active', activeTimeWindow: true, nodes: 0, reason: 'NoNodeMatches' },
      /^NAME +CLUSTER +PHASE +ACTIVE +NODES +REASON +AGE\ncolumns-rlp +test +Active +true +0 +NoNodeMatches/,
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
      /^NAME +CLUSTER +NODE +PHASE +CPU +MEMORY +PODS +CLOSES +OPENS +REASON +AGE\n\S+ +test +node1 +Active +4 +27Gi +80 +2026-01-01T08:00:00Z +Shrunk/,
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
    const [cluster] = placeOf(object);
    cleanup(() => kubectl(cluster, ['delete', short, name, '--ignore-not-found']));
    await kubectl(cluster, ['apply', '-f', '-'], { input: JSON.stringify({ ...object, metadata: { name } }) });
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    await kubectl(cluster, ['patch', short, name, ...patch]);
    const { stdout } = await kubectl(cluster, ['get', short, name, ...options]);
    expect(stdout).toMatch(output);
  });
});

describe('the definitions in the charts', () => {
  it.each(files)('%s stays when the chart is uninstalled', (file) => {
    expect(readFileSync(file, 'utf8')).toContain('\n    helm.sh/resource-policy: keep\n');
  });
});
