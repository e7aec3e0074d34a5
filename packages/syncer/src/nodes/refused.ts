/**
 * What the computing cluster's own webhooks and policies refuse of vnodes. One that is not made shows nothing, and one that
 * cannot be changed shows what was: so the binding, or the vnode, is told.
 */
import { ApiError, type KubeObject, messageOf, type Outcome } from '@kubeocean/shared/kube';
import { bindingSubject } from '../binding/subject.ts';
import type { SyncerContext } from '../context.ts';
import { vnodeSubject } from './drain.ts';

/** Answers that are a server's own word on what was asked of it; 500 is that of a webhook that does not answer. */
const REFUSALS = [400, 403, 422, 500];
/** Events live for an hour. Milliseconds. */
const TOLD_AGAIN_MS = 3_600_000;
/** Kinds of refusal that are remembered; beyond as many all are forgotten, and may be told of again. */
const MOST_KINDS = 10_000;

/**
 * Does the same as `reconcile`, and tells of what it is refused: once for each vnode and kind of refusal, and once for all
 * that are not made, of which a webhook may refuse a thousand.
 * @param vnodeOf the vnode of a worker node, if there is one
 */
export function tellingRefusals(
  context: Pick<SyncerContext, 'binding' | 'homeEvents'>,
  vnodeOf: (nodeName: string) => KubeObject | undefined,
  reconcile: (nodeName: string) => Promise<Outcome>,
  clock: () => number = () => performance.now(),
): (nodeName: string) => Promise<Outcome> {
  const kinds = new Map<string, { count: number; toldAt: number }>();

  function tell(nodeName: string, error: ApiError): void {
    const vnode = vnodeOf(nodeName);
    const kind = `${vnode?.metadata.uid} ${error.code} ${error.reason}`;
    if (kinds.size >= MOST_KINDS) kinds.clear();
    const { count, toldAt } = kinds.get(kind) ?? { count: 0, toldAt: -Infinity };
    // A webhook may be silent for a moment only.
    const isDue = (error.code !== 500 || count > 0) && clock() - toldAt >= TOLD_AGAIN_MS;
    kinds.set(kind, { count: count + 1, toldAt: isDue ? clock() : toldAt });
    if (!isDue) return;
    const subject = vnode ? vnodeSubject(vnode) : bindingSubject(context.binding());
    const what = vnode ? 'what is to change of the vnode' : `the vnode of node ${nodeName}`;
    const message = `this cluster refuses ${what}, which is tried again: ${messageOf(error)}`;
    context.homeEvents.event(subject, 'Warning', 'VnodeRefused', message);
  }

  return async (nodeName) => {
    try {
      return await reconcile(nodeName);
    } catch (error) {
      // Whoever only asks is refused because the server has trouble of its own.
      if (error instanceof ApiError && REFUSALS.includes(error.code) && error.method !== 'GET') tell(nodeName, error);
      throw error;
    }
  };
}
