/**
 * What pods that never ran are told while the worker has not been heard of since we began, which may be so for days. Those
 * that are not run on vnodes are home's own business: of a DaemonSet, they would keep it from being updated on real nodes.
 */
import { endsWithin, type Outcome, WorkQueue } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../../context.ts';
import { bindingOf } from '../../nodes/looks.ts';
import { sayNotRun, whyNotRun } from './creation.ts';
import { tellHeld } from './held-back.ts';
import { finishHomeDeletion } from '../writes/home.ts';
import { wasShown } from '../status/to-home.ts';
import { isDaemon, type Pod } from '../types.ts';

/** A worker that answers is known by then, and all pods are looked at. Milliseconds. */
const PATIENCE_MS = 30_000;
const NOT_LEADING_MS = 1000;

/**
 * Tells them, and lets those go that are not run and deleted, until `ready` resolves. What was ever shown to run is left alone.
 * @param ready as for the pods as a whole
 */
export async function tellNotRunMeanwhile(
  context: SyncerContext,
  ready: Promise<unknown>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const { homePods, vnodes } = context.stores;
  const nothingMade = { context, created: new Map<string, never>() };
  if (await endsWithin(patienceMs, ready)) return;
  await Promise.race([Promise.all([homePods.synced, vnodes.synced]), ready]);

  async function sync(key: string): Promise<Outcome> {
    const home = homePods.get(key) as Pod | undefined;
    if (!home || wasShown(home)) return undefined;
    if (bindingOf(vnodes.get(home.spec.nodeName ?? '')) !== context.bindingUID) return undefined;
    const why = await whyNotRun({ context }, home);
    if (!why) {
      await tellHeld(nothingMade, key, PATIENCE_MS);
      return undefined;
    }
    if (!context.leadership.isCurrent()) return { againInMs: NOT_LEADING_MS };
    if (home.metadata.deletionTimestamp) await finishHomeDeletion(context, home);
    else await sayNotRun(context, home, why, isDaemon(home));
    return undefined;
  }

  const queue = new WorkQueue(sync, { ...context.queue('not-run'), maxDelayMs: 10_000 });
  const unfollow = homePods.onChange(({ key }) => queue.add(key));
  for (const key of homePods.keys()) queue.add(key);
  queue.start();
  await ready;
  unfollow();
  await queue.stop();
}
