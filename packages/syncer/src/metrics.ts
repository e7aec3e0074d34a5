/** What the syncer counts. */
import { Counter, Gauge, Histogram, type Logger, type Registry } from '@kubeocean/shared/daemon';
import { isConflict, isRarer, messageOf, type WorkQueueOptions } from '@kubeocean/shared/kube';

export interface SyncerMetrics {
  vnodes: Gauge;
  workerReachable: Gauge;
  claimHeld: Gauge;
  queue: (name: string) => Pick<WorkQueueOptions, 'observe' | 'onError'>;
}

export function createSyncerMetrics(registry: Registry, log: Logger): SyncerMetrics {
  const registers = [registry];
  const wait = new Histogram({
    name: 'kubeocean_queue_wait_seconds',
    help: 'How long keys waited for a worker',
    labelNames: ['queue'],
    buckets: [0.001, 0.01, 0.1, 1, 10],
    registers,
  });
  const work = new Histogram({
    name: 'kubeocean_queue_work_seconds',
    help: 'How long a key was worked on',
    labelNames: ['queue'],
    buckets: [0.001, 0.01, 0.1, 1, 10],
    registers,
  });
  const failures = new Counter({
    name: 'kubeocean_queue_failures_total',
    help: 'Keys whose work failed and was put off',
    labelNames: ['queue'],
    registers,
  });
  return {
    vnodes: new Gauge({ name: 'kubeocean_vnodes', help: 'Vnodes of this binding', registers }),
    workerReachable: new Gauge({
      name: 'kubeocean_worker_reachable',
      help: '1 while the worker cluster answers, 0 after --worker-unreachable-after without an answer',
      registers,
    }),
    claimHeld: new Gauge({
      name: 'kubeocean_claim_held',
      help: '1 while the worker cluster keeps the name of this binding for it',
      registers,
    }),
    queue: (name) => ({
      observe({ waitSeconds, workSeconds, failed }) {
        wait.observe({ queue: name }, waitSeconds);
        work.observe({ queue: name }, workSeconds);
        if (failed) failures.inc({ queue: name });
      },
      onError(key, error, tries) {
        // A conflict is the watch being behind: the next try has the news. And a worker that does not answer for hours is
        // asked every few seconds for each of thousands of pods: of those tries ever fewer are told.
        const isTold = isRarer(tries) && !(isConflict(error) && tries < 3);
        const level = isTold ? 'warn' : 'debug';
        log[level]({ queue: name, key, tries, error: messageOf(error) }, 'failed; tried again later');
      },
    }),
  };
}
