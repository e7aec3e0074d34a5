/** Times as they are written into objects. */

/** Whole seconds in UTC, as Kubernetes writes times. */
export function rfc3339(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
