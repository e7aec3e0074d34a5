import type { Lease } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { createHeartbeat } from './heartbeat.ts';
import { claimLease, type Claimant, type ClaimVerdict, isStillOurs, judgeClaim } from './judge.ts';

const now = new Date('2026-11-21T06:00:00Z');
const us: Claimant = { binding: sampleBinding(), bindingUID: 'binding-uid', homeUID: 'home', epoch: 'e1' };

function lease(holder: string, annotations: Record<string, string> = {}): Lease {
  const made = claimLease(us, 'e1', now);
  return {
    ...made,
    metadata: { ...made.metadata, annotations: { ...made.metadata.annotations, ...annotations } },
    spec: { ...made.spec, holderIdentity: holder },
  };
}

function withoutEpoch(): Lease {
  const made = lease('home/binding-uid');
  delete made.metadata.annotations?.['kubeocean.io/epoch'];
  return made;
}

function approving(epoch: string): Claimant {
  const binding = sampleBinding();
  binding.metadata.annotations = { 'kubeocean.io/epoch': epoch };
  return { ...us, binding };
}

test.each<[string, Lease | undefined, Claimant, string]>([
  ['no claim yet', undefined, us, 'create'],
  ['our own', lease('home/binding-uid'), us, 'ours'],
  ['of another computing cluster', lease('other/x'), us, 'NameTaken'],
  ['of an earlier binding of this name', lease('home/old-uid'), us, 'NameTaken'],
  ['of nobody', lease(''), us, 'NameTaken'],
  ['taken back by the owner', lease('home/binding-uid', { 'kubeocean.io/release': 'true' }), us, 'Released'],
  ['of another epoch', lease('home/binding-uid', { 'kubeocean.io/epoch': 'e2' }), us, 'ForeignEpoch'],
  ['of an epoch that home lost', lease('home/binding-uid'), { ...us, epoch: undefined }, 'ForeignEpoch'],
  ['of another epoch, approved', lease('home/binding-uid', { 'kubeocean.io/epoch': 'e2' }), approving('e2'), 'ours'],
  [
    'of the epoch before a raise that was interrupted',
    lease('home/binding-uid', { 'kubeocean.io/epoch': 'e0' }),
    { ...us, previousEpoch: 'e0' },
    'ours',
  ],
  [
    'of an epoch before that one',
    lease('home/binding-uid', { 'kubeocean.io/epoch': 'e9' }),
    { ...us, previousEpoch: 'e0' },
    'ForeignEpoch',
  ],
  ['without an epoch, which nobody gave it yet', withoutEpoch(), { ...approving('e3'), previousEpoch: 'e0' }, 'ours'],
  [
    'of the epoch before one that home lost',
    lease('home/binding-uid', { 'kubeocean.io/epoch': 'e0' }),
    { ...us, epoch: undefined, previousEpoch: 'e0' },
    'ForeignEpoch',
  ],
  ['another one approved', lease('home/binding-uid', { 'kubeocean.io/epoch': 'e2' }), approving('e3'), 'ForeignEpoch'],
])('a claim %s', (_name, found, claimant, expected) => {
  const verdict = judgeClaim(found, claimant);
  expect(verdict.kind === 'refused' ? verdict.reason : verdict.kind).toBe(expected);
});

test.each(['$(curl x|sh)', 'e2; id', 'e'.repeat(64), ''])(
  'an epoch "%s" of the worker’s own is in no command',
  (epoch) => {
    const verdict = judgeClaim(lease('home/binding-uid', { 'kubeocean.io/epoch': epoch }), us);
    const message = expect.stringMatching(
      /^[^$;]* has to take the annotation kubeocean.io\/epoch off that Lease$/,
    ) as string;
    expect(verdict).toEqual({ kind: 'refused', reason: 'ForeignEpoch', message });
  },
);

test.each([
  ['speaks to terminals', '\u001b[2J/x'],
  ['does so in one character', 'home/\u009b31m'],
  ['names a command', 'kubectl delete ns/default'],
  ['is as long as an object may be', `home/${'x'.repeat(1_000_000)}`],
])('of whoever holds a claim nothing is quoted that %s', (_, holder) => {
  const verdict = judgeClaim(lease(holder), us);
  const message = verdict.kind === 'refused' ? verdict.message : '';
  expect(message).toMatch(/\(UID[^)]* unknown\)/);
  expect(message.length).toBeLessThan(1000);
  // oxlint-disable-next-line no-control-regex
  expect(message).not.toMatch(/[\u001b\u009b]|delete ns/);
});

test.each<[string, Parameters<typeof isStillOurs>, boolean]>([
  ['ours as before', [{ kind: 'ours' }, { held: true, refusal: undefined, releasing: false }], true],
  ['ours, not seen so before', [{ kind: 'ours' }, { held: false, refusal: undefined, releasing: false }], false],
  ['ours, in another cluster', [{ kind: 'ours' }, { held: false, refusal: 'NameTaken', releasing: false }], false],
  ['ours again, taken back before', [{ kind: 'ours' }, { held: false, refusal: 'Released', releasing: false }], true],
  ['taken back', [refusedFor('Released'), { held: true, refusal: undefined, releasing: false }], true],
  ['taken back, as before', [refusedFor('Released'), { held: false, refusal: 'Released', releasing: true }], true],
  [
    'taken back, not seen before',
    [refusedFor('Released'), { held: false, refusal: undefined, releasing: true }],
    false,
  ],
  [
    'taken back, in another cluster',
    [refusedFor('Released'), { held: false, refusal: 'WorkerReplaced', releasing: false }],
    false,
  ],
  ['of somebody else', [refusedFor('NameTaken'), { held: true, refusal: undefined, releasing: false }], false],
  ['of another epoch', [refusedFor('ForeignEpoch'), { held: true, refusal: 'Released', releasing: true }], false],
  ['gone', [{ kind: 'create' }, { held: true, refusal: undefined, releasing: false }], false],
  ['gone while we unbind', [{ kind: 'create' }, { held: true, refusal: undefined, releasing: true }], true],
  ['never ours while we unbind', [{ kind: 'create' }, { held: false, refusal: 'NameTaken', releasing: true }], false],
])('between two turns, a claim %s', (_name, [found, last], expected) => {
  expect(isStillOurs(found, last)).toBe(expected);
});

function refusedFor(reason: 'NameTaken' | 'Released' | 'ForeignEpoch'): ClaimVerdict {
  return { kind: 'refused', reason, message: '' };
}

test('a refusal says who and what to do', () => {
  const verdict = judgeClaim(lease('other/x'), us);
  expect(verdict).toMatchObject({
    message: expect.stringMatching(/other.*kubeocean-worker\/kubeocean-claim.example-cluster/s),
  });
});

test.each(['other/x', 'home/old-uid'])(
  'a name that %s has is not to be set free before its pods are gone',
  (holder) => {
    const way =
      /take its pods back \(annotation kubeocean.io\/release: "true" on the Lease \S+\) and, once none .* left .*, delete/;
    expect(judgeClaim(lease(holder), us)).toMatchObject({ message: expect.stringMatching(way) as string });
  },
);

test('the claim tells the agent what it must know', () => {
  const nodeSelector = { nodeSelectorTerms: [{ matchFields: [] }] };
  const claim = claimLease({ ...us, binding: sampleBinding({ nodeSelector }) }, 'e1', now);
  expect(claim.metadata.labels).toMatchObject({
    'kubeocean.io/claim': 'true',
    'kubeocean.io/cluster-binding': 'example-cluster',
  });
  expect(claim.metadata.annotations).toEqual({
    'kubeocean.io/binding-uid': 'binding-uid',
    'kubeocean.io/cluster-id': 'cls-example',
    'kubeocean.io/computing-cluster-uid': 'home',
    'kubeocean.io/node-selector': JSON.stringify(nodeSelector),
    'kubeocean.io/epoch': 'e1',
  });
  expect(claim.spec).toEqual({
    holderIdentity: 'home/binding-uid',
    leaseDurationSeconds: 40,
    renewTime: '2026-11-21T06:00:00.000000Z',
  });
});

test('a heartbeat is stale when it was not seen to change for 40 s, however old its timestamps', () => {
  const heart = createHeartbeat(false);
  expect(heart.state(false, 0)).toBe('Unknown');
  expect(heart.state(true, 0)).toBe('Missing');
  heart.seen(true, 1000);
  expect(heart.state(true, 41_000)).toBe('Alive');
  expect(heart.state(true, 41_001)).toBe('Stale');
  heart.seen(true, 50_000);
  expect(heart.state(true, 60_000)).toBe('Alive');
  heart.seen(false, 70_000);
  expect(heart.state(true, 70_000)).toBe('Missing');
});

test('silence while the worker was away says nothing of the agent', () => {
  const heart = createHeartbeat(false);
  heart.seen(true, 0);
  heart.contact(100_000);
  expect(heart.state(true, 120_000)).toBe('Alive');
  expect(heart.state(true, 140_001)).toBe('Stale');
});

test('an agent that was stale when we started has to be seen alive', () => {
  const heart = createHeartbeat(true);
  heart.seen(true, 0);
  expect(heart.state(true, 10)).toBe('Stale');
  heart.seen(true, 20);
  expect(heart.state(true, 30)).toBe('Alive');
});

test('how long silence may last is the option’s to say', () => {
  const heart = createHeartbeat(false, 12_000);
  heart.seen(true, 0);
  expect(heart.state(true, 12_000)).toBe('Alive');
  expect(heart.state(true, 12_001)).toBe('Stale');
});
