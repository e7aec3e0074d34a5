/**
 * The log lines of refusals. A scraper that gets no metrics comes again for each vnode, for as long as there are none, and any
 * pod of the cluster may knock as often as it likes: so of one sort there is a line from time to time; the metric counts each.
 */
import type { IncomingMessage } from 'node:http';
import { Counter, createSeldom, type Logger, type Registry } from '@kubeocean/shared/daemon';
import type { Refusal } from '../errors.ts';
import { withoutArguments } from './arguments.ts';

/** Counts a refusal, and tells of one that somebody may have to do something about: not of a caller's mistake. */
export type TellRefusal = (refusal: Refusal, request: Pick<IncomingMessage, 'method' | 'url'>) => void;

const TOLD: readonly number[] = [401, 403, 429];
/** Of the words that tell one sort from another: they are kept. */
const MOST_WORDS = 300;

/** @param clock milliseconds, never going back */
export function createTellRefusal(log: Logger, registry: Registry, clock?: () => number): TellRefusal {
  const refused = new Counter({
    name: 'kubeocean_proxier_refused_total',
    help: 'Requests that were refused or could not be answered, by code',
    labelNames: ['code'],
    registers: [registry],
  });
  const untoldOf = createSeldom(clock);
  return ({ code, message }, { method, url = '' }) => {
    refused.inc({ code });
    if (code < 500 && !TOLD.includes(code)) return;
    const why = withoutArguments(message, url);
    const path = url.split('?')[0]?.slice(0, 200) ?? '';
    // Each vnode without metrics has words of its own; who was refused which right is in the words.
    const isMetrics = code >= 500 && /^\/(metrics|stats)\//.test(path);
    const untold = untoldOf(`${code} ${isMetrics ? 'metrics' : why.slice(0, MOST_WORDS)}`);
    if (untold === undefined) return;
    log.warn({ code, why, method, path, ...(untold > 0 && { untold }) }, 'request refused');
  };
}
