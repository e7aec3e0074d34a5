/**
 * Command lines. Each process has one typed table of its options; parsing, `--help` and the docs come from that table.
 * Flags are written as Kubernetes' own programs take them: `--flag value` or `--flag=value`, booleans also bare.
 */
import { isBindAddress } from './option-forms.ts';

interface OptionBase {
  description: string;
  /** Shown in `--help` after the default, such as `seconds`. */
  unit?: string;
}

export type OptionSpec = OptionBase &
  (
    | {
        type: 'string';
        default?: string;
        required?: boolean;
        choices?: readonly string[];
        pattern?: RegExp;
        /** Whether a value can be used at all, for what no pattern can say. */
        check?: (value: string) => boolean;
        /** What values `pattern` and `check` take, in words. */
        form?: string;
      }
    | { type: 'integer'; default: number; min?: number; max?: number }
    | { type: 'boolean'; default: boolean }
  );

export type OptionTable = Record<string, OptionSpec>;

type ValueOf<S extends OptionSpec> = S extends { type: 'integer' }
  ? number
  : S extends { type: 'boolean' }
    ? boolean
    : S extends { default: string } | { required: true }
      ? string
      : string | undefined;

export type OptionValues<T extends OptionTable> = { [K in keyof T]: ValueOf<T[K]> };

/** A command line that cannot be taken. The message names the flag and what it takes. */
export class OptionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'OptionError';
  }
}

/**
 * Reads a command line.
 * @returns the values, or `'help'` when `--help` or `-h` is among the arguments.
 * @throws OptionError for an unknown flag, a missing or bad value, or a positional argument.
 */
export function parseOptions<T extends OptionTable>(table: T, argv: readonly string[]): OptionValues<T> | 'help' {
  const given = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    if (argument === '--help' || argument === '-h') return 'help';
    if (!argument.startsWith('--')) throw new OptionError(`unexpected argument "${argument}"; see --help`);
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
    const spec = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!spec) throw new OptionError(`unknown flag --${name}${suggestion(name, Object.keys(table))}; see --help`);
    if (given.has(name)) throw new OptionError(`--${name} is given twice`);
    if (equals >= 0) given.set(name, argument.slice(equals + 1));
    else if (spec.type === 'boolean') given.set(name, 'true');
    else {
      const value = argv[++i];
      if (value === undefined) throw new OptionError(`--${name} needs a value: ${spec.description}`);
      given.set(name, value);
    }
  }
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const value = given.get(name);
    values[name] = value === undefined ? absent(name, spec) : valueOf(name, spec, value);
  }
  return values as OptionValues<T>;
}

function absent(name: string, spec: OptionSpec): unknown {
  if (spec.type === 'string' && spec.required) throw new OptionError(`--${name} is required: ${spec.description}`);
  return spec.default;
}

function valueOf(name: string, spec: OptionSpec, value: string): unknown {
  if (spec.type === 'boolean') {
    if (value !== 'true' && value !== 'false') throw new OptionError(`--${name} takes true or false, not "${value}"`);
    return value === 'true';
  }
  if (spec.type === 'integer') {
    const number = Number(value);
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      const range = spec.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new OptionError(
        `--${name} takes a whole number ${range}${spec.unit ? ` (${spec.unit})` : ''}, not "${value}"`,
      );
    }
    return number;
  }
  // Empty is for flags that may be left out; with a default, it would be a value that nobody meant.
  if (value === '' && (spec.required || spec.default)) {
    throw new OptionError(`--${name} must not be empty: ${spec.description}`);
  }
  if (spec.choices && !spec.choices.includes(value)) {
    throw new OptionError(`--${name} takes one of ${spec.choices.join(', ')}, not "${value}"`);
  }
  const fits = (spec.pattern?.test(value) ?? true) && (spec.check?.(value) ?? true);
  if (value !== '' && !fits) {
    throw new OptionError(`--${name} takes ${spec.form ?? String(spec.pattern)}, not "${value}"`);
  }
  return value;
}

function suggestion(name: string, known: string[]): string {
  const near = known.find(
    (flag) =>
      flag.startsWith(name) || name.startsWith(flag) || name.endsWith(`-${flag}`) || distanceAtMostTwo(flag, name),
  );
  return near ? ` (did you mean --${near}?)` : '';
}

function distanceAtMostTwo(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return (row[b.length] as number) <= 2;
}

/** The text of `--help`. */
export function helpText(program: string, summary: string, table: OptionTable): string {
  const rows = Object.entries(table).map(([name, spec]) => {
    const kind =
      spec.type === 'string' ? (spec.choices ? spec.choices.join('|') : 'TEXT') : spec.type === 'integer' ? 'N' : '';
    const usual = spec.default === undefined || spec.default === '' ? undefined : `default ${spec.default}`;
    const facts = [
      spec.type === 'string' && spec.required ? 'required' : undefined,
      usual && spec.unit ? `${usual} ${spec.unit}` : (usual ?? spec.unit),
    ].filter((fact) => fact !== undefined);
    // A bare one says true, so how to say the other is not to be guessed.
    const value = spec.default === true ? '=true|false' : kind && ` ${kind}`;
    return {
      left: `  --${name}${value}`,
      right: spec.description + (facts.length > 0 ? ` (${facts.join(', ')})` : ''),
    };
  });
  const width = Math.max(...rows.map((row) => row.left.length)) + 2;
  const lines = rows.map((row) => row.left.padEnd(width) + row.right);
  return [`${program}: ${summary}`, '', 'Flags:', ...lines, `${'  --help'.padEnd(width)}print this`, ''].join('\n');
}

/** Flags that every process has. */
export const COMMON_OPTIONS = {
  kubeconfig: {
    type: 'string',
    description: "kubeconfig file of the cluster to work for; empty: the pod's service account",
  },
  'metrics-bind-address': {
    type: 'string',
    default: ':8080',
    check: isBindAddress,
    form: 'an address such as :8080 or 127.0.0.1:8080 (:0 for any free port)',
    description: 'address of /metrics',
  },
  'health-probe-bind-address': {
    type: 'string',
    default: ':8081',
    check: isBindAddress,
    form: 'an address such as :8081 or 127.0.0.1:8081 (:0 for any free port)',
    description: 'address of /healthz and /readyz',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error'],
    description: 'least level that is logged',
  },
} as const satisfies OptionTable;

/** Flags of the processes of which one replica leads. */
export const LEADER_OPTIONS = {
  'leader-elect': {
    type: 'boolean',
    default: true,
    description: 'lead only while holding the Lease; off for a single replica',
  },
  'leader-election-id': { type: 'string', description: 'name of the Lease; empty: the name of the process' },
  'leader-election-namespace': {
    type: 'string',
    description: 'namespace of the Lease; empty: the namespace of the pod',
  },
} as const satisfies OptionTable;
