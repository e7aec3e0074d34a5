/** Figures of a sample. Pure. */

export interface Summary {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** The smallest value that at least the share `q` of a sorted sample does not exceed (nearest rank); NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

/** @throws Error for no values, or one that is no number: JSON would tell it as null. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0 || !values.every((value) => Number.isFinite(value))) {
    throw new Error(`a sample of ${values.length} values cannot be summed up: some are no numbers, or there are none`);
  }
  const sorted = values.toSorted((a, b) => a - b);
  return {
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** The middle one of some figures, or the mean of the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** Rounded to so many digits after the point, as a number. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

/** The list begun with another item: by `turns` places to the left. */
export function rotated<T>(items: readonly T[], turns: number): T[] {
  const from = items.length === 0 ? 0 : turns % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}
