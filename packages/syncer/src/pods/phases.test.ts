import { Registry } from '@kubeocean/shared/daemon';
import { expect, test } from 'vitest';
import { createPodPhases } from './phases.ts';
import { samplePod } from './samples.ts';

async function samples(registry: Registry): Promise<Record<string, [count: number, sum: number]>> {
  const [metric] = await registry.getMetricsAsJSON();
  const of = (suffix: string, phase: unknown) =>
    (metric?.values ?? []).find(
      (value) => (value as { metricName?: string }).metricName?.endsWith(suffix) && value.labels['phase'] === phase,
    )?.value ?? 0;
  const phases = ['seen', 'translated', 'accepted', 'ready', 'shown'];
  return Object.fromEntries(phases.map((phase) => [phase, [of('_count', phase), of('_sum', phase)]]));
}

test('each part counts from the end of the one before, once, and only in order', async () => {
  const registry = new Registry();
  let clock = 0;
  const phases = createPodPhases(
    registry,
    () => clock,
    () => Date.parse('2026-01-02T03:04:07Z'),
  );
  const pod = samplePod();
  pod.status = { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' }] };
  const uid = pod.metadata.uid ?? '';
  phases.reached(uid, 'translated');
  phases.seen(pod);
  phases.reached(uid, 'ready');
  clock = 100;
  phases.reached(uid, 'translated');
  clock = 300;
  phases.seen(pod);
  phases.reached(uid, 'translated');
  phases.reached(uid, 'accepted');
  clock = 1300;
  phases.reached(uid, 'ready');
  clock = 1350;
  phases.reached(uid, 'shown');
  phases.reached(uid, 'shown');
  expect(await samples(registry)).toEqual({
    seen: [1, 2],
    translated: [1, 0.1],
    accepted: [1, 0.2],
    ready: [1, 1],
    shown: [1, expect.closeTo(0.05) as number],
  });
});
