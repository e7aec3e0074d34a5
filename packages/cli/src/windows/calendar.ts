/** A bar per calendar day: when windows are open, by the wall clock of their zone. Pure. */
import type { OpenInterval } from '@kubeocean/shared/lease';
import { DateTime } from 'luxon';

/** Every zone of today is a multiple of a quarter of an hour from UTC. */
const StepMs = 15 * 60_000;
/** Half an hour. */
const CellMinutes = 30;
const Cells = (24 * 60) / CellMinutes;

/** The characters of a bar. */
export const Mark = { open: '#', partly: '+', closed: '.', outside: ' ' } as const;

export interface DayBar {
  /** `Fri 2026-11-20`. */
  day: string;
  /** 48 half hours of wall clock, each a {@link Mark}; hours that summer time skips are blank. */
  bar: string;
}

/** Bars of the days that [from, until) touches; half hours outside of it are blank. */
export function dayBars(intervals: readonly OpenInterval[], zone: string, from: Date, until: Date): DayBar[] {
  const bars: DayBar[] = [];
  for (let day = DateTime.fromJSDate(from, { zone }).startOf('day'); day.toMillis() < until.getTime(); ) {
    const next = day.plus({ days: 1 }).startOf('day');
    const cells = Array.from({ length: Cells }, () => ({ open: 0, total: 0 }));
    for (let start = day.toMillis(); start < next.toMillis(); start += StepMs) {
      const [low, high] = [Math.max(start, from.getTime()), Math.min(start + StepMs, until.getTime())];
      if (low >= high) continue;
      const { hour, minute } = DateTime.fromMillis(start, { zone });
      const cell = cells[Math.floor((hour * 60 + minute) / CellMinutes)];
      if (!cell) continue;
      cell.total += high - low;
      for (const { opensAt, closesAt } of intervals) {
        const opens = Math.max(low, opensAt?.getTime() ?? low);
        cell.open += Math.max(0, Math.min(high, closesAt?.getTime() ?? high) - opens);
      }
    }
    bars.push({ day: day.setLocale('en').toFormat('ccc yyyy-MM-dd'), bar: cells.map(markOf).join('') });
    day = next;
  }
  return bars;
}

function markOf({ open, total }: { open: number; total: number }): string {
  if (total === 0) return Mark.outside;
  if (open === 0) return Mark.closed;
  return open >= total ? Mark.open : Mark.partly;
}

/** The hours above the bars. */
export function hourScale(): string {
  return Array.from({ length: 8 }, (_, index) =>
    String(index * 3)
      .padStart(2, '0')
      .padEnd(6),
  ).join('');
}
