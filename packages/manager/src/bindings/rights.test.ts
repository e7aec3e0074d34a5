import { describe, expect, it } from 'vitest';
import { describeRights, metricsRights, REQUIRED_RIGHTS } from './rights.ts';

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
