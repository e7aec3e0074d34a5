/** How many pods the worker does not take, for alarms: each says why itself. */
import { PodCondition } from '@kubeocean/shared/api';
import { Gauge, type Registry } from '@kubeocean/shared/daemon';
import type { KubeObject } from '@kubeocean/shared/kube';
import { isTerminal, type Pod } from './types.ts';

/** Read off what home shows whenever somebody asks, so that it is over when it is over. */
export function refusedMetric(registry: Registry, homePods: () => Iterable<KubeObject>): Gauge {
  return new Gauge({
    name: 'kubeocean_pods_refused',
    help: 'Home pods that wait because the worker cluster refuses them, or lacks what they need',
    registers: [registry],
    collect() {
      let refused = 0;
      for (const pod of homePods() as Iterable<Pod>) if (isRefused(pod)) refused++;
      this.set(refused);
    },
  });
}

function isRefused(pod: Pod): boolean {
  const said = pod.status?.conditions?.find(({ type }) => type === PodCondition.refused);
  return said?.status === 'True' && !isTerminal(pod);
}
