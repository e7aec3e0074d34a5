import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../testing/api-server.ts';
import { KubeClient } from './client.ts';
import { createEventRecorder, eventKey } from './events.ts';

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => {
  server.reset();
  server.stop();
});

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

test('events that a server does not take hold up an end for two seconds, and are not written after it', async () => {
  const answers: (() => void)[] = [];
  server.answer = (_, response) => void answers.push(() => response.end('{}'));
  const errors: unknown[] = [];
  const client = new KubeClient(server.transport());
  const onError = (error: unknown): void => void errors.push(error);
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1', onError });
  for (const message of ['one', 'two', 'three']) recorder.event(pod, 'Normal', 'Told', message);
  const began = performance.now();
  await recorder.stop();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(errors).toMatchObject([{ message: 'told to stop: 3 events were not written in time' }]);
  recorder.event(pod, 'Normal', 'Told', 'four');
  for (const answer of answers) answer();
  await recorder.flush();
  expect(answers).toHaveLength(1);
});

test('events that a server takes do not hold up an end', async () => {
  const reasons: string[] = [];
  server.answer = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      reasons.push((JSON.parse(body) as { reason: string }).reason);
      response.end('{}');
    });
  };
  const recorder = createEventRecorder(new KubeClient(server.transport()), { component: 'test', instance: 'test-1' });
  recorder.event(pod, 'Normal', 'First', 'one');
  recorder.event(pod, 'Normal', 'Second', 'two');
  await recorder.stop();
  expect(reasons).toEqual(['First', 'Second']);
});
