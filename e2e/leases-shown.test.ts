/**
 * What an owner sees of leases in every state, with kubectl alone and with `kubeocean explain`: a real API server with the
 * worker chart's kinds, a real agent, nodes and pods as plain objects. Each state has a binding and a node of its own.
 */
import { join } from 'node:path';
import {
  Annotation,
  claimName,
  Label,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import { Leases, microTime } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { run } from './clusters/local/run.ts';
import { kubectl, type RunningProcess } from './harness/index.ts';
import { becomes, mount, PlainCluster } from './worker-agent/plain.ts';

const cluster = new PlainCluster();
let agent: RunningProcess;

const began = new Date().getUTCHours();

/** A whole hour of the day, so many after the one in which the file began. */
function hour(offset: number): string {
  return `${String((began + offset) % 24).padStart(2, '0')}:00`;
}

/** A window of one hour, hours away from now. */
function laterToday(): ResourceLeasingPolicySpec['timeWindows'] {
  return [{ start: hour(6), end: hour(7) }];
}

const STATES: Record<string, Partial<ResourceLeasingPolicySpec>> = {
  open: {
    timeWindows: [
      { start: hour(0), end: hour(3) },
      { start: hour(6), end: hour(7), days: ['Monday'] },
    ],
    resourceLimits: [
      { resource: 'cpu', quantity: '4', percent: 80 },
      { resource: 'memory', percent: 90 },
    ],
  },
  closed: { timeWindows: laterToday() },
  noticed: { timeWindows: laterToday(), forceReclaim: true, gracefulReclaimPeriodSeconds: 3600 },
  taken: {},
  invalid: { resourceLimits: [{ resource: 'cpu', quantity: '2' }] },
  shrunk: { resourceLimits: [{ resource: 'cpu', quantity: '4' }] },
};

function selects(state: string): NonNullable<ResourceLeasingPolicySpec['nodeSelector']> {
  return { nodeSelectorTerms: [{ matchExpressions: [{ key: 'state', operator: 'In', values: [state] }] }] };
}

function make(name: string, spec: Partial<ResourceLeasingPolicySpec>) {
  return cluster.createPolicy(name, { cluster: name, nodeSelector: selects(name), ...spec });
}

/** Nobody renews it: after 40 s the policies say that, too. */
function claim(binding: string) {
  return cluster.client.create(Leases, {
    metadata: {
      namespace: mount,
      name: claimName(binding),
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
    },
    spec: { holderIdentity: 'by hand', leaseDurationSeconds: 40, renewTime: microTime(new Date()) },
  });
}

const policy = (name: string) => () => cluster.policy(name);

beforeAll(async () => {
  await cluster.setUp();
  for (const [name, spec] of Object.entries(STATES)) {
    await cluster.createNode(`${name}-node`, { state: name });
    await claim(name);
    await make(name, spec);
  }
  await make('second', { cluster: 'open', nodeSelector: selects('open') });
  await make('unclaimed', { nodeSelector: selects('open') });
  await claim('nowhere');
  await make('nowhere', {});
  await cluster.createPod('default', 'native', 'open-node', '2');
  agent = await cluster.startAgent('a');
  await becomes(policy('invalid'), { status: { reason: 'NodesLent' } });
  await becomes(policy('shrunk'), { status: { reason: 'NodesLent' } });
  await cluster.createPod(mount, 'lent', 'shrunk-node', '3', { [Label.clusterBinding]: 'shrunk' });
  await cluster.patchPolicy('shrunk', { resourceLimits: [{ resource: 'cpu', quantity: '1' }] });
  await cluster.patchPolicy('invalid', { timeZone: 'Mars/Olympus' });
  const metadata = { annotations: { [Annotation.reclaim]: 'now' } };
  await cluster.client.patch(ResourceLeasingPolicies, '', 'taken', { metadata });
  await becomes(policy('taken'), { status: { reason: 'ReclaimedByOwner' } });
  await becomes(policy('invalid'), { status: { phase: 'Failed' } });
  const fits = expect.arrayContaining([expect.objectContaining({ type: 'Fits', status: 'False' })]) as unknown;
  await becomes(policy('shrunk'), { status: { conditions: fits } });
});

function see(...args: string[]): Promise<string> {
  return kubectl(cluster.server.kubeconfig as `/${string}`, args).then(({ stdout }) => stdout);
}

/** The columns of one row of a table of kubectl. */
function row(table: string, name: string): string {
  const found = table.split('\n').find((line) => line.split(/ +/).includes(name));
  if (found === undefined) throw new Error(`no row ${name} in\n${table}`);
  return found.replaceAll(/ +/g, ' ').trim();
}

/** Message of a condition in the output of describe. */
function condition(text: string, type: string): string {
  const blocks = text.split(/Last Transition Time: /);
  const found = blocks.find((block) => new RegExp(`^ *Type: +${type}$`, 'm').test(block));
  return /Message: +(.*)/.exec(found ?? '')?.[1] ?? '';
}

const TIME = String.raw`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

describe('with kubectl alone', () => {
  test('get rlp -o wide: what is lent, until when, why not more', async () => {
    const table = await see('get', 'rlp', '-o', 'wide');
    const rows: [string, RegExp][] = [
      ['open', new RegExp(`Active true ${TIME} ${TIME} 1 4 28569Mi 109 NodesLent 1 node lent to open;.* cpu 4 of 8: `)],
      [
        'closed',
        new RegExp(`Inactive false ${TIME} ${TIME} 0 0 0 0 WindowClosed 1 node closed .*; running pods may stay`),
      ],
      ['noticed', new RegExp(`0 WindowClosed .*; running pods are evicted from ${TIME} and deleted at ${TIME}`)],
      ['taken', /Active true 0 0 0 0 ReclaimedByOwner .*the owner takes it back now/],
      ['invalid', /Failed true 1 2 32Gi 110 ValidationError .*; the spec is not valid: time zone "Mars\/Olympus"/],
      ['shrunk', /Active true 1 1 32Gi 110 NodesLent .*; lent pods hold more than that on 1 node/],
      ['second', /Active true 0 EarlierPolicy every node it selects is lent to open by the older policy open/],
      ['unclaimed', /Pending true 0 NotClaimed no computing cluster claims "unclaimed"; create a ClusterBinding/],
      ['nowhere', /Active true 0 NoNodeMatches no node matches both/],
    ];
    for (const [name, words] of rows) expect(row(table, name)).toMatch(words);
  });

  test('get ln: the same per node', async () => {
    const table = await see('get', 'ln', '-A', '-o', 'wide');
    const rows: [string, RegExp][] = [
      ['open-node', new RegExp(`Active 4 28569Mi 109 ${TIME} ${TIME} open`)],
      [
        'closed-node',
        new RegExp(`Closing 8 32Gi 110 ${TIME} ${TIME} WindowClosed closed no time window of policy closed`),
      ],
      ['noticed-node', /Closing .* Notice no time window/],
      ['taken-node', /Closing 8 32Gi 110 ReclaimedByOwner taken Done the owner takes it back now/],
      ['shrunk-node', /Active 1 32Gi 110 Shrunk shrunk lent pods hold more than is lent by now: cpu 3 of 1/],
    ];
    for (const [name, words] of rows) expect(row(table, name)).toMatch(words);
    const narrow = await see('get', 'ln', '-A');
    expect(row(narrow, 'NAMESPACE')).toBe('NAMESPACE NAME CLUSTER NODE PHASE CPU MEMORY PODS CLOSES OPENS REASON AGE');
    expect(row(narrow, 'open-node')).toMatch(
      new RegExp(`^${mount} open.open-node open open-node Active 4 28569Mi 109 ${TIME} ${TIME} \\d+\\w+$`),
    );
    expect(row(narrow, 'taken-node')).toMatch(/ taken-node Closing 8 32Gi 110 ReclaimedByOwner \d+\w+$/);
  });

  test('describe rlp: where the resources go to, and in words what holds', async () => {
    const open = await see('describe', 'rlp', 'open');
    expect(open).toMatch(/Has: +8\n +Kept: +2\n +Lent: +4\n +Native: +2\n +Others: +0\n +Resource: +cpu\n/);
    expect(condition(open, 'Active')).toMatch(new RegExp(`^a time window is open until ${TIME}$`));
    expect(condition(open, 'Leased')).toMatch(
      /^1 node lent to open;.* cpu 4 of 8: the nodes' own pods take 2, resourceLimits keep 2;/,
    );
    expect(open).toMatch(/Events:\n[^]*ActiveTimeWindow/);
    const closed = await see('describe', 'rlp', 'closed');
    expect(closed).toMatch(/Closed: +8\n +Has: +8\n[^]*Lent: +0\n/);
    expect(condition(closed, 'Active')).toMatch(new RegExp(`^no time window is open; the next one opens at ${TIME}$`));
    const shrunk = await see('describe', 'rlp', 'shrunk');
    expect(condition(shrunk, 'Fits')).toMatch(/hold more than is lent by now on shrunk-node \(cpu 3 of 1\); they stay/);
    const invalid = await see('describe', 'rlp', 'invalid');
    expect(condition(invalid, 'Valid')).toMatch(
      /"Mars\/Olympus" is not known; .*until it is corrected the last valid spec applies/,
    );
    expect(invalid).toContain('Last Valid Spec:');
  });
});

describe('with kubeocean explain', () => {
  async function explain(kind: string, name: string): Promise<string> {
    const command = [join(checkout, 'packages/cli/bin/kubeocean'), 'explain', kind, name];
    return (await run([...command, '--worker-kubeconfig', cluster.server.kubeconfig])).stdout;
  }

  test.each([
    [
      'open',
      'Policy open is open; closes ',
      '  open-node: lent to open under policy open: cpu 4, memory 28569Mi, pods 109',
    ],
    ['closed', 'Policy closed is closed; opens ', 'nodes closed to closed, so no new pods come.'],
    ['noticed', 'Policy noticed is closed; opens ', '  Running lent pods have notice: evicted '],
    ['taken', 'Policy taken is taken back by its owner', '  Nothing lent runs there any more.'],
    [
      'invalid',
      'its last valid spec applies, which is open at all times; it lends 1 of 8 nodes',
      'is not known; use an IANA name',
    ],
    ['shrunk', 'it lends 1 of 8 nodes to shrunk', 'lent pods hold more than is lent by now: cpu 3 of 1; they stay'],
    ['second', 'it lends 0 of 8 nodes', '\n  open-node: not lent by this policy: the older policy open lends it'],
    [
      'unclaimed',
      'it lends 0 of 8 nodes',
      'Why not, or not more:\n  open-node: not lent: no computing cluster claims "unclaimed"',
    ],
  ])('policy %s', async (name, ...words) => {
    const answer = await explain('policy', name);
    for (const part of words) expect(answer).toContain(part);
  });

  test('a node that closes; an agent that is silent', async () => {
    expect(await explain('node', 'closed-node')).toContain('Worker node closed-node: it is lent to closed (closing).');
    await agent.kill();
    const metadata = { namespace: mount, name: 'kubeocean-agent' };
    const renewTime = microTime(new Date(Date.now() - 300_000));
    await cluster.client.patch(Leases, mount, metadata.name, { spec: { renewTime } });
    const answer = await explain('policy', 'open');
    expect(answer).toContain('The worker agent is silent since ');
    expect(answer).toContain(
      'What happens next:\n  Nothing of the following happens while the agent is silent:\n  The window closes',
    );
  });
});
