/**
 * The log lines of refusals. Any pod of the cluster may knock as often as it likes, so that of one sort there is a line
 * from time to time, with how many went without one; the metric counts each.
 */
import type { Logger } from '@kubeocean/shared/daemon';
import type { StatsRefusal } from './refusal.ts';

/** Tells of a refusal. @param from the mount namespace; undefined while it is not known who asks */
export type TellRefusal = (refusal: StatsRefusal, url: string | undefined, from: string | undefined) => void;

const EVERY_MS = 10_000;

/** @param clock milliseconds, never going back */
export function createTellRefusal(log: Logger, clock: () => number = () => performance.now()): TellRefusal {
  // Tenants are those of a file and codes are few, so that this stays small.
  const told = new Map<string, { at: number; untold: number }>();
  return ({ code, message }, url, from) => {
    const sort = `${from ?? ''} ${code}`;
    const last = told.get(sort);
    if (last && clock() - last.at < EVERY_MS) {
      last.untold++;
      return;
    }
    told.set(sort, { at: clock(), untold: 0 });
    const facts = { code, path: url?.slice(0, 200), why: message, ...(from !== undefined && { from }) };
    log.warn({ ...facts, ...(last && last.untold > 0 && { untold: last.untold }) }, 'metrics refused');
  };
}
