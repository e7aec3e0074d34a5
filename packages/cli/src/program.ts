/** The command line as a whole: picks the subcommand, and turns what became of it into an exit code. */
import { OptionError } from '@kubeocean/shared/daemon';
import { type Command, commandHelp, type Io, readCommandLine } from './command.ts';
import { explainCommand } from './explain/command.ts';
import { Failure } from './failure.ts';
import { adoptCommand } from './adopt/command.ts';
import { visible } from './visible.ts';
import { windowsCommand } from './windows/command.ts';

const COMMANDS = [windowsCommand, explainCommand, adoptCommand] as unknown as Command[];

/** Gives the exit code: 0 answered, 1 no answer (bad file, not found, no cluster), 2 wrong command line. */
export async function runProgram(argv: readonly string[], raw: Io): Promise<number> {
  // Whatever is said goes through here, so that nothing that was read can steer the terminal.
  const io: Io = { ...raw, out: (text) => raw.out(visible(text)), error: (text) => raw.error(visible(text)) };
  const program = io.env['KUBEOCEAN_COMMAND'] ?? 'kubeocean';
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(programHelp(program));
    return 0;
  }
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) {
    const names = COMMANDS.map((known) => known.name).join(', ');
    const what = name === undefined ? 'a command is needed' : `unknown command "${name}"`;
    io.error(`${program}: ${what}; there are: ${names}. See ${program} --help\n`);
    return 2;
  }
  try {
    const line = readCommandLine(command, rest);
    if (line === 'help') {
      io.out(commandHelp(program, command));
      return 0;
    }
    await command.run(line.args, line.options, io);
    return 0;
  } catch (error) {
    const known = error instanceof Failure || error instanceof OptionError;
    const text = known ? error.message : mistakeText(error);
    io.error(`${text.replace(/^/gm, `${program} ${command.name}: `)}\n`);
    return error instanceof OptionError ? 2 : 1;
  }
}

/** What nobody thought of: where it happened is wanted, but escaped as all else, for it may quote what was read. */
function mistakeText(error: unknown): string {
  const stack = error instanceof Error ? error.stack : undefined;
  return `a mistake of this program, please report it: ${stack ?? String(error)}`;
}

function programHelp(program: string): string {
  const width = Math.max(...COMMANDS.map(({ name, usage }) => `${name} ${usage}`.length)) + 2;
  return [
    `${program}: what is lent between clusters, when, and why not`,
    '',
    'Commands:',
    ...COMMANDS.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}${summary.split(/[.:] /)[0]}`),
    '',
    `${program} COMMAND --help tells a command's flags. Exit codes: 0 answered, 1 no answer, 2 wrong command line.`,
    '',
  ].join('\n');
}
