/** How the proxier asks the agent for the metrics of lent nodes, and what the worker's chart calls the parts of it. */
import { ChartName, Namespace } from '../api/constants.ts';

/** Metrics of a node that are passed on, as the kubelet names their paths. */
export const STATS_PATHS = ['stats/summary', 'metrics/resource', 'metrics/cadvisor'] as const;

export type StatsPath = (typeof STATS_PATHS)[number];

/** Series of `/metrics/resource` that is 1 when the kubelet could not tell what its pods use. */
export const ScrapeError = 'resource_scrape_error';

/** Port of the agent's HTTPS server of metrics, and its name in the agent's Service. */
export const StatsPort = { name: 'stats', number: 10260 } as const;

/** The only object that a tenant may reach through the service proxy: its Role names exactly this. */
export const StatsServiceName = `https:${ChartName.agent}:${StatsPort.name}`;

/** ServiceAccount in the agent's namespace that reads kubelets' metrics, and may do nothing else. */
export const StatsServiceAccount = 'kubeocean-agent-stats';

/** Path of one node's metrics at the agent. */
export function agentStatsPath(node: string, path: StatsPath): string {
  return `/v1/nodes/${encodeURIComponent(node)}/${path}`;
}

/** The same through the worker's API server. */
export function proxiedStatsPath(node: string, path: StatsPath): string {
  const service = `/api/v1/namespaces/${Namespace.agent}/services/${StatsServiceName}`;
  return `${service}/proxy${agentStatsPath(node, path)}`;
}
