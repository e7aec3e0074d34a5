/** `npm run cluster -- up | down | status | logs`: the command line over `index.ts`. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { down, type SetStatus, status, up } from './index.ts';
import { kindStatus } from './kind.ts';
import { logTail } from './local/process.ts';
import { help, type Invocation, parseCommandLine, UsageError } from './options.ts';
import { stateRoot } from './paths.ts';

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Rows as columns of equal width. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

function describe({ set, components, nodes, problems }: SetStatus): string {
  if (!set) return `nothing runs for ${stateRoot()}; "npm run cluster -- up" brings clusters up`;
  const clusters = set.plan.clusters.map(({ name, apiServer }) => {
    const own = nodes.filter(({ cluster }) => cluster === name);
    const version = own.find((node) => node.version.startsWith('v'))?.version ?? '?';
    return [
      name,
      `${own.filter(({ ready }) => ready).length}/${own.length}`,
      version,
      apiServer,
      set.kubeconfigs[name] ?? '',
    ];
  });
  const dead = components.filter(({ alive }) => !alive).length;
  return [
    table([['CLUSTER', 'NODES READY', 'VERSION', 'API SERVER', 'KUBECONFIG'], ...clusters]),
    table([
      ['CLUSTER', 'NODE', 'READY', 'VERSION'],
      ...nodes.map((node) => [node.cluster, node.name, node.ready ? 'yes' : 'NO', node.version]),
    ]),
    table([
      ['CLUSTER', 'COMPONENT', 'PID', 'ALIVE'],
      ...components.map((part) => [part.cluster, part.name, String(part.pid), part.alive ? 'yes' : 'NO']),
    ]),
    ...problems,
    ...(dead > 0 ? [`${dead} component(s) ended: "npm run cluster -- up" starts them again`] : []),
  ].join('\n\n');
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}

function showLogs({ cluster, component, lines }: Extract<Invocation, { command: 'logs' }>): void {
  const root = join(stateRoot(), 'logs');
  const clusters = folders(root);
  if (clusters.length === 0) throw new Error(`no logs in ${root}: no clusters were brought up`);
  // `logs kubelet-node1` is understood too: a lone word that is no cluster is a component.
  const [chosen, part] =
    cluster !== undefined && component === undefined && !clusters.includes(cluster)
      ? [undefined, cluster]
      : [cluster, component];
  if (chosen !== undefined && !clusters.includes(chosen))
    throw new UsageError(`no cluster "${chosen}": ${clusters.join(', ')}`);
  const files = (chosen === undefined ? clusters : [chosen]).flatMap((name) =>
    folders(join(root, name)).map((file) => ({ name, part: file.replace(/\.log$/, ''), file: join(root, name, file) })),
  );
  const wanted = files.filter((file) => part === undefined || file.part === part);
  if (wanted.length === 0) {
    throw new UsageError(`no component "${part}": ${[...new Set(files.map((file) => file.part))].join(', ')}`);
  }
  for (const file of wanted) print(`==> ${file.name} ${file.part} (${file.file}) <==\n${logTail(file.file, lines)}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const invocation = parseCommandLine(argv);
  switch (invocation.command) {
    case 'help':
      return print(help.trimEnd());
    case 'up': {
      const { kubeconfigs } = await up(invocation.options);
      for (const file of Object.values(kubeconfigs)) print(file);
      return;
    }
    case 'down':
      return down({ provider: invocation.provider });
    case 'status':
      return print(invocation.provider === 'kind' ? await kindStatus() : describe(await status()));
    case 'logs':
      if (invocation.provider === 'kind')
        throw new UsageError('logs of kind clusters: "kind export logs --name kubeocean-worker-1"');
      return showLogs(invocation);
  }
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`cluster: ${(error as Error).message}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
