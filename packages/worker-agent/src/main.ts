/** The worker agent's process: see `--help`. */
import { runDaemon } from '@kubeocean/shared/daemon';
import { runAgent } from './agent.ts';
import { AGENT_OPTIONS } from './options.ts';

await runDaemon({
  name: 'worker-agent',
  summary: 'lends nodes of this cluster to computing clusters, as its ResourceLeasingPolicies say',
  options: AGENT_OPTIONS,
  coalescing: { calls: 8, eventsPerSecond: 50, restMs: 10 },
  run: runAgent,
});
