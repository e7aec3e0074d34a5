/** Events in words, the latest first. Pure. */
import { duration } from '../times.ts';
import type { EventObject } from './facts.ts';

const LastEvents = 6;

/** @param where the cluster that they are of */
export function eventTexts(where: string, events: readonly EventObject[], now: Date): string[] {
  return events
    .toSorted((a, b) => timeOf(b) - timeOf(a))
    .slice(0, LastEvents)
    .map((event) => {
      const { type, reason, message, series } = event;
      const count = series?.count ?? event.count;
      const times = count && count > 1 ? `, ${count} times` : '';
      return `${where}, ${duration(now.getTime() - timeOf(event))} ago${times}: ${type} ${reason}: ${message}`;
    });
}

/** When it was seen last. */
function timeOf({ series, lastTimestamp, eventTime, firstTimestamp, metadata }: EventObject): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, firstTimestamp, metadata.creationTimestamp];
  return Date.parse(times.find((time) => typeof time === 'string') ?? '') || 0;
}
