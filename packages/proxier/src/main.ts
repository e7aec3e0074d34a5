/** Entry point of the proxier. */
import { runDaemon } from '@kubeocean/shared/daemon';
import { OPTIONS } from './options.ts';
import { runProxier } from './proxier.ts';

await runDaemon({
  name: 'proxier',
  summary: 'answers the kubelet API of the vnodes of one ClusterBinding: logs, exec, attach, port-forward',
  options: OPTIONS,
  stopSeconds: (options) => options['drain-seconds'] + 10,
  run: runProxier,
});
