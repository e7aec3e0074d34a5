import { setTimeout as after } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { collectProcessMetrics } from './process-metrics.ts';

describe('metrics of a process', () => {
  test('tell CPU, memory and the delay of the event loop, and no figure that the way of looking makes up', async () => {
    const registry = new Registry();
    collectProcessMetrics(registry);
    await registry.metrics();
    await after(1);
    const text = await registry.metrics();
    const names = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_gc_duration_seconds']) {
      expect(names).toContain(name);
    }
    expect([...names].filter((name) => name?.startsWith('nodejs_eventloop_lag'))).toEqual([
      'nodejs_eventloop_lag_seconds',
    ]);
  });
});
