/**
 * Before the end-to-end tests: the clusters of each lane are up, our images are in their nodes, and both charts are
 * installed with no process of ours running, so that kinds, namespaces and rights are those of the charts while each
 * test starts the processes it is about. The tutorial's test installs everything anew, as a user would.
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runStep } from '../scripts/steps.ts';
import { binFolder, kubeconfigPath, stateRoot } from './clusters/paths.ts';
import { ensureProgram, type ProgramName } from './clusters/programs.ts';
import { laneRoots } from './lanes.ts';

const ROOT = resolve(import.meta.dirname, '..');

async function run(what: string, root: string, command: readonly string[]): Promise<void> {
  const env = { ...process.env, KUBEOCEAN_LOCAL: root };
  const result = await runStep(what, command, { cwd: ROOT, env, live: true });
  console.log(`${what}: ${result.seconds.toFixed(1)} s`);
  if (!result.ok) throw new Error(`${what} failed: its output is above`);
}

function helm(root: string, cluster: string, release: string, ...values: string[]): Promise<void> {
  return run(`helm ${release}`, root, [
    `${binFolder(root)}/helm`,
    '--kubeconfig',
    kubeconfigPath(cluster, root),
    'upgrade',
    '--install',
    '--reset-values',
    release,
    `charts/${release}`,
    ...values.flatMap((value) => ['--set', value]),
  ]);
}

/**
 * Clusters of all lanes up, our images in their nodes; what is there already is left as it is.
 * @param programs built while there is but one set of clusters, whose idling costs the compiler the least
 */
export async function prepare(programs: readonly ProgramName[] = []): Promise<void> {
  const [first = '', ...others] = laneRoots();
  const up = (root: string) => run(`clusters up in ${root}`, root, [process.execPath, 'e2e/clusters/cli.ts', 'up']);
  const images = (root: string) => run(`images in ${root}`, root, [process.execPath, 'scripts/image.ts']);
  // Alone: it builds the programs that all need, and shows what is wrong with the machine.
  await up(first);
  for (const name of programs) await ensureProgram(name, first, (line) => console.log(line));
  // Lanes come up one after the other, which is no slower on two cores, while the images are made and imported.
  await Promise.all([images(first), others.reduce((before, root) => before.then(() => up(root)), Promise.resolve())]);
  for (const root of others) {
    shareImages(first, root);
    await images(root);
  }
}

export async function setup(): Promise<void> {
  await prepare();
  await Promise.all(laneRoots().map((root) => installCharts(root)));
}

/** The archives are the same for all lanes: they are made once. */
function shareImages(first: string, root: string): void {
  const [from, to] = [join(first, 'images'), join(root, 'images')];
  if (from === to || existsSync(to)) return;
  mkdirSync(root, { recursive: true });
  symlinkSync(from, to);
}

/** Both charts as the tests expect them: everything of theirs, none of our processes. */
export async function installCharts(root = stateRoot()): Promise<void> {
  await helm(root, 'computing', 'kubeocean', 'manager.replicas=0', 'proxier.servingCertificate=csr');
  await helm(root, 'worker-1', 'kubeocean-worker', 'agent.replicas=0');
}
