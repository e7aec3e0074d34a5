/** Times and durations in words. */
import { DateTime } from 'luxon';

/** `Mon 2026-11-23 08:01 +08:00`: the wall clock of the zone, and how far it is from UTC. */
export function inZone(date: Date, zone: string): string {
  return DateTime.fromJSDate(date, { zone }).setLocale('en').toFormat('ccc yyyy-MM-dd HH:mm ZZ');
}

/** `2 d 14 h 1 min`; below a minute in seconds; nothing finer. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor((minutes % 1440) / 60), 'h'],
    [minutes % 60, 'min'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** `Mon 2026-11-23 08:01 +08:00, in 2 d 3 h` or `…, 5 min ago`. */
export function whenFrom(now: Date, date: Date, zone: string): string {
  // What a record of a foreign cluster says need not be a time.
  if (Number.isNaN(date.getTime())) return 'at a time that cannot be read';
  const away = date.getTime() - now.getTime();
  return `${inZone(date, zone)}, ${away >= 0 ? `in ${duration(away)}` : `${duration(-away)} ago`}`;
}

/** Whether an RFC 3339 time is on the calendar: Date takes 30 February for 2 March. */
export function isRealTime(text: string): boolean {
  const time = DateTime.fromISO(text, { setZone: true });
  return time.isValid && !Number.isNaN(Date.parse(text)) && time.toFormat("yyyy-MM-dd'T'HH:mm") === text.slice(0, 16);
}
