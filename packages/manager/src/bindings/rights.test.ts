import type { KubeClient } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { describeRights, metricsRights, missingRights, REQUIRED_RIGHTS } from './rights.ts';

describe('rights that only metrics need', () => {
  it('are the agent’s Service and a token of the account itself', () => {
    expect(metricsRights('system:serviceaccount:ours:kubeocean-syncer')).toEqual([
      {
        group: '',
        resource: 'services',
        subresource: 'proxy',
        verb: 'get',
        namespace: 'kubeocean-agent',
        name: 'https:kubeocean-agent:stats',
      },
      {
        group: '',
        resource: 'serviceaccounts',
        subresource: 'token',
        verb: 'create',
        namespace: 'ours',
        name: 'kubeocean-syncer',
      },
    ]);
    expect(describeRights(metricsRights('kubernetes-admin'))).toBe('services/proxy (get)');
  });

  it('are none that a binding cannot do without', () => {
    expect(REQUIRED_RIGHTS.map(({ resource }) => resource)).not.toContain('services');
  });
});

it('asks a worker about nothing more once an answer has failed', async () => {
  const asked: PromiseWithResolvers<object>[] = [];
  function create(): Promise<object> {
    const question = Promise.withResolvers<object>();
    asked.push(question);
    return question.promise;
  }
  const missing = missingRights({ create } as unknown as KubeClient, 'kubeocean-worker', 1000);
  const [first, ...others] = asked;
  first?.reject(new Error('no answer'));
  await expect(missing).rejects.toThrow('no answer');
  for (const { resolve } of others) resolve({ status: { allowed: true } });
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toHaveLength(others.length + 1);
});
