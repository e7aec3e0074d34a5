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

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** The middle one of some figures; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Rounded to so many digits after the point, as a number. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
