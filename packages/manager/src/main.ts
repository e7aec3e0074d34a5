/** The manager's entry point. */
import { runDaemon } from '@kubeocean/shared/daemon';
import { runManager } from './manager.ts';
import { OPTIONS } from './options.ts';

await runDaemon({
  name: 'manager',
  summary: 'binds worker clusters: checks each ClusterBinding and keeps its syncer and proxier deployed',
  options: OPTIONS,
  run: runManager,
});
