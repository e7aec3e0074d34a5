/** Windows that end at midnight though they seem to go on. Pure. */
import { DayNames, type TimeWindow } from '@kubeocean/shared/api';
import { insideWindows } from '@kubeocean/shared/lease';

/** A Monday, whose midnights stand for those of any week. */
const MONDAY = Date.UTC(2026, 10, 23);

/**
 * What somebody would not expect who reads the days of a window as those on which it begins: they are those of each
 * moment. One sentence for each such window; windows after which another is open tell nothing.
 */
export function midnightRemarks(windows: readonly TimeWindow[] | undefined): string[] {
  return (windows ?? []).flatMap((window) => {
    const { start, end, days = [] } = window;
    // Who writes 00:00 means that it ends there.
    if (start === undefined || end === undefined || end >= start || end === '00:00' || days.length === 0) return [];
    const listed = new Set(days.map((day) => day.toLowerCase()));
    const cut = DayNames.flatMap((day, index) => {
      const midnight = new Date(MONDAY + (index + 1) * 86_400_000);
      if (!listed.has(day.toLowerCase()) || insideWindows(windows, midnight, 'UTC')) return [];
      return [{ day, next: DayNames[(index + 1) % 7] }];
    });
    if (cut.length === 0) return [];
    const evenings = cut.map(({ day }) => day).join(', ');
    const mornings = cut.map(({ next }) => next).join(', ');
    return [
      `The window ${start}-${end} closes at midnight after ${evenings}: days are those of each moment, not of the evening before. For the hours after it, add a window 00:00-${end} on ${mornings}`,
    ];
  });
}
