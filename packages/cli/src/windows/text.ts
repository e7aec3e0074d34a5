/** What `windows` prints of one policy. Pure. */
import { Annotation, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { isTakenBack, openIntervals, rfc3339 } from '@kubeocean/shared/lease';
import { deletionText } from '../deletion.ts';
import { table } from '../table.ts';
import { duration, inZone, whenFrom } from '../times.ts';
import { oneLine } from '../visible.ts';
import { type DayBar, dayBars, hourScale, Mark } from './calendar.ts';
import { midnightRemarks } from './midnight.ts';

const DayMs = 86_400_000;

export interface WindowsReport {
  policy: string;
  cluster: string;
  timeZone: string;
  /** Whether the policy names its zone, or the flag or default counts. */
  zoneFrom: 'policy' | 'default';
  from: string;
  until: string;
  /** Whether a window is open at `from`. */
  open: boolean;
  /** With true ends, RFC 3339; a missing one lies beyond what was looked at. */
  intervals: { opensAt?: string; closesAt?: string }[];
  days: DayBar[];
  /** What of its windows is easily taken for something else. */
  remarks: string[];
  forceReclaim: boolean;
  gracefulReclaimPeriodSeconds: number;
  /** Its owner takes everything back now, whatever its windows say. */
  takenBack: boolean;
  /** In words, that it is being deleted, and what keeps it. */
  deletion?: string;
}

/**
 * @param days length, of 24 hours each
 * @throws RangeError when the policy's windows are not valid
 */
export function windowsReport(
  policy: ResourceLeasingPolicy,
  defaultTimeZone: string,
  from: Date,
  days: number,
): WindowsReport {
  const { metadata, spec } = policy;
  const timeZone = spec.timeZone ?? defaultTimeZone;
  const until = new Date(from.getTime() + days * DayMs);
  const intervals = openIntervals(spec.timeWindows, timeZone, from, until);
  return {
    policy: metadata.name,
    cluster: spec.cluster,
    timeZone,
    zoneFrom: spec.timeZone === undefined ? 'default' : 'policy',
    from: rfc3339(from),
    until: rfc3339(until),
    open: intervals.some(({ opensAt }) => !opensAt || opensAt <= from),
    intervals: intervals.map(({ opensAt, closesAt }) => ({
      ...(opensAt && { opensAt: rfc3339(opensAt) }),
      ...(closesAt && { closesAt: rfc3339(closesAt) }),
    })),
    days: dayBars(intervals, timeZone, from, until),
    remarks: midnightRemarks(spec.timeWindows),
    forceReclaim: spec.forceReclaim ?? false,
    gracefulReclaimPeriodSeconds: spec.gracefulReclaimPeriodSeconds ?? 0,
    takenBack: isTakenBack(policy),
    ...(metadata.deletionTimestamp !== undefined && { deletion: deletionText(policy) }),
  };
}

export function windowsText(report: WindowsReport): string {
  const { timeZone: zone } = report;
  const from = new Date(report.from);
  const origin = report.zoneFrom === 'policy' ? "the policy's own" : 'the policy names none: --time-zone, or UTC';
  const lines = [
    `Policy ${report.policy}, lends to ${report.cluster}`,
    `Time zone ${zone} (${origin})`,
    `From ${inZone(from, zone)} to ${inZone(new Date(report.until), zone)}`,
    stateText(report, from),
    ...(report.takenBack
      ? [`Taken back by its owner: nothing is lent until the annotation ${Annotation.reclaim} is taken off`]
      : []),
    ...(report.deletion === undefined ? [] : [`It ${report.deletion}`]),
    ...report.remarks,
    '',
  ];
  if (report.intervals.length > 0) lines.push(...intervalTable(report, zone), '');
  lines.push(`${' '.repeat(16)}${hourScale()}`.trimEnd());
  for (const { day, bar } of report.days) lines.push(`${day} |${bar}|`);
  lines.push(
    '',
    `${Mark.open} open   ${Mark.partly} partly open   ${Mark.closed} closed; half an hour each, by the clock of ${zone}`,
  );
  return `${lines.map(oneLine).join('\n')}\n`;
}

function stateText({ open, intervals, timeZone, ...policy }: WindowsReport, from: Date): string {
  const [first] = intervals;
  if (open) {
    if (!first?.closesAt) return 'At the beginning: open, at all times';
    const { gracefulReclaimPeriodSeconds: seconds } = policy;
    const notice = seconds === 0 ? 'at once' : `after ${duration(seconds * 1000)} of notice`;
    const then = policy.forceReclaim
      ? `; lent pods are then evicted ${notice} (forceReclaim)`
      : '; lent pods that run may stay (no forceReclaim)';
    return `At the beginning: open; closes ${whenFrom(from, new Date(first.closesAt), timeZone)}${then}`;
  }
  if (!first?.opensAt) return 'At the beginning: closed, and no window opens in this time';
  return `At the beginning: closed; opens ${whenFrom(from, new Date(first.opensAt), timeZone)}`;
}

function intervalTable({ intervals }: WindowsReport, zone: string): string[] {
  const rows = intervals.map(({ opensAt, closesAt }) => [
    opensAt ? inZone(new Date(opensAt), zone) : '(long before)',
    closesAt ? inZone(new Date(closesAt), zone) : '(never)',
    opensAt && closesAt ? duration(Date.parse(closesAt) - Date.parse(opensAt)) : '',
  ]);
  return table([['OPENS', 'CLOSES', 'OPEN FOR'], ...rows]);
}
