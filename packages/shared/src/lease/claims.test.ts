import { expect, it } from 'vitest';
import type { KubeObject } from '../kube/types.ts';
import { claim, now, run, written } from './allocate-fixtures.ts';
import { holdersOf, judgeClaims, LongestSelector, readClaim } from './claims.ts';

const GONE = 'the claim w/kubeocean-claim.b is gone: it was deleted, or lost its label kubeocean.io/claim';

it('a selector as long as a claim may bring is read once, not at each look', () => {
  const terms = Array.from({ length: 64 }, () => ({ matchExpressions: [{ key: 'a', operator: 'Exists' }] }));
  const lease = claim('b', 'w', { 'kubeocean.io/node-selector': JSON.stringify({ nodeSelectorTerms: terms }) });
  const read = readClaim(lease);
  expect(read?.nodeSelector?.nodeSelectorTerms).toHaveLength(64);
  expect(readClaim(lease)).toBe(read);
});

it('a Lease without the label, or without a namespace, is no claim', () => {
  const { metadata } = claim('b', 'w');
  expect(readClaim({ metadata: { ...metadata, labels: {} } })).toBeUndefined();
  const { namespace: _, ...elsewhere } = metadata;
  expect(readClaim({ metadata: elsewhere })).toBeUndefined();
});

it.each<[string, string | undefined]>([
  ['null', undefined],
  ['{"nodeSelectorTerms":[]}', undefined],
  ['{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Like"}]}]}', 'its node selector is not valid: '],
  ['[]', 'its node selector is not valid: '],
  ['{', 'its node selector is not JSON'],
])('of a claim with the node selector %s it is said: %s', (text, problem) => {
  const read = readClaim(claim('b', 'w', { 'kubeocean.io/node-selector': text }));
  expect(read?.problem?.slice(0, 32)).toBe(problem);
  if (problem !== undefined) expect(read?.nodeSelector).toBeUndefined();
});

it.each([
  [0, undefined],
  [1, 'its node selector is longer than 32768 characters'],
])('of a claim with a node selector of %i characters more than agents read it is said: %s', (more, problem) => {
  const text = 'null'.padStart(LongestSelector + more);
  expect(readClaim(claim('b', 'w', { 'kubeocean.io/node-selector': text }))?.problem).toBe(problem);
});

it('the remark says what is wrong with the claim that is served, and who else asks', () => {
  const tenants = ['w', 'x'].map((namespace) => ({ namespace, serviceAccount: 's', bindings: ['*'] }));
  const broken = claim('b', 'w', { 'kubeocean.io/node-selector': '{' });
  const later = claim('b', 'x', {}, '2026-02-01T00:00:00Z');
  const judge = (leases: (typeof later)[], stale?: ReadonlyMap<string, Date>) =>
    judgeClaims(
      leases.flatMap((lease) => readClaim(lease) ?? []),
      tenants,
      'b',
      { staleSince: stale },
    );
  expect(judge([claim('b', 'w')])).not.toHaveProperty('remark');
  for (const both of [
    [claim('b', 'w'), later],
    [later, claim('b', 'w')],
  ]) {
    expect(judge(both)).toMatchObject({ served: { namespace: 'w' } });
  }
  expect(judge([later, broken], new Map([['w-b', now]]))).toMatchObject({
    served: { namespace: 'w' },
    remark:
      'the claim w/kubeocean-claim.b is not renewed since 2026-11-20T12:00:00.000Z; ' +
      'the claim w/kubeocean-claim.b cannot be read: its node selector is not JSON; ' +
      'the later claim in namespace x gets nothing',
  });
  const released = claim('b', 'w', { 'kubeocean.io/release': 'true' });
  expect(judge([released, later])).toMatchObject({ served: { namespace: 'x' } });
  expect(judge([released])).toEqual({
    remark: 'the claim w/kubeocean-claim.b is released (annotation kubeocean.io/release)',
  });
});

it.each<[string, string[], (KubeObject | string)[], { served?: string; missing?: string; remark?: string }]>([
  ['nobody has leases', [], ['w', later('x')], { served: 'w', remark: 'the later claim in namespace x gets nothing' }],
  ['it was deleted', ['w'], [], { missing: 'w', remark: GONE }],
  [
    'it was deleted, and another waits',
    ['w'],
    [later('x')],
    { missing: 'w', remark: `${GONE}; the later claim in namespace x gets nothing` },
  ],
  [
    'it was made again, and is younger',
    ['w'],
    [later('w'), 'x'],
    { served: 'w', remark: 'the later claim in namespace x gets nothing' },
  ],
  ['it was released, and another waits', ['w'], [released('w'), later('x')], { served: 'x' }],
  [
    'it was released',
    ['w'],
    [released('w')],
    { remark: 'the claim w/kubeocean-claim.b is released (annotation kubeocean.io/release)' },
  ],
  ['its namespace may not claim the name any more', ['none'], ['w'], { served: 'w' }],
  ['two have leases, and one a claim', ['w', 'x'], [later('x')], { served: 'x', missing: 'w' }],
])('of a claim in a namespace whose leases run: %s', (_, holders, leases, expected) => {
  const tenants = ['w', 'x'].map((namespace) => ({ namespace, serviceAccount: 's', bindings: ['*'] }));
  const claims = leases.flatMap((lease) => readClaim(typeof lease === 'string' ? claim('b', lease) : lease) ?? []);
  const { served, ...verdict } = judgeClaims(claims, tenants, 'b', { holders: new Set(holders) });
  expect({ ...verdict, ...(served && { served: served.namespace }) }).toEqual(expected);
});

it('namespaces with a record that is not closed have leases that run', () => {
  const [record] = written(run({}).open);
  const of = (phase: 'Active' | 'Closing' | 'Closed' | undefined, namespace: string) => ({
    ...record,
    metadata: { ...record?.metadata, name: 'b1.node1', namespace },
    spec: { cluster: 'b1', nodeName: 'node1', nodeUID: 'u', policy: 'p' },
    ...(phase && { status: { phase } }),
  });
  const records = [of('Active', 'a'), of('Closing', 'b'), of('Closed', 'c'), of(undefined, 'd'), of('Active', 'a')];
  expect(holdersOf(records)).toEqual(new Map([['b1', new Set(['a', 'b', 'd'])]]));
});

function later(namespace: string): KubeObject {
  return claim('b', namespace, {}, '2026-02-01T00:00:00Z');
}

function released(namespace: string): KubeObject {
  return claim('b', namespace, { 'kubeocean.io/release': 'true' });
}
