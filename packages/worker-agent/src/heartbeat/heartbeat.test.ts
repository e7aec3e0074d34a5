import { createLogger, parseOptions } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { AGENT_OPTIONS } from '../options.ts';
import { beat, heartbeatLease } from './heartbeat.ts';

const NOW = new Date('2026-01-02T03:04:05.678Z');

test('says which labels the owner lets lent pods carry, and nothing when there are none', () => {
  const { annotations } = heartbeatLease('mount', 'agent-0', NOW, { prefixes: 'team.example.com/,app' }).metadata;
  expect(annotations).toEqual({ 'kubeocean.io/metadata-prefixes': 'team.example.com/,app' });
  const named = heartbeatLease('mount', 'agent-0', NOW, { clusterUID: 'u' }).metadata.annotations;
  expect(named).toEqual({ 'kubeocean.io/worker-cluster-uid': 'u' });
  expect(heartbeatLease('mount', 'agent-0', NOW).metadata).not.toHaveProperty('annotations');
});

test.each(['', 'team.example.com/', 'a,b/c'])('--metadata-prefixes=%s is taken', (value) => {
  const options = parseOptions(AGENT_OPTIONS, [`--metadata-prefixes=${value}`]);
  expect(options).toMatchObject({ 'metadata-prefixes': value });
});

test.each([',', 'a,', '/x', 'a b'])('--metadata-prefixes=%s is refused', (value) => {
  expect(() => parseOptions(AGENT_OPTIONS, [`--metadata-prefixes=${value}`])).toThrow(
    /metadata-prefixes.*beginnings of label keys/,
  );
});

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

/** Signs of life in the namespace `mount` while nobody can write its records, and how many calls there were. */
async function silentRecords() {
  const server = await TestServer.start();
  let calls = 0;
  server.answer = (_, response) => {
    calls++;
    response.end(JSON.stringify({ metadata: {} }));
  };
  const stop = new AbortController();
  stops.push(() => (stop.abort(), server.stop()));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const beating = beat({
    client: new KubeClient(server.transport()),
    namespaces: () => ['mount'],
    recordsWritten: new Promise(() => undefined),
    identity: 'agent-0',
    log: createLogger('test', 'silent'),
    signal: stop.signal,
    now: () => NOW,
  });
  return { beating, stop, calls: () => calls };
}

test('waits for records ten seconds at most: who led before must not be thought silent', async () => {
  const { calls } = await silentRecords();
  await vi.advanceTimersByTimeAsync(9_900);
  expect(calls()).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  vi.useRealTimers();
  await vi.waitFor(() => expect(calls()).toBeGreaterThan(1), 25_000);
});

test('says nothing when it is told to stop before', async () => {
  const { beating, stop, calls } = await silentRecords();
  stop.abort();
  await beating;
  expect(calls()).toBe(0);
});

test('a day of signs of life that are refused is told now and then', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const lines: unknown[] = [];
  let refusals = 0;
  const stop = new AbortController();
  const beating = beat({
    client: {
      get: () => Promise.resolve({ metadata: { uid: 'u' } }),
      apply() {
        refusals++;
        return Promise.reject(new Error('no'));
      },
    } as unknown as KubeClient,
    namespaces: () => ['mount'],
    recordsWritten: Promise.resolve(),
    identity: 'agent-0',
    log: createLogger('test', 'warn', { write: (line) => void lines.push(JSON.parse(line)) }),
    signal: stop.signal,
    now: () => NOW,
  });
  await vi.advanceTimersByTimeAsync(24 * 3_600_000);
  expect(refusals).toBeGreaterThan(8000);
  expect(lines.length).toBeLessThan(50);
  expect(lines[0]).toMatchObject({ namespace: 'mount', error: 'no', msg: 'the heartbeat was not written' });
  stop.abort();
  await beating;
});
