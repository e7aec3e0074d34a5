/** What fails in the same words again and again, told ever more rarely: a worker may be down for days, and ten watches say so. */
import { isRarer } from './queue.ts';

/** Whether words that were heard are worth telling: the first time, the second, the fourth and so on, and once an hour. */
export type IsNews = (words: string) => boolean;

/** What was not heard for so long, in milliseconds, had ended, and is news. Longer than any pause between two tries. */
const FORGOTTEN_MS = 600_000;
const HOURLY_MS = 3_600_000;
/** Words that are remembered: with a number that differs each time in them, all are others. */
const MOST = 100;

/** @param clock milliseconds, never going back */
export function createNews(clock: () => number = () => performance.now()): IsNews {
  const heard = new Map<string, { times: number; at: number; toldAt: number }>();
  return (words) => {
    const now = clock();
    for (const [key, { at }] of heard) if (now - at > FORGOTTEN_MS || heard.size > MOST) heard.delete(key);
    const { times, toldAt } = heard.get(words) ?? { times: 0, toldAt: now };
    const isNews = isRarer(times + 1) || now - toldAt >= HOURLY_MS;
    heard.delete(words);
    heard.set(words, { times: times + 1, at: now, toldAt: isNews ? now : toldAt });
    return isNews;
  };
}

/** Told of a failed list or watch, and whether that is news. */
export type OnWatchError = (error: unknown, doing: 'list' | 'watch', isNews: boolean) => void;
