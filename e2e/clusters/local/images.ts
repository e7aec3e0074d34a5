/** Images on the nodes: the two every set has, and those given later, which nodes that come afterwards get too. */

import { copyFileSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { containerdSocket, nodeFolder, readIfThere, setFolders } from './context.ts';
import { buildImageTar } from './image-tar.ts';
import { programPath } from './packages.ts';
import type { NodePlan, SetPlan } from './plan.ts';
import { run } from './run.ts';

/** The image of every pod's first process. */
export const pauseImage = 'kubeocean.local/pause:1';
/** Names of the image with a shell. */
export const shellImages = ['busybox:1.35', 'busybox:latest', 'busybox:1.28', 'busybox:1.36'];

const shellCommands = [
  'sh',
  'ash',
  'cat',
  'sleep',
  'echo',
  'env',
  'ls',
  'id',
  'date',
  'wget',
  'nslookup',
  'nc',
  'httpd',
  'ping',
  'ip',
];

/** Puts the set's own images beside the others to import. */
export async function ensureOwnImages(index: number, pauseProgram: string): Promise<void> {
  const { images } = setFolders(index);
  mkdirSync(images, { recursive: true });
  const pause = buildImageTar({
    name: pauseImage,
    files: [{ path: '/pause', source: pauseProgram }],
    entrypoint: ['/pause'],
  });
  keep(join(images, 'pause.tar'), pause);
  const busybox = programPath('busybox');
  const applets = (await run([busybox, '--list'])).stdout
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  const shell = buildImageTar({
    name: shellImages,
    files: [
      { path: '/bin/busybox', source: busybox },
      ...[...new Set([...applets, ...shellCommands])].map((name) => ({ path: `/bin/${name}`, link: 'busybox' })),
      { path: '/etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
      { path: '/etc/group', content: 'root:x:0:\nnobody:x:65534:\n' },
      { path: '/tmp', folder: true, mode: 0o1777 },
      { path: '/root', folder: true, mode: 0o700 },
    ],
    command: ['sh'],
  });
  keep(join(images, 'busybox.tar'), shell);
}

function keep(file: string, content: Buffer): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/** The names in a docker-archive: the bytes of its manifest.json are found by the tar headers. */
export function imageNames(archive: Buffer): string[] {
  for (let at = 0; at + 512 <= archive.length; ) {
    const name = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === 'manifest.json') {
      const manifest = JSON.parse(archive.toString('utf8', at + 512, at + 512 + size)) as {
        RepoTags: string[] | null;
      }[];
      return manifest.flatMap(({ RepoTags }) => RepoTags ?? []);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error('not a docker-archive: no manifest.json in it');
}

/** Remembers an image archive for all nodes of the set; one of the same name is replaced. Returns the remembered file. */
export function rememberImage(index: number, archive: string): string {
  const { images } = setFolders(index);
  const [name] = imageNames(readFileSync(archive));
  if (name === undefined) throw new Error(`${archive}: the image in it has no name`);
  mkdirSync(images, { recursive: true });
  const file = join(images, `${name.replaceAll(/[^\w.-]/g, '_')}.tar`);
  copyFileSync(archive, `${file}.new`);
  renameSync(`${file}.new`, file);
  return file;
}

/** Imports one archive into one node's containerd. */
export async function importImage(plan: SetPlan, node: NodePlan, archive: string): Promise<void> {
  const ctr = ['ctr', '--address', containerdSocket(plan.index, node), '--namespace', 'k8s.io'];
  await run([...ctr, 'images', 'import', archive]);
}

const digests = new Map<string, string>();

/** sha256 of a file, read once for all nodes while the file stays as it is. */
function digestOf(file: string): string {
  const { mtimeMs, size } = statSync(file);
  const key = `${file} ${mtimeMs} ${size}`;
  let digest = digests.get(key);
  if (digest === undefined) {
    digest = createHash('sha256').update(readFileSync(file)).digest('hex');
    digests.set(key, digest);
  }
  return digest;
}

/** Imports every remembered image that the node does not have yet in that version. */
export async function importRemembered(plan: SetPlan, node: NodePlan): Promise<void> {
  const { images } = setFolders(plan.index);
  const file = join(nodeFolder(plan.index, node), 'images.json');
  const imported = JSON.parse(readIfThere(file) ?? '{}') as Record<string, string>;
  for (const name of readdirSync(images)
    .filter((entry) => entry.endsWith('.tar'))
    .toSorted()) {
    const archive = join(images, name);
    const digest = digestOf(archive);
    if (imported[name] === digest) continue;
    await importImage(plan, node, archive);
    imported[name] = digest;
    writeFileSync(`${file}.new`, JSON.stringify(imported));
    renameSync(`${file}.new`, file);
  }
}
