/** Command lines of the scripts that measure: what an option may hold follows from what it holds by default. */
import { parseArgs } from 'node:util';

/** Text, a whole number from 1, or several of these with commas. */
export type OptionValue = string | number | readonly number[];

export type Options<T extends Record<string, OptionValue>> = {
  [Name in keyof T]: T[Name] extends number ? number : T[Name] extends string ? string : number[];
};

/** Words for the person who typed the command. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/**
 * Reads `--name value` for each of `defaults`.
 * @param choices what the texts of some options may be
 * @throws UsageError naming the option, what it takes and what was given
 */
export function readOptions<T extends Record<string, OptionValue>>(
  argv: readonly string[],
  defaults: T,
  choices: { [Name in keyof T]?: readonly string[] } = {},
): Options<T> {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }]));
  let given: Record<string, string | undefined>;
  try {
    given = parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    const flags = Object.keys(defaults).map((name) => `--${name}`);
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; the options are ${flags.join(', ')}`, {
      cause: error,
    });
  }
  const entries = Object.entries(defaults).map(([name, usual]) => {
    const text = given[name];
    return [name, text === undefined ? usual : valueOf(name, text, usual, choices[name])];
  });
  return Object.fromEntries(entries) as Options<T>;
}

function valueOf(name: string, text: string, usual: OptionValue, choices?: readonly string[]): OptionValue {
  if (typeof usual === 'number') return wholeNumber(name, text);
  if (typeof usual !== 'string') return text.split(',').map((part) => wholeNumber(name, part));
  if (choices && !choices.includes(text)) {
    throw new UsageError(`--${name} takes one of ${choices.join(', ')}, not "${text}"`);
  }
  if (text === '') throw new UsageError(`--${name} is empty`);
  return text;
}

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text.trim())) return Number(text);
  throw new UsageError(`--${name} takes whole numbers from 1 to 9999999, not "${text}"`);
}

/** The same for a script: a command line that is wrong ends it with 2, and `--help` with what there is to say of it. */
export function readOptionsOrExit<T extends Record<string, OptionValue>>(
  defaults: T,
  choices: { [Name in keyof T]?: readonly string[] } = {},
  help?: string,
): Options<T> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help')) {
    console.log(help ?? helpOf(defaults, choices));
    process.exit(0);
  }
  try {
    return readOptions(argv, defaults, choices);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return process.exit(2);
  }
}

function helpOf(
  defaults: Record<string, OptionValue>,
  choices: { readonly [name: string]: readonly string[] | undefined },
) {
  const lines = Object.entries(defaults).map(([name, usual]) => {
    const form =
      choices[name]?.join('|') ?? (typeof usual === 'number' ? 'N' : typeof usual === 'string' ? 'TEXT' : 'N,N,...');
    return `  --${name} ${form} (default ${String(usual)})`;
  });
  return ['What it measures is said at the top of its file. Its options:', ...lines].join('\n');
}
