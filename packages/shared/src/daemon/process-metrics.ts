/** What every process tells of itself: CPU, memory, garbage collection, the event loop's delay. */
import { collectDefaultMetrics, type Registry } from 'prom-client';

/**
 * Milliseconds between two looks at the event loop's delay. The library's own default of 10 wakes an idle process a
 * hundred times a second: half a percent of a core, and most of what a replica costs that only stands by.
 */
const LOOK_MS = 1000;

/** Figures of the event loop that include the time between two looks, so that with a long one they would say nothing. */
const FIGURES = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;

/** Adds the process' metrics to the registry; `nodejs_eventloop_lag_seconds` is measured at each scrape. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOK_MS });
  for (const figure of FIGURES) registry.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`);
}
