/** What the tests of a home pod's status begin with: a worker pod that runs, and the patch merged as an API server does. */
import type { Condition } from '@kubeocean/shared/kube';
import { FACTS } from '../samples.ts';
import { statusPatch } from './to-home.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod, PodStatus } from '../types.ts';

export const NOW = new Date('2026-01-02T03:04:05Z');
export const THEN = '2026-01-02T03:00:00Z';

export function condition(type: string, status: Condition['status'], more: Partial<Condition> = {}): Condition {
  return { type, status, lastTransitionTime: THEN, ...more };
}

export const running: PodStatus = {
  phase: 'Running',
  qosClass: 'BestEffort',
  nominatedNodeName: 'evil',
  startTime: THEN,
  podIP: '10.2.0.5',
  podIPs: [{ ip: '10.2.0.5' }],
  hostIP: '10.9.0.1',
  hostIPs: [{ ip: '10.9.0.1' }],
  observedGeneration: 7,
  conditions: [
    condition('PodScheduled', 'True'),
    condition('Initialized', 'True', { lastProbeTime: null, observedGeneration: 7 }),
    condition('ContainersReady', 'True'),
    condition('Ready', 'True'),
    condition('example.com/theirs', 'True'),
  ],
  containerStatuses: [
    { name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: THEN } } },
    { name: 'invented', ready: true, restartCount: 0, state: {} },
  ],
};

export function workerOf(home: Pod, status: PodStatus, metadata: Record<string, unknown> = {}): Pod {
  const pod = toWorkerPod(home, FACTS);
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid', ...metadata }, status };
}

/** What the API server does with the patch: strategic merge as far as PodStatus needs it. */
export function patched(home: Pod, worker: Pod): Pod {
  const patch = statusPatch(worker, home, NOW);
  if (!patch) return home;
  const status: PodStatus = { ...home.status };
  for (const [field, value] of Object.entries(patch.status)) {
    if (field === 'conditions') {
      const merged = new Map((status.conditions ?? []).map((known) => [known.type, known]));
      for (const change of value as Condition[]) {
        if (change['$patch'] === 'delete') merged.delete(change.type);
        else {
          const next = { ...merged.get(change.type), ...change };
          merged.set(change.type, Object.fromEntries(Object.entries(next).filter(([, v]) => v !== null)) as Condition);
        }
      }
      status.conditions = [...merged.values()];
    } else if (value === null) delete status[field];
    else if (field === 'podIPs' || field === 'hostIPs') status[field] = (value as { ip: string }[]).slice(1);
    else status[field] = value;
  }
  const annotations = { ...home.metadata.annotations, ...patch.metadata.annotations };
  return { ...home, metadata: { ...home.metadata, annotations }, status };
}
