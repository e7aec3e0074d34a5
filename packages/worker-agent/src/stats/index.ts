/** Metrics of lent nodes, put together from the agent's stores and options. */
import { Namespace } from '@kubeocean/shared/api';
import type { Daemon } from '@kubeocean/shared/daemon';
import type { KubeClient } from '@kubeocean/shared/kube';
import type { Tenant } from '@kubeocean/shared/lease';
import { createTokenSource, StatsServiceAccount } from '@kubeocean/shared/stats';
import type { AGENT_OPTIONS } from '../options.ts';
import type { AgentStores } from '../stores.ts';
import { createCallerCheck } from './callers.ts';
import { createScraper } from './kubelets.ts';
import { serveStats } from './server.ts';

/** Serves metrics until the daemon is told to stop. `stores.records` are in the order of the tenants. */
export function runStats(
  daemon: Daemon<typeof AGENT_OPTIONS>,
  client: KubeClient,
  tenants: readonly Tenant[],
  stores: Pick<AgentStores, 'nodes' | 'records'>,
): Promise<void> {
  const { options, log, registry, signal } = daemon;
  const token = createTokenSource(client, {
    namespace: Namespace.agent,
    serviceAccount: StatsServiceAccount,
    audiences: [],
    clock: () => performance.now(),
  });
  const recordsOf = new Map(tenants.map(({ namespace }, index) => [namespace, stores.records[index]]));
  return serveStats({
    address: options['stats-bind-address'],
    callerOf: createCallerCheck(client, tenants),
    // Closed records count: pods may run until they are drained.
    lentNode: (namespace, node) => {
      const records = recordsOf.get(namespace)?.byIndex('node', node) ?? [];
      return records.length > 0 ? stores.nodes.get(node) : undefined;
    },
    scrape: createScraper({ client, token, insecure: options['kubelet-insecure-tls'] }),
    log,
    registry,
    now: () => new Date(),
    signal,
  });
}
