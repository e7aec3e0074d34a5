/**
 * Before the end-to-end tests: the clusters are up, our images are in their nodes, and both charts are installed with no
 * process of ours running, so that kinds, namespaces and rights are those of the charts while each test starts the
 * processes it is about. The tutorial's test installs everything anew, as a user would.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { binFolder, kubeconfigPath } from './clusters/paths.ts';

const ROOT = resolve(import.meta.dirname, '..');

function run(what: string, command: readonly string[]): void {
  const started = performance.now();
  const { status, error } = spawnSync(command[0] as string, command.slice(1), { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${what} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
  console.log(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function helm(cluster: string, release: string, ...values: string[]): void {
  const command = [
    `${binFolder()}/helm`,
    '--kubeconfig',
    kubeconfigPath(cluster),
    'upgrade',
    '--install',
    '--reset-values',
  ];
  run(`helm ${release}`, [...command, release, `charts/${release}`, ...values.flatMap((value) => ['--set', value])]);
}

export function setup(): void {
  run('clusters up', [process.execPath, 'e2e/clusters/cli.ts', 'up']);
  run('images', [process.execPath, 'scripts/image.ts']);
  installCharts();
}

/** Both charts as the tests expect them: everything of theirs, none of our processes. */
export function installCharts(): void {
  helm('computing', 'kubeocean', 'manager.replicas=0', 'proxier.servingCertificate=csr');
  helm('worker-1', 'kubeocean-worker', 'agent.replicas=0');
}
