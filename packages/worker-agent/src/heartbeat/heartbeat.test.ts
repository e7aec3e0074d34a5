import { parseOptions } from '@kubeocean/shared/daemon';
import { expect, test } from 'vitest';
import { AGENT_OPTIONS } from '../options.ts';
import { heartbeatLease } from './heartbeat.ts';

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
