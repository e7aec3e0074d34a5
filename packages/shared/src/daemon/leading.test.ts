import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { KubeClient } from '../kube/client.ts';
import type { LEADER_OPTIONS } from './options.ts';
import { createLogger } from './logger.ts';
import { type Daemon, leadWhenElected } from './run.ts';

test('a replica says that it leads for as long as it does, however that ends', async () => {
  const registry = new Registry();
  const told = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('kubeocean_leading'));
  const daemon = {
    name: 'kubeocean-test',
    options: { 'leader-elect': false },
    log: createLogger('test', 'silent'),
    registry,
    signal: new AbortController().signal,
  } as unknown as Daemon<typeof LEADER_OPTIONS>;
  const lead = async () => {
    expect(await told()).toEqual(['kubeocean_leading{process="kubeocean-test"} 1']);
    throw new Error('stumbled');
  };
  await expect(leadWhenElected(daemon, {} as KubeClient, lead)).rejects.toThrow('stumbled');
  expect(await told()).toEqual(['kubeocean_leading{process="kubeocean-test"} 0']);
});
