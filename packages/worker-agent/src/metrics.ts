/** What the agent counts. */
import type { LeasedNode, ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { Counter, Gauge, Histogram, type Registry } from '@kubeocean/shared/daemon';
import { parseQuantity, QuantityError } from '@kubeocean/shared/lease';

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
      help: 'Writes of records, guards and policy statuses that looks asked for',
      registers,
    }),
    writeFailures: new Counter({
      name: 'kubeocean_agent_write_failures_total',
      help: 'Of those, writes that failed, or wait because they were refused, and are tried again',
      registers,
    }),
    overdue: new Gauge({
      name: 'kubeocean_agent_overdue_pods',
      help: 'Lent pods that still run past the deadline of their lease',
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

/**
 * What is lent, read off the records whenever somebody asks. Every replica keeps them and says the same, so that no hour is
 * missing from accounts when another leads.
 */
export function lentMetric(registry: Registry, records: () => Iterable<LeasedNode>): Gauge {
  return new Gauge({
    name: 'kubeocean_agent_lent',
    help: 'What is lent under leases that are open, in cores, bytes or pieces; each replica says all of it',
    labelNames: ['binding', 'policy', 'resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { spec, status } of records()) {
        if (status?.phase !== 'Active') continue;
        const { cluster: binding, policy } = spec;
        for (const [resource, amount] of Object.entries(status.allocatable ?? {})) {
          this.inc({ binding, policy: status.policy ?? policy, resource }, numberOf(amount));
        }
      }
    },
  });
}

/**
 * Policies by what they say of themselves, in one word: that they lend, or what keeps them from it. Read off the statuses as
 * {@link lentMetric}, so that nothing is left of what is over.
 */
export function policiesMetric(registry: Registry, policies: () => Iterable<ResourceLeasingPolicy>): Gauge {
  return new Gauge({
    name: 'kubeocean_agent_policies',
    help: 'ResourceLeasingPolicies by the reason in their status; each replica says all of it',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { status } of policies()) this.inc({ reason: status?.reason ?? 'Unknown' });
    },
  });
}

/** Zero for what somebody wrote there by hand: one record must not keep all metrics from being read. */
function numberOf(amount: string): number {
  try {
    return Number(parseQuantity(amount).nanos) / 1e9;
  } catch (error) {
    if (error instanceof QuantityError) return 0;
    throw error;
  }
}
