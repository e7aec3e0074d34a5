import { Registry } from '@kubeocean/shared/daemon';
import { expect, it } from 'vitest';
import { expiryMetric } from './expiry.ts';

it('no end of a certificate is told before there is one: whoever alarms at those that end soon would be woken by each start', async () => {
  const registry = new Registry();
  const tell = expiryMetric(registry);
  const told = async () => (await registry.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
  expect(await told()).toEqual([]);
  tell(new Date(5000));
  tell(new Date(7000));
  expect(await told()).toEqual(['kubeocean_proxier_certificate_expiry_timestamp_seconds 7']);
});
