/**
 * Amounts of resources, exactly as Kubernetes reads and writes them (k8s.io/apimachinery/pkg/api/resource, Quantity).
 * The amount is a bigint in billionths, the finest step Kubernetes knows, so nothing here ever rounds but the parser.
 */

/** The style a quantity was written in; kept through arithmetic so that `27Gi` does not come out as a row of digits. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** Billionths of the unit (cores, bytes, pieces). */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

/** Text that is no quantity. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const NanosPerUnit = 1_000_000_000n;
const decimalExponents = new Map<string, number>([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const decimalSuffixes = new Map([...decimalExponents].map(([suffix, exponent]) => [exponent, suffix]));
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const maxBinaryNanos = ((1n << 63n) - 1n) * NanosPerUnit;
/** Nothing real is larger; the bound keeps `1e999999999`, which API servers take, from becoming a number of a billion digits. */
const maxExponent = 64;
const maxDecimalNanos = 10n ** BigInt(maxExponent) * NanosPerUnit;

const shape = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$/;

export const Zero: Quantity = { nanos: 0n, format: 'DecimalSI' };

/** Clusters write the same few amounts again and again. Beyond as many all are forgotten, and no long ones are kept. */
const MaxKnown = 2000;
const MaxKnownLength = 40;
const known = new Map<string | number, Quantity>();

/**
 * Reads a quantity. Numbers stand for their decimal text (a CRD's int-or-string). More precision than a billionth is
 * rounded away from zero and binary amounts end at 2^63-1, as in Kubernetes; others, which have no end there, at 10^64.
 * @throws QuantityError when the text is no quantity
 */
export function parseQuantity(text: string | number): Quantity {
  let quantity = known.get(text);
  if (!quantity) {
    quantity = readQuantity(text);
    if (typeof text === 'string' && text.length > MaxKnownLength) return quantity;
    if (known.size >= MaxKnown) known.clear();
    known.set(text, quantity);
  }
  return quantity;
}

function readQuantity(text: string | number): Quantity {
  const match = shape.exec(String(text));
  const whole = match?.[2] ?? '';
  const fraction = match?.[3] ?? '';
  if (!match || whole + fraction === '') {
    throw new QuantityError(
      `"${String(text)}" is not a quantity: write a number with an optional suffix, like 500m, 4 or 2Gi`,
    );
  }
  const suffix = match[4] ?? '';
  const mantissa = BigInt(whole + fraction);
  const sign = match[1] === '-' ? -1n : 1n;
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return parseBinary(sign, mantissa << BigInt(binary * 10), fraction.length);

  const si = decimalExponents.get(suffix);
  const exponent = si ?? Number(suffix.slice(1));
  const format = si === undefined ? 'DecimalExponent' : 'DecimalSI';
  const shift = exponent - fraction.length;
  if (mantissa > 0n && shift > maxExponent) return { nanos: sign * maxDecimalNanos, format };
  const nanos = scale(mantissa, shift + 9);
  return { nanos: sign * (nanos < maxDecimalNanos ? nanos : maxDecimalNanos), format };
}

function parseBinary(sign: bigint, mantissa: bigint, decimals: number): Quantity {
  const exact = scale(mantissa, 9 - decimals);
  const nanos = exact > maxBinaryNanos ? maxBinaryNanos : exact;
  return { nanos: sign * nanos, format: nanos > 0n && nanos < NanosPerUnit ? 'DecimalSI' : 'BinarySI' };
}

/** value × 10^exponent, rounded up. */
function scale(value: bigint, exponent: number): bigint {
  if (value === 0n) return 0n;
  if (exponent >= 0) return value * 10n ** BigInt(exponent);
  // Beyond this every digit is gone and what is left rounds up to one.
  if (-exponent > 10_000) return 1n;
  return ceilDivide(value, 10n ** BigInt(-exponent));
}

function ceilDivide(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

/** The canonical text: no fraction, the largest suffix that loses nothing. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos } = quantity;
  if (nanos === 0n) return '0';
  const units = nanos / NanosPerUnit;
  const whole = units * NanosPerUnit === nanos;
  if (quantity.format === 'BinarySI' && whole && (units >= 1024n || units <= -1024n)) return formatBinary(units);
  return formatDecimal(nanos, quantity.format === 'DecimalExponent');
}

const Mebi = 1n << 20n;
const MaxExact = BigInt(Number.MAX_SAFE_INTEGER);

/** Binary amounts from 1Gi in whole mebis, rounded down; everything else as it is. */
export function readable(quantity: Quantity): Quantity {
  const step = Mebi * NanosPerUnit;
  const large = quantity.format === 'BinarySI' && quantity.nanos >= 1024n * step;
  return large ? floorQuantity(quantity, step) : quantity;
}

/** For people, see {@link readable}. */
export function formatForPeople(quantity: Quantity): string {
  return formatQuantity(readable(quantity));
}

function formatBinary(units: bigint): string {
  const [value, step] = shrink(units, 1024n, binarySuffixes.length - 1);
  return `${value}${binarySuffixes[step] ?? ''}`;
}

function formatDecimal(nanos: bigint, exponentStyle: boolean): string {
  const [value, steps] = shrink(nanos, 1000n, exponentStyle ? Infinity : 9);
  const exponent = steps * 3 - 9;
  if (exponentStyle) return exponent === 0 ? `${value}` : `${value}e${exponent}`;
  return `${value}${decimalSuffixes.get(exponent) ?? ''}`;
}

/** Divides by `base` as often as nothing is lost, `most` times at most; also gives how often. Not for zero. */
function shrink(amount: bigint, base: bigint, most: number): [value: bigint | number, steps: number] {
  let value = amount;
  let steps = 0;
  while (steps < most && !isExact(value)) {
    if (value % base !== 0n) return [value, steps];
    value /= base;
    steps++;
  }
  // Small numbers are divided ten times as fast.
  let small = Number(value);
  const divisor = Number(base);
  while (steps < most && small % divisor === 0) {
    small /= divisor;
    steps++;
  }
  return isExact(value) ? [small, steps] : [value, steps];
}

function isExact(value: bigint): boolean {
  return value <= MaxExact && value >= -MaxExact;
}

/** Negative when a < b, 0 when equal, positive when a > b. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** a + b in the style of a, or of b when a is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** a - b in the style of a, or of b when a is zero. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos - b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** The smaller; a when equal. */
export function minQuantity(a: Quantity, b: Quantity): Quantity {
  return b.nanos < a.nanos ? b : a;
}

/** The larger; a when equal. */
export function maxQuantity(a: Quantity, b: Quantity): Quantity {
  return b.nanos > a.nanos ? b : a;
}

/** The largest multiple of `step` billionths that is not above the quantity. Not for negative amounts. */
export function floorQuantity(quantity: Quantity, step: bigint): Quantity {
  const rest = quantity.nanos % step;
  return rest === 0n ? quantity : { nanos: quantity.nanos - rest, format: quantity.format };
}
