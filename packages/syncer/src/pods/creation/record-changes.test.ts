import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { concernedBy } from './record-changes.ts';

const record = (status: object) => ({ status: status as LeasedNodeStatus }) as LeasedNode;
const active = { phase: 'Active', allocatable: { cpu: '4' } };
const overlap = { ...active, networkOverlap: { message: 'x' } };

test.each<[string, object | undefined, object | undefined, ReturnType<typeof concernedBy>]>([
  ['it came', undefined, active, 'waiting'],
  ['it went', active, undefined, 'waiting'],
  ['it opened', { ...active, phase: 'Closed' }, active, 'waiting'],
  ['more is lent', active, { ...active, allocatable: { cpu: '5' } }, 'waiting'],
  ['of something that was not', active, { ...active, allocatable: { cpu: '4', pods: '1' } }, 'waiting'],
  ['less is lent', active, { ...active, allocatable: { cpu: '3' } }, 'none'],
  ['as much in other words', active, { ...active, allocatable: { cpu: '4000m' } }, 'none'],
  ['anything else', active, { ...active, message: 'x', node: {} }, 'none'],
  ['addresses mean others', active, overlap, 'all'],
  ['and no more', overlap, active, 'all'],
  ['still', overlap, { ...overlap, message: 'x' }, 'none'],
])('pods that a change of the record concerns: %s', (_, before, now, concerned) => {
  expect(concernedBy(before && record(before), now && record(now))).toBe(concerned);
});
