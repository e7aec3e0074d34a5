/** What the syncer itself says on a home pod that has no worker pod: that it failed, or why it does not run. Pure. */
import { PodCondition } from '@kubeocean/shared/api';
import type { Json } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { cutWords } from '../../cut.ts';
import { READINESS, stamped } from './home-conditions.ts';
import { EXCUSED, isExcuse } from './status-difference.ts';
import { REFUSED, type StatusPatch } from './to-home.ts';
import type { Pod } from '../types.ts';

/** Patch that ends a home pod which has no worker pod, or lost it. */
export function failurePatch(
  home: Pod,
  end: { reason: string; message: string; disruption: boolean },
  now: Date,
): StatusPatch {
  const time = rfc3339(now);
  const { reason } = end;
  // It may have come with a record, which another cluster writes.
  const message = cutWords(end.message, 1024);
  const conditions: Json[] = [];
  for (const type of READINESS) {
    const known = home.status?.conditions?.find((condition) => condition.type === type);
    if (known?.status === 'True') {
      conditions.push({ type, status: 'False', reason: 'PodFailed', message: null, lastTransitionTime: time });
    }
  }
  if (end.disruption) {
    conditions.push({ type: PodCondition.disruptionTarget, status: 'True', reason, message, lastTransitionTime: time });
  }
  return {
    metadata: { uid: home.metadata.uid },
    status: {
      phase: 'Failed',
      reason,
      message,
      ...(conditions.length > 0 && { conditions }),
    },
  };
}

/**
 * Patch that says on the home pod why it is not run, as a condition and as the STATUS of `kubectl get pod`; undefined when
 * it says so already. What it said of the other type is over. The first status of a worker pod takes all of it away.
 * @param type `notRun`: for good, as things are; `refused`: the worker is asked again.
 * @param isExcused it is a DaemonSet's, of which nothing is to run here: it shows as Ready all the same. Its DaemonSet would
 *   count it as down for ever, and from `maxUnavailable` such pods on (1, as a rule) never update those on real nodes
 *   (pkg/controller/daemon, rollingUpdate).
 */
export function notRunPatch(
  home: Pod,
  reason: string,
  message: string,
  now: Date,
  type: 'notRun' | 'refused' = 'notRun',
  isExcused = false,
): StatusPatch | undefined {
  const [known, former] = [type, type === 'notRun' ? 'refused' : 'notRun'].map((which) =>
    home.status?.conditions?.find((condition) => condition.type === PodCondition[which as typeof type]),
  );
  const text = cutWords(message, 1024);
  const isSaid = known?.status === 'True' && known.reason === reason && known.message === text;
  const readiness = readinessWithoutWorker(home, isExcused, now);
  if (isSaid && !former && !readiness) return undefined;
  const conditions: Json[] = [stamped({ type: PodCondition[type], status: 'True', reason, message: text }, home, now)];
  if (former) conditions.push({ type: former.type, $patch: 'delete' });
  if (readiness) conditions.push(readiness);
  const status = { reason: type === 'notRun' ? 'NotRun' : REFUSED, message: text, conditions };
  return { metadata: { uid: home.metadata.uid }, status };
}

/** What is to change of its condition Ready; undefined when that is as it should be. */
function readinessWithoutWorker(home: Pod, isExcused: boolean, now: Date): Json | undefined {
  const known = home.status?.conditions?.find(({ type }) => type === 'Ready');
  if (!isExcused) return known && isExcuse(known) ? { type: 'Ready', $patch: 'delete' } : undefined;
  if (known?.status === 'True') return undefined;
  const message = 'nothing of it is to run on this vnode: its DaemonSet need not wait for it';
  return stamped({ type: 'Ready', status: 'True', reason: EXCUSED, message }, home, now);
}
