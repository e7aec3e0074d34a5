/** Which case runs beside which: pure. */

/** Rounds of shares; the shares of one round run side by side, the rounds after each other. */
export type Rounds = string[][][];

const ALONE = /\[Serial\]|\[Disruptive\]/;

/** Deals the cases out in turn, so that a slow group of cases is spread over all. @param procs at least 1 */
export function sharesOf(names: readonly string[], procs: number): Rounds {
  const alone = names.filter((name) => ALONE.test(name));
  const beside = names.filter((name) => !ALONE.test(name));
  const shares = Array.from({ length: procs }, (_, index) => beside.filter((_name, at) => at % procs === index));
  return [shares, [alone]]
    .map((round) => round.filter((share) => share.length > 0))
    .filter((round) => round.length > 0);
}

/** One expression (RE2) for exactly these cases: ginkgo matches it against the suite's name, a space, and the case's. */
export function focusOn(names: readonly string[]): string {
  const quoted = names.map((name) => name.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'));
  return `(?:${quoted.join('|')})$`;
}
