/** What the syncer itself says on a home pod that has no worker pod: that it failed, or why it does not run. Pure. */
import { PodCondition } from '@kubeocean/shared/api';
import type { Json } from '@kubeocean/shared/kube';
import { cut } from './cut.ts';
import { READINESS, stamped } from './home-conditions.ts';
import { REFUSED, type StatusPatch } from './to-home.ts';
import type { Pod } from './types.ts';

/** Patch that ends a home pod which has no worker pod, or lost it. */
export function failurePatch(
  home: Pod,
  end: { reason: string; message: string; disruption: boolean },
  now: Date,
): StatusPatch {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions: Json[] = [];
  for (const type of READINESS) {
    const known = home.status?.conditions?.find((condition) => condition.type === type);
    if (known?.status === 'True') {
      conditions.push({ type, status: 'False', reason: 'PodFailed', message: null, lastTransitionTime: time });
    }
  }
  if (end.disruption) {
    const { reason, message } = end;
    conditions.push({ type: PodCondition.disruptionTarget, status: 'True', reason, message, lastTransitionTime: time });
  }
  return {
    metadata: { uid: home.metadata.uid },
    status: {
      phase: 'Failed',
      reason: end.reason,
      message: end.message,
      ...(conditions.length > 0 && { conditions }),
    },
  };
}

/**
 * Patch that says on the home pod why it is not run, as a condition and as the STATUS of `kubectl get pod`; undefined when
 * it says so already. What it said of the other type is over. The first status of a worker pod takes all of it away.
 * @param type `notRun`: for good, as things are; `refused`: the worker is asked again.
 */
export function notRunPatch(
  home: Pod,
  reason: string,
  message: string,
  now: Date,
  type: 'notRun' | 'refused' = 'notRun',
): StatusPatch | undefined {
  const [known, former] = [type, type === 'notRun' ? 'refused' : 'notRun'].map((which) =>
    home.status?.conditions?.find((condition) => condition.type === PodCondition[which as typeof type]),
  );
  const text = cut(message, 1024);
  const isSaid = known?.status === 'True' && known.reason === reason && known.message === text;
  if (isSaid && !former) return undefined;
  const conditions: Json[] = [stamped({ type: PodCondition[type], status: 'True', reason, message: text }, home, now)];
  if (former) conditions.push({ type: former.type, $patch: 'delete' });
  const status = { reason: type === 'notRun' ? 'NotRun' : REFUSED, message: text, conditions };
  return { metadata: { uid: home.metadata.uid }, status };
}
