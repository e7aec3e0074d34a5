/** The log lines of refusals: of one sort from time to time, with how many went without one; the metric counts each. */
import { createSeldom, type Logger } from '@kubeocean/shared/daemon';
import type { StatsRefusal } from './refusal.ts';

/** Tells of a refusal. @param from the mount namespace; undefined while it is not known who asks */
export type TellRefusal = (refusal: StatsRefusal, url: string | undefined, from: string | undefined) => void;

/** @param clock milliseconds, never going back */
export function createTellRefusal(log: Logger, clock?: () => number): TellRefusal {
  const untoldOf = createSeldom(clock);
  return ({ code, message }, url, from) => {
    const untold = untoldOf(`${from ?? ''} ${code}`);
    if (untold === undefined) return;
    const facts = { code, path: url?.slice(0, 200), why: message, ...(from !== undefined && { from }) };
    log.warn({ ...facts, ...(untold > 0 && { untold }) }, 'metrics refused');
  };
}
