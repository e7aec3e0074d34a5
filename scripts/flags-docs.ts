/** docs/flags.md, from the option tables of the processes. */
import type { OptionSpec, OptionTable } from '@kubeocean/shared/daemon';
import { OPTIONS as MANAGER } from '../packages/manager/src/options.ts';
import { OPTIONS as PROXIER } from '../packages/proxier/src/options.ts';
import { SYNCER_OPTIONS as SYNCER } from '../packages/syncer/src/options.ts';
import { AGENT_OPTIONS as AGENT } from '../packages/worker-agent/src/options.ts';

const PROCESSES: [name: string, table: OptionTable][] = [
  ['manager', MANAGER],
  ['syncer', SYNCER],
  ['proxier', PROXIER],
  ['worker-agent', AGENT],
];

function valueOf(spec: OptionSpec): string {
  if (spec.type === 'integer') return spec.unit ?? 'number';
  if (spec.type === 'boolean') return 'true, false';
  return spec.choices?.join(', ') ?? spec.form ?? 'text';
}

function defaultOf(spec: OptionSpec): string {
  if (spec.type === 'string' && spec.required) return '**required**';
  return spec.default === undefined || spec.default === '' ? '' : `\`${spec.default}\``;
}

function row([flag, spec]: [string, OptionSpec]): string {
  const cells = [`\`--${flag}\``, valueOf(spec), defaultOf(spec), spec.description];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The page: one table per process, in the order of `--help`. */
export function flagsDocument(): string {
  const sections = PROCESSES.map(([name, table]) =>
    [`## ${name}`, '', '| flag | value | default | |', '|---|---|---|---|', ...Object.entries(table).map(row), ''].join(
      '\n',
    ),
  );
  const head = [
    '# Flags of the processes',
    '',
    'Generated from the option tables (`npm run generate`). The charts set them by their values; `extraArgs` adds more.',
    'A flag that is unknown, given twice or of the wrong form ends the process with code 2 and a line that says what it takes.',
    'So `extraArgs` must not repeat what the chart or, for syncers and proxiers, the manager passes already (`args` of the Deployment):',
    "that is changed by the chart's value.",
    '',
  ];
  return [...head, ...sections].join('\n');
}
