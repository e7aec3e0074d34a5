/**
 * Bundles a process into one file, `.local/images/<name>/main.js`, as its image holds it. Used by image.ts and, inside
 * a container engine, by the Dockerfiles: `node scripts/bundle.ts [manager] [syncer] [proxier] [worker-agent]`.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { stateRoot } from '../e2e/clusters/paths.ts';

const root = resolve(import.meta.dirname, '..');

/** The processes that have an image, by the folder of their package. */
export const processes = ['manager', 'syncer', 'proxier', 'worker-agent'] as const;
export type ProcessName = (typeof processes)[number];

/**
 * V8's young generation is 3 × 4 MiB at most instead of 3 × 16: what these processes read is dropped at once, so a larger
 * one holds nothing but garbage (docs/performance-history.md). The old generation is collected when it has grown by half, not by up
 * to three times: what is kept changes little. No source maps: stacks name lines of a bundle that is not minified, and
 * a map in memory costs every process 9 MiB.
 */
export const nodeFlags = ['--max-semi-space-size=4', '--heap-growing-percent=50'] as const;

/**
 * What the images set. glibc takes buffers of 128 KiB and more from the system one by one and gives them back; of itself it
 * raises that limit with each that is freed, until pages of lists stay in its heap for ever (docs/performance-history.md).
 */
export const imageEnvironment = { NODE_ENV: 'production', MALLOC_MMAP_THRESHOLD_: '131072' } as const;

/** How the images start a process. */
export function startCommand(node: string): string[] {
  return [node, ...nodeFlags, '/app/main.js'];
}

/** Folder of bundles and image archives. */
export function imageFolder(): string {
  return join(stateRoot(), 'images');
}

/**
 * The processes named, all when none is.
 * @throws Error naming the first that does not exist.
 */
export function processNames(names: readonly string[]): readonly ProcessName[] {
  const unknown = names.find((name) => !(processes as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`there is no process "${unknown}"; choose from ${processes.join(', ')}`);
  return names.length > 0 ? (names as ProcessName[]) : processes;
}

/** CommonJS packages inside an ES module call `require` for Node's own modules; ES modules have none. */
const banner =
  "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);";

/**
 * Names imported from `node:http` are looked up when they are used. An ES module's import reads all that a module exports,
 * and there are getters among them (`WebSocket`, `CloseEvent`) that load all of undici, which no process here uses: some 3 MiB and
 * 50 ms of processor time each.
 */
export const httpByName: Plugin = {
  name: 'node:http by name',
  setup(made) {
    made.onResolve({ filter: /^(node:)?http$/ }, () => ({ path: 'node:http', namespace: 'by-name' }));
    made.onLoad({ filter: /./, namespace: 'by-name' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
    }));
  },
};

/** The folder of the bundle (main.js, its source map, package.json), or nothing when the package has no main.ts yet. */
export async function bundle(name: ProcessName): Promise<string | undefined> {
  const entry = join(root, 'packages', name, 'src/main.ts');
  if (!existsSync(entry)) return undefined;
  const folder = join(imageFolder(), name);
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'main.js'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: banner },
    plugins: [httpByName],
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    absWorkingDir: root,
  });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}\n');
  return folder;
}

if (import.meta.main) {
  for (const name of processNames(process.argv.slice(2))) {
    const folder = await bundle(name);
    if (folder === undefined) throw new Error(`packages/${name}/src/main.ts does not exist`);
    console.log(`bundle: ${folder}`);
  }
}
