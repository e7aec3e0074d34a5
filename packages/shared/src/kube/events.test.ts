import { expect, test } from 'vitest';
import { eventKey } from './events.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'ns', name: 'web', uid: 'u1' } };

test('the same event has the same key, and each thing a reader sees makes another', () => {
  const key = eventKey(pod, 'Warning', 'NotRun', 'because');
  expect(key).toMatch(/^[0-9a-f]{16}$/);
  expect(eventKey(structuredClone(pod), 'Warning', 'NotRun', 'because')).toBe(key);
  const others = [
    eventKey(pod, 'Normal', 'NotRun', 'because'),
    eventKey(pod, 'Warning', 'Other', 'because'),
    eventKey(pod, 'Warning', 'NotRun', 'why'),
    eventKey({ ...pod, kind: 'Node' }, 'Warning', 'NotRun', 'because'),
    ...[{ name: 'db' }, { namespace: 'other' }, { uid: 'u2' }].map((change) =>
      eventKey({ ...pod, metadata: { ...pod.metadata, ...change } }, 'Warning', 'NotRun', 'because'),
    ),
  ];
  expect(new Set([key, ...others]).size).toBe(others.length + 1);
});
