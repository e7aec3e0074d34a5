import { expect, test } from 'vitest';
import { SentPatches } from './sent-patches.ts';
import type { StatusPatch } from './to-home.ts';

const ready = { type: 'Ready', status: 'True' };
const initialized = { type: 'Initialized', status: 'True' };
const containerStatuses = [{ name: 'main', resources: { requests: { cpu: '1' } } }];
const annotations = { 'kubeocean.io/physical-pod-uid': 'w' };
const all: StatusPatch = {
  metadata: { uid: 'u', annotations },
  status: { phase: 'Running', containerStatuses, conditions: [ready, initialized] },
};

test.each<[string, Partial<StatusPatch>, string, boolean]>([
  ['the same, of which the watch has yet to tell', all, '1', true],
  ['the same, of a pod that somebody has changed since', all, '3', false],
  ['what home left out of it', { status: { containerStatuses } }, '2', true],
  ['a condition of which home left out something', { status: { conditions: [initialized] } }, '2', true],
  ['what is another by now', { status: { containerStatuses: [{ name: 'main' }] } }, '2', false],
  ['a condition that is another by now', { status: { conditions: [{ ...ready, status: 'False' }] } }, '2', false],
  ['a field that it had not', { status: { podIP: '10.0.0.1' } }, '2', false],
  ['another annotation', { metadata: { uid: 'u', annotations: { ...annotations, more: '' } }, status: {} }, '2', false],
])('what was sent is not sent again: %s', (_, patch, revision, expected) => {
  const sent = new SentPatches();
  sent.note('u', all, ['1', '2']);
  expect(sent.has('u', { metadata: { uid: 'u' }, status: {}, ...patch }, revision)).toBe(expected);
  sent.delete('u');
  expect(sent.has('u', all, '1')).toBe(false);
});
