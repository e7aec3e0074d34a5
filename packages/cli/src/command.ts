/** What a subcommand is, and how its command line is read. */
import { helpText, OptionError, type OptionTable, type OptionValues, parseOptions } from '@kubeocean/shared/daemon';

/** Where a command's text goes; tests take another. */
export interface Io {
  out(text: string): void;
  error(text: string): void;
  env: NodeJS.ProcessEnv;
  now(): Date;
}

export interface Command<T extends OptionTable = OptionTable> {
  name: string;
  /** Names of the arguments, for `--help`. */
  usage: string;
  /** How many arguments there must be. */
  arguments: number;
  summary: string;
  options: T;
  /** @throws Failure when there is no answer. */
  run(args: string[], options: OptionValues<T>, io: Io): Promise<void>;
}

/** Flags that every command has. */
export const OUTPUT_OPTION = {
  output: { type: 'string', default: 'text', choices: ['text', 'json'], description: 'form of the answer; also -o' },
} as const satisfies OptionTable;

/** Short forms. */
const SHORT: Record<string, string> = { '-o': '--output', '-n': '--namespace' };

/**
 * Parts arguments from flags and reads both. Everything after `--` is an argument.
 * @throws OptionError for a wrong number of arguments, or what `parseOptions` refuses
 */
export function readCommandLine<T extends OptionTable>(
  command: Command<T>,
  argv: readonly string[],
): { args: string[]; options: OptionValues<T> } | 'help' {
  const args: string[] = [];
  const flags: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === '--') {
      args.push(...argv.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      args.push(word);
      continue;
    }
    const flag = longForm(word);
    flags.push(flag);
    const spec = flag.includes('=') ? undefined : command.options[flag.slice(2)];
    if (spec && spec.type !== 'boolean' && i + 1 < argv.length) flags.push(argv[++i] as string);
  }
  const options = parseOptions(command.options, flags);
  if (options === 'help') return 'help';
  if (args.length !== command.arguments) {
    const got =
      args.length > command.arguments ? `unexpected argument "${args[command.arguments]}"` : 'too few arguments';
    throw new OptionError(`${got}; usage: ${command.name} ${command.usage}`);
  }
  // An empty name would ask the API server for the list of its kind.
  if (args.includes('')) throw new OptionError(`an argument is empty; usage: ${command.name} ${command.usage}`);
  return { args, options };
}

/**
 * What cannot be the name of an object (k8s.io/apimachinery, IsValidPathSegmentName), and would mean another path.
 * @throws OptionError
 */
export function refuseBadName(name: string, what: string): void {
  if (name === '') throw new OptionError(`the name of the ${what} is empty`);
  if (name === '.' || name === '..' || /[/%]/.test(name)) throw new OptionError(`"${name}" is no name of a ${what}`);
}

/** `-n x`, `-n=x` and `-nx` are all `--namespace`. */
function longForm(word: string): string {
  const long = SHORT[word.slice(0, 2)];
  if (word.startsWith('--') || long === undefined) return word;
  const value = word.slice(2).replace(/^=/, '');
  return value === '' && !word.includes('=') ? long : `${long}=${value}`;
}

/** The text of `<command> --help`. */
export function commandHelp(program: string, { name, usage, summary, options }: Command): string {
  return helpText(`${program} ${name} ${usage}`, summary, options);
}
