/**
 * `npm run image [-- --no-import] [name ...]`: makes the images of our processes without a container engine, as
 * docker-archives `.local/images/<name>.tar`, and imports them into the nodes of the local clusters if any run. Only
 * what changed is made again. The Dockerfiles in packages/ make the same where there is a container engine.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildImageTar, importImages, type Layer, nodeBaseLayer } from '../e2e/clusters/index.ts';
import {
  bundle,
  imageEnvironment,
  imageFolder,
  type ProcessName,
  processes,
  processNames,
  startCommand,
} from './bundle.ts';

const root = resolve(import.meta.dirname, '..');
/** The pinned Node.js, not the one this script happens to run on. */
const nodeProgram = join(root, 'node_modules/node/bin/node');
const bundleFiles = ['main.js', 'main.js.map', 'package.json'];

const usage = `usage: npm run image [-- [--no-import] [name ...]]

Makes the images of ${processes.join(', ')} (all when none is named)
and imports them into the nodes of the local clusters.

  --no-import  only make the archives, in .local/images`;

interface Made {
  name: ProcessName;
  archive: string;
  changed: boolean;
}

function imageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return `v${version}`;
}

let base: Promise<Layer> | undefined;

/** Bundles one process and, when what goes into its image differs from last time, makes the image anew. */
async function make(name: ProcessName): Promise<Made | undefined> {
  const folder = await bundle(name);
  if (folder === undefined) return undefined;
  const archive = join(imageFolder(), `${name}.tar`);
  const hash = createHash('sha256').update(process.version).update(imageVersion());
  // The image's recipe is part of its content.
  hash
    .update(JSON.stringify(startCommand('')))
    .update(readFileSync(import.meta.filename))
    .update(readFileSync(join(root, 'e2e/clusters/local/image-tar.ts')));
  for (const file of bundleFiles) hash.update(readFileSync(join(folder, file)));
  const key = hash.digest('hex');
  const keyFile = `${archive}.key`;
  if (existsSync(archive) && existsSync(keyFile) && readFileSync(keyFile, 'utf8') === key) {
    return { name, archive, changed: false };
  }
  base ??= nodeBaseLayer(nodeProgram);
  const image = buildImageTar({
    name: `docker.io/kubeocean/kubeocean-${name}:${imageVersion()}`,
    baseLayers: [await base],
    files: bundleFiles.map((file) => ({ path: `/app/${file}`, source: join(folder, file), mode: 0o644 })),
    entrypoint: startCommand('/usr/local/bin/node'),
    env: imageEnvironment,
    user: '65532:65532',
    workingDir: '/app',
  });
  writeFileSync(`${archive}.new`, image);
  renameSync(`${archive}.new`, archive);
  writeFileSync(keyFile, key);
  return { name, archive, changed: true };
}

/** Imports into the local clusters; none running is no error. */
async function importInto(archives: readonly string[]): Promise<string> {
  try {
    await importImages(archives);
    return 'imported into the local clusters';
  } catch (error) {
    if (error instanceof Error && /^no clusters of .* run/.test(error.message)) {
      return 'no local clusters run: run this again after "npm run cluster -- up"';
    }
    throw error;
  }
}

async function main(): Promise<void> {
  const started = performance.now();
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { import: { type: 'boolean', default: true }, help: { type: 'boolean', short: 'h' } },
    allowNegative: true,
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const archives: string[] = [];
  for (const name of processNames(positionals)) {
    const made = await make(name);
    if (made === undefined) console.log(`image: ${name} skipped, packages/${name}/src/main.ts does not exist`);
    else {
      console.log(`image: kubeocean/kubeocean-${name}:${imageVersion()} ${made.changed ? 'made' : 'unchanged'}`);
      archives.push(made.archive);
    }
  }
  if (values.import && archives.length > 0) console.log(`image: ${await importInto(archives)}`);
  console.log(`image: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

try {
  await main();
} catch (error) {
  console.error(`image: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
