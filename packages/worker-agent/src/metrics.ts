/** What the agent counts. */
import { Counter, Gauge, Histogram, type Registry } from '@kubeocean/shared/daemon';

export function agentMetrics(registry: Registry) {
  const registers = [registry];
  return {
    passes: new Counter({
      name: 'kubeocean_agent_allocations_total',
      help: 'Times that everything was allocated anew',
      registers,
    }),
    seconds: new Histogram({
      name: 'kubeocean_agent_allocation_seconds',
      help: 'Time of an allocation with its writes',
      buckets: [0.001, 0.01, 0.1, 0.5, 2, 10],
      registers,
    }),
    writes: new Counter({
      name: 'kubeocean_agent_writes_total',
      help: 'Writes of records and policy statuses',
      registers,
    }),
    records: new Gauge({ name: 'kubeocean_agent_leased_nodes', help: 'Records of leases that run', registers }),
    reclaimSteps: new Counter({
      name: 'kubeocean_agent_reclaim_steps_total',
      help: 'What was done to lent pods: step evict, delete, shorten, explain, expel, exceed, stray, unfollow or retract; result done, refused or failed',
      labelNames: ['step', 'result'],
      registers,
    }),
    reclaimEvents: new Counter({
      name: 'kubeocean_agent_reclaim_events_total',
      help: 'Events told about leases that end, by reason',
      labelNames: ['reason'],
      registers,
    }),
  };
}
