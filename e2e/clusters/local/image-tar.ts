/**
 * Container images without a container engine: a docker-archive (layer tars, configuration, manifest.json) made of
 * files of this machine. The same files give the same bytes, hence the same image id.
 */

import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';

import { run } from './run.ts';
import { type TarEntry, tar } from './tar.ts';

export interface ImageFile {
  /** Absolute path in the image. Parent folders are made. */
  path: string;
  /** One of: a file of this machine, text, a link's target, or a folder. */
  source?: string;
  content?: string | Buffer;
  link?: string;
  folder?: boolean;
  /** Permission bits; default 0755 for files from `source` and folders, 0644 for `content`. */
  mode?: number;
}

export interface Layer {
  tar: Buffer;
  /** sha256 of the tar, hex. */
  digest: string;
}

export interface Image {
  /** One or several names with tag: `kubeocean/manager:dev`. Without a registry's host they are Docker Hub's. */
  name: string | readonly string[];
  /** The image's own layer; left out when empty. */
  files?: readonly ImageFile[];
  /** Layers below it, lowest first. */
  baseLayers?: readonly Layer[];
  entrypoint?: readonly string[];
  command?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** `65532:65532` or a name. */
  user?: string;
  workingDir?: string;
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function entryOf(file: ImageFile): TarEntry {
  const path = posix.normalize(file.path).replace(/^\/+/, '').replace(/\/$/, '');
  if (file.folder) return { path, type: 'folder', mode: file.mode ?? 0o755 };
  if (file.link !== undefined) return { path, type: 'link', target: file.link, mode: 0o777 };
  if (file.source !== undefined) {
    return { path, type: 'file', content: readFileSync(file.source), mode: file.mode ?? 0o755 };
  }
  if (file.content === undefined) throw new Error(`${file.path}: say source, content, link or folder`);
  return { path, type: 'file', content: Buffer.from(file.content), mode: file.mode ?? 0o644 };
}

/** A layer of the files, whatever their order; a later file of the same path wins. */
export function buildLayer(files: readonly ImageFile[]): Layer {
  const entries = new Map<string, TarEntry>();
  for (const file of files) {
    const entry = entryOf(file);
    for (let parent = posix.dirname(entry.path); parent !== '.'; parent = posix.dirname(parent)) {
      if (!entries.has(parent)) entries.set(parent, { path: parent, type: 'folder', mode: 0o755 });
    }
    entries.set(entry.path, entry);
  }
  const sorted = [...entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const archive = tar(sorted);
  return { tar: archive, digest: sha256(archive) };
}

/** The archive of an image, as `docker load` and `ctr images import` take it. */
export function buildImageTar(image: Image): Buffer {
  const own = image.files?.length ? [buildLayer(image.files)] : [];
  const layers = [...(image.baseLayers ?? []), ...own];
  if (layers.length === 0) throw new Error(`image ${String(image.name)} has no files`);
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Entrypoint: image.entrypoint,
      Cmd: image.command,
      Env: Object.entries({ PATH: '/usr/local/bin:/usr/bin:/bin', ...image.env }).map(
        ([key, value]) => `${key}=${value}`,
      ),
      User: image.user,
      WorkingDir: image.workingDir,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })),
    created: '1970-01-01T00:00:00Z',
  });
  const names = typeof image.name === 'string' ? [image.name] : image.name;
  const configFile = `${sha256(config)}.json`;
  const manifest = [{ Config: configFile, RepoTags: names, Layers: layers.map(({ digest }) => `${digest}/layer.tar`) }];
  const files = new Map<string, Buffer>([[configFile, Buffer.from(config)]]);
  for (const layer of layers) files.set(`${layer.digest}/layer.tar`, layer.tar);
  files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
  return tar([...files].map(([path, content]): TarEntry => ({ path, type: 'file', content, mode: 0o644 })));
}

/** The shared libraries that a program of this machine loads, the loader included: files with paths as the program asks. */
async function libraries(program: string): Promise<ImageFile[]> {
  const { stdout } = await run(['ldd', program]);
  const paths = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
  return paths.map((path) => ({ path, source: realpathSync(path) }));
}

/** A program of this machine at its own path, with its libraries. */
export async function programLayer(program: string): Promise<Layer> {
  return buildLayer([{ path: program, source: realpathSync(program) }, ...(await libraries(program))]);
}

/**
 * The layer below our daemons: Node.js at /usr/local/bin/node with its libraries, the user `nonroot` (65532), a world
 * writable /tmp and an empty folder for CA certificates.
 */
export async function nodeBaseLayer(nodeProgram: string = process.execPath): Promise<Layer> {
  const nss = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];
  const found = await libraries(nodeProgram);
  // The C library loads these by name when it resolves names, so ldd does not know them.
  const libc = found.find(({ path }) => path.endsWith('/libc.so.6'));
  const besides = nss.flatMap((name): ImageFile[] => {
    const path = libc && posix.join(posix.dirname(libc.path), name);
    try {
      return path ? [{ path, source: realpathSync(path) }] : [];
    } catch {
      return []; // Newer C libraries have it built in.
    }
  });
  return buildLayer([
    { path: '/usr/local/bin/node', source: nodeProgram },
    ...found,
    ...besides,
    {
      path: '/etc/passwd',
      content: 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
    },
    { path: '/etc/group', content: 'root:x:0:\nnonroot:x:65532:\n' },
    { path: '/etc/nsswitch.conf', content: 'hosts: files dns\n' },
    { path: '/etc/ssl/certs', folder: true },
    { path: '/home/nonroot', folder: true },
    { path: '/tmp', folder: true, mode: 0o1777 },
  ]);
}
