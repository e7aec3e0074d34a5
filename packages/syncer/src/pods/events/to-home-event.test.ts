import { describe, expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import { lastSeen, shortened, toHomeEvent, type WorkerEvent } from './to-home-event.ts';

const NOW = new Date('2026-01-02T03:04:05Z');

function event(changes: Partial<WorkerEvent> = {}): WorkerEvent {
  return {
    metadata: { name: 'e', namespace: 'kubeocean-worker', uid: 'event-uid' },
    involvedObject: { kind: 'Pod', name: 'worker', uid: 'worker-uid', fieldPath: 'spec.containers{main}' },
    type: 'Warning',
    reason: 'FailedMount',
    message: 'no such thing',
    count: 3,
    firstTimestamp: '2026-01-02T03:00:00Z',
    lastTimestamp: '2026-01-02T03:01:00Z',
    source: { component: 'kubelet' },
    ...changes,
  };
}

function shown(changes: Partial<WorkerEvent> = {}) {
  const kept = shortened(event(changes));
  const reporter = { component: 'kubeocean-syncer', instance: 'syncer-0' };
  return kept && toHomeEvent(kept, samplePod(), 'name', (text) => text.replace('thing', 'object'), reporter, NOW);
}

test('is about the home pod, in home’s words, with the kubelet as its source', () => {
  expect(shown()).toEqual({
    metadata: { name: 'name', namespace: 'shop' },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'shop',
      name: 'web-5d9c7b-abcde',
      uid: '22222222-2222-2222-2222-222222222222',
      fieldPath: 'spec.containers{main}',
    },
    type: 'Warning',
    reason: 'FailedMount',
    message: 'no such object',
    source: { component: 'kubelet', host: 'vnode-cls-example-node1' },
    reportingComponent: 'kubeocean-syncer',
    reportingInstance: 'syncer-0',
    count: 3,
    firstTimestamp: '2026-01-02T03:00:00Z',
    lastTimestamp: '2026-01-02T03:01:00Z',
  });
});

test('events of newer reporters count by their series', () => {
  const { count: _, firstTimestamp: __, lastTimestamp: ___, ...rest } = event();
  const kept = shortened({
    ...rest,
    eventTime: '2026-01-02T03:00:00.123456Z',
    series: { count: 7, lastObservedTime: '2026-01-02T03:02:00.000000Z' },
  });
  expect(kept).toMatchObject({ count: 7, lastTimestamp: '2026-01-02T03:02:00.000000Z' });
  expect(kept && lastSeen(kept)).toBe(Date.parse('2026-01-02T03:02:00Z'));
});

describe('of a worker that means ill', () => {
  test.each<[string, Partial<WorkerEvent>]>([
    ['another kind', { involvedObject: { kind: 'Node', name: 'n', uid: 'u' } }],
    ['no UID', { involvedObject: { kind: 'Pod', name: 'n' } }],
    ['a reason that is no word', { reason: 'Failed\u001b[31m' }],
    ['no reason', { reason: '' }],
    ['what the syncer says itself', { reason: 'FailedScheduling' }],
  ])('%s is left out', (_, changes) => expect(shown(changes)).toBeUndefined());

  test('text is cut, and cannot speak to a terminal; times are not of the future', () => {
    const made = shown({
      message: `\u001b[31m${'x'.repeat(5000)}`,
      lastTimestamp: '2099-01-01T00:00:00Z',
      count: 1e12,
      source: { component: 'a b\n' },
    });
    expect(made?.['message']).toHaveLength(1024);
    expect(made?.['message']).not.toContain('\u001b');
    expect(made).toMatchObject({
      lastTimestamp: '2026-01-02T03:04:05Z',
      count: 1_000_000,
      source: { component: 'kubelet' },
    });
  });
});
