/** Counts what somebody changed by hand in the worker and we put right. */
import { Counter, type Registry } from '@kubeocean/shared/daemon';

export type RepairedObject = 'pod' | 'configmap' | 'secret';

/**
 * `labels`, `annotations`, `finalizer`: what we put on the object was changed or taken off. `content`: a copy no longer
 * said what its original says. `missing`: a copy that a pod needs was gone. `orphan`: a worker pod had no home pod.
 */
export type RepairedPart = 'labels' | 'annotations' | 'finalizer' | 'content' | 'missing' | 'orphan';

const COUNTED: readonly [RepairedObject, RepairedPart][] = [
  ['pod', 'labels'],
  ['pod', 'annotations'],
  ['pod', 'finalizer'],
  ['pod', 'orphan'],
  ['configmap', 'content'],
  ['configmap', 'missing'],
  ['secret', 'content'],
  ['secret', 'missing'],
];

export interface Repairs {
  count(object: RepairedObject, part: RepairedPart): void;
}

export function createRepairs(registry: Registry): Repairs {
  const repairs = new Counter({
    name: 'kubeocean_repairs_total',
    help: 'What was changed by hand in the worker cluster and put right, by object and part',
    labelNames: ['object', 'part'],
    registers: [registry],
  });
  for (const [object, part] of COUNTED) repairs.inc({ object, part }, 0);
  return { count: (object, part) => repairs.inc({ object, part }) };
}
