import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../testing/api-server.ts';
import { KubeClient } from './client.ts';
import { createEventRecorder, eventKey } from './events.ts';
import type { KubeObject } from './types.ts';

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

test('what an event quotes of another cluster speaks to no terminal', async () => {
  const made: unknown[] = [];
  const client = { create: (_: unknown, { message }: KubeObject) => made.push(message) } as unknown as KubeClient;
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1' });
  recorder.event(pod, 'Warning', 'FailedCreate', 'refused: \u001b[2J\u009b31m kubectl\r');
  await recorder.flush();
  expect(made).toEqual(['refused:  [2J 31m kubectl ']);
});

/** A client whose server takes events only when told to, and what it took. */
function slowClient() {
  const taken = { made: 0, raised: 0 };
  const gate = Promise.withResolvers<void>();
  const client = {
    create: () => gate.promise.then(() => void taken.made++),
    patch: () => gate.promise.then(() => void taken.raised++),
  } as unknown as KubeClient;
  return { client, taken, open: () => gate.resolve() };
}

function podNamed(name: string) {
  return { ...pod, metadata: { namespace: 'ns', name, uid: name } };
}

test('each of 10,000 pods is told at once; what is beyond is left out, and that is said', async () => {
  const { client, taken, open } = slowClient();
  const errors: string[] = [];
  const onError = (error: unknown): void => void errors.push((error as Error).message);
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1', onError });
  for (let n = 0; n < 10_005; n++) recorder.event(podNamed(`p${n}`), 'Warning', 'LeaseClosesSoon', 'soon');
  expect(errors).toEqual(['10000 events wait to be written: those that come now are left out']);
  open();
  await recorder.flush();
  expect(taken).toEqual({ made: 10_000, raised: 0 });
  expect(errors.slice(1)).toEqual(['5 events were left out, because too many waited']);
  recorder.event(podNamed('later'), 'Warning', 'LeaseClosesSoon', 'soon');
  await recorder.flush();
  expect([taken.made, errors.length]).toEqual([10_001, 2]);
});

test('10,000 pods that say the same again are counted, and none gets another Event', async () => {
  const { client, taken, open } = slowClient();
  open();
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1' });
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 10_000; n++) recorder.event(podNamed(`p${n}`), 'Warning', 'FailedDependency', 'waiting');
    await recorder.flush();
  }
  expect(taken).toEqual({ made: 10_000, raised: 10_000 });
});

test('what a pod has used up of its budget is not taken from the next one of its name', async () => {
  const { client, taken, open } = slowClient();
  open();
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1' });
  for (let n = 0; n < 30; n++) recorder.event(pod, 'Warning', 'FailedCreate', `refusal ${n}`);
  await recorder.flush();
  expect(taken.made).toBe(25);
  const next = { ...pod, metadata: { ...pod.metadata, uid: 'u2' } };
  recorder.event(next, 'Warning', 'FailedCreate', 'why');
  await recorder.flush();
  expect(taken.made).toBe(26);
});

test('a thousand events that a server does not take are not told one by one', async () => {
  let fails = true;
  const make = () => (fails ? Promise.reject(new Error('no answer')) : Promise.resolve({}));
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const client = { create: make } as unknown as KubeClient;
  const recorder = createEventRecorder(client, { component: 'test', instance: 'test-1', onError });
  async function record(from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) recorder.event(podNamed(`p${n}`), 'Warning', 'Told', 'why');
    await recorder.flush();
  }
  await record(0, 1000);
  expect(errors).toHaveLength(10);
  fails = false;
  await record(1000, 1001);
  fails = true;
  await record(1001, 1003);
  expect(errors).toHaveLength(12);
});
