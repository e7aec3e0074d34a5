import { Registry } from '@kubeocean/shared/daemon';
import { expect, it } from 'vitest';
import { homePod } from './ending/ending-fixtures.ts';
import { refusedMetric } from './refused-metric.ts';

const condition = (type: string, status: 'True' | 'False') => ({ conditions: [{ type, status }] });

it('pods that the worker refuses are counted while it does', async () => {
  const registry = new Registry();
  let pods = [
    homePod({ phase: 'Pending', ...condition('kubeocean.io/Refused', 'True') }),
    homePod({ phase: 'Failed', ...condition('kubeocean.io/Refused', 'True') }),
    homePod({ phase: 'Pending', ...condition('kubeocean.io/Refused', 'False') }),
    homePod({ phase: 'Pending', ...condition('kubeocean.io/NotRun', 'True') }),
    homePod({}),
  ];
  refusedMetric(registry, () => pods);
  const told = async () => (await registry.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
  expect(await told()).toEqual(['kubeocean_pods_refused 1']);
  pods = [homePod({ phase: 'Running' })];
  expect(await told()).toEqual(['kubeocean_pods_refused 0']);
});
