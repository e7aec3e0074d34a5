/**
 * An older Kubeocean, made of the repository's history: its charts as they were, and images of its processes, as version
 * 0.0.9. Nothing has been released yet, so that a state of the past stands for a release.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importImages } from '../clusters/index.ts';
import { checkout, stateRoot } from '../clusters/paths.ts';

/** Six hours older than these tests: before offered volumes' classes had rules, pull secrets reached syncers, and more. */
export const OLDER = 'd747b9c3f0030bac7b8db3de348244575ea7a001';
const VERSION = '0.0.9';

/** False in a clone without its history. */
export function hasHistory(): boolean {
  return spawnSync('git', ['cat-file', '-e', `${OLDER}^{commit}`], { cwd: checkout }).status === 0;
}

function run(command: string, cwd: string, env: NodeJS.ProcessEnv = {}): void {
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', command], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${command}: exit code ${status}: ${stdout}${stderr}`);
}

/** Makes it and puts its images into the nodes. @returns the folder with its `charts` */
export async function makeOlder(): Promise<string> {
  const root = stateRoot();
  const folder = join(root, 'older');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules/@kubeocean'), { recursive: true });
  run(`git archive ${OLDER} | tar -x -C "${folder}"`, checkout);
  const modules = join(checkout, 'node_modules');
  for (const name of readdirSync(modules)) {
    if (name !== '@kubeocean') symlinkSync(join(modules, name), join(folder, 'node_modules', name));
  }
  // Its own packages, not those of today.
  for (const name of readdirSync(join(folder, 'packages'))) {
    symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@kubeocean', name));
  }
  for (const file of ['package.json', 'charts/kubeocean/Chart.yaml', 'charts/kubeocean-worker/Chart.yaml']) {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('0.1.0', VERSION));
  }
  run(`"${process.execPath}" scripts/image.ts --no-import`, folder, { KUBEOCEAN_LOCAL: folder });
  const images = join(folder, 'images');
  if (!existsSync(images)) throw new Error(`no images in ${images}`);
  await importImages(readdirSync(images).flatMap((name) => (name.endsWith('.tar') ? [join(images, name)] : [])));
  return folder;
}
