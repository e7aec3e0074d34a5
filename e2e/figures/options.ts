/** The command line of `scripts/proxier-figures.ts`. */
import { parseArgs } from 'node:util';

/** What can be measured; each fills some lines of the table. */
export const ROWS = ['logs', 'exec', 'concurrent', 'idle', 'output', 'forward'] as const;
export type RowName = (typeof ROWS)[number];

export interface FigureOptions {
  /** What is measured, in the order of the table. */
  rows: RowName[];
  /** Sessions set up one at a time on each side. */
  execs: number;
  /** Sessions set up at once. */
  concurrent: number;
  /** Sessions held open while memory is looked at. */
  idle: number;
  /** How often a log is read. */
  logs: number;
  /** Megabytes of output of one command. */
  megabytes: number;
  /** Bytes sent and awaited back through a port-forward, one after the other. */
  roundTrips: number;
}

/** Default and upper bound of each; a proxier lets 250 sessions onto one vnode. */
const NUMBERS = {
  execs: { value: 200, most: 10_000 },
  concurrent: { value: 200, most: 250 },
  idle: { value: 200, most: 200 },
  logs: { value: 20, most: 1000 },
  megabytes: { value: 300, most: 10_000 },
  roundTrips: { value: 500, most: 100_000 },
} as const;

type Name = keyof typeof NUMBERS;
const names = Object.keys(NUMBERS) as Name[];
const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const USAGE = [
  'node scripts/proxier-figures.ts',
  `[--rows ${ROWS.join(',')}]`,
  ...names.map((name) => `[--${flagOf(name)} N]`),
].join(' ');

/** @throws Error in words for the person who typed it. */
export function figureOptions(args: readonly string[]): FigureOptions {
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(['rows', ...names].map((name) => [flagOf(name), { type: 'string' as const }])),
    strict: true,
  });
  const given = values as Record<string, string | undefined>;
  const numbers = names.map((name) => [name, numberOf(name, given[flagOf(name)])]);
  return {
    rows: rowsOf(given['rows']),
    ...(Object.fromEntries(numbers) as Omit<FigureOptions, 'rows'>),
  };
}

function numberOf(name: Name, given: string | undefined): number {
  const { value, most } = NUMBERS[name];
  if (given === undefined) return value;
  const number = Number(given);
  if (!/^\d+$/.test(given) || number < 1 || number > most) {
    throw new Error(`--${flagOf(name)} takes a whole number from 1 to ${most}, not "${given}"`);
  }
  return number;
}

function rowsOf(given: string | undefined): RowName[] {
  if (given === undefined) return [...ROWS];
  const wanted = given.split(',');
  const unknown = wanted.find((name) => !(ROWS as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`--rows takes some of ${ROWS.join(',')}, not "${unknown}"`);
  return ROWS.filter((name) => wanted.includes(name));
}
