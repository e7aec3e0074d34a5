/** A pod that says how long it may run, on a vnode whose lease ends before: its user is told. Pure. */
import type { KubeObject } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { closesAtOf } from '../../nodes/notice.ts';
import { LATEST } from '../../nodes/sanitize.ts';
import type { Pod } from '../types.ts';

/**
 * Words with both times, by our own clock, when the pod's `activeDeadlineSeconds`, counted from its start as the kubelet
 * counts them, ends after the lease closes; undefined when it does not, or there is no deadline or no closing.
 * @param vnode it says when its lease closes
 * @param aheadMs how far the worker's clock, by which a pod's start is told, is ahead of ours
 */
export function outlivesLease(home: Pod, vnode: KubeObject | undefined, now: Date, aheadMs = 0): string | undefined {
  const seconds = home.spec['activeDeadlineSeconds'];
  const closing = closesAtOf(vnode);
  if (typeof seconds !== 'number' || !closing) return undefined;
  const started = Date.parse(home.status?.startTime ?? '') - aheadMs;
  const end = (Number.isNaN(started) ? now.getTime() : started) + seconds * 1000;
  if (end <= closing.getTime()) return undefined;
  return (
    `activeDeadlineSeconds lets it run until ${rfc3339(new Date(Math.min(end, LATEST)))}, but the lease of ` +
    `${home.spec.nodeName} closes at ${rfc3339(closing)}: it may be taken back before it is done`
  );
}
