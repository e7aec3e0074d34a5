/** Program of the syncer. */
import { runDaemon } from '@kubeocean/shared/daemon';
import { SYNCER_OPTIONS } from './options.ts';
import { runSyncer } from './syncer.ts';

await runDaemon({
  name: 'kubeocean-syncer',
  summary: 'shows the lent nodes of one worker cluster as nodes of this cluster, and runs their pods there',
  options: SYNCER_OPTIONS,
  coalescing: { calls: 4, eventsPerSecond: 200, restMs: 10 },
  run: runSyncer,
});
