/** What `npm run conformance` takes, and the sentence for everything it refuses. */
import { parseArgs } from 'node:util';

export interface ConformanceOptions {
  focus: string;
  skip: string | undefined;
  plain: boolean;
  /** How many cases run side by side; those that are marked [Serial] run alone after them. */
  procs: number;
  /** Longest that the cases may take together; what has not run by then is told as such. undefined: no bound. */
  minutes: number | undefined;
  /** The clusters are as an earlier run left them: neither brought up, nor are images and charts renewed. */
  prepared: boolean;
}

/** A command line that was refused; the message says why and what would be right. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export const DEFAULT_FOCUS = '\\[NodeConformance\\]';

export const usage = `usage: npm run conformance -- [--focus REGEX] [--skip REGEX] [--plain] [--procs N] [--minutes N]
                              [--prepared]

Kubernetes' own conformance cases against the computing cluster of the local clusters, whose only schedulable nodes are
vnodes. Brings the clusters up when they do not run, installs both charts, binds worker-1 and lends all of it.

  --focus REGEX  cases whose name matches (default ${DEFAULT_FOCUS})
  --skip REGEX   of these, leave out those whose name matches
  --plain        against the computing cluster's own node instead, for comparison
  --procs N      so many cases side by side, 1 to 16 (default 4); those marked [Serial] run alone after them
  --minutes N    stop after so many minutes, 1 to 1440; cases that have not run by then are counted as such
  --prepared     the clusters are as an earlier run left them: go on at once

Regular expressions are Go's (RE2). The whole output is in .local/conformance/*.log. Exit code 0 when all passed, 1 when
a case failed or was not run, 2 when nothing could be run.`;

/** Of JavaScript's expressions RE2 has neither look-around nor back-references. */
const NOT_RE2 = /\(\?(?:[=!]|<[=!])|\\[1-9]/;

function checkProcs(text: string): number {
  if (!/^(?:[1-9]|1[0-6])$/.test(text)) throw new UsageError(`--procs ${text}: a whole number from 1 to 16 is wanted`);
  return Number(text);
}

function checkMinutes(text: string): number {
  const minutes = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (minutes < 1 || minutes > 1440) throw new UsageError(`--minutes ${text}: a whole number from 1 to 1440 is wanted`);
  return minutes;
}

function checkRegex(flag: string, text: string): string {
  if (text === '') throw new UsageError(`--${flag} wants a regular expression, not an empty text`);
  if (NOT_RE2.test(text)) {
    throw new UsageError(`--${flag} ${text}: Go's regular expressions have no look-around and no back-references`);
  }
  try {
    // Go writes inline flags at the beginning, which JavaScript does not know.
    RegExp(text.replace(/^\(\?[imsU]+\)/, ''));
  } catch (error) {
    throw new UsageError(`--${flag} is no regular expression: ${(error as Error).message}`, { cause: error });
  }
  return text;
}

/** Reads a command line (without the interpreter and file). @returns undefined when help is asked for. @throws UsageError */
export function parseOptions(argv: readonly string[]): ConformanceOptions | undefined {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        focus: { type: 'string', default: DEFAULT_FOCUS },
        skip: { type: 'string' },
        plain: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        procs: { type: 'string', default: '4' },
        prepared: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; see --help`, { cause: error });
  }
  if (values.help) return undefined;
  return {
    focus: checkRegex('focus', values.focus),
    skip: values.skip === undefined ? undefined : checkRegex('skip', values.skip),
    plain: values.plain,
    minutes: values.minutes === undefined ? undefined : checkMinutes(values.minutes),
    procs: checkProcs(values.procs),
    prepared: values.prepared,
  };
}
