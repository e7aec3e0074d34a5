/**
 * The images that the conformance cases ask for, under the names of their registry, made of what this machine has: agnhost
 * and nonewprivs built from their own source, busybox for everything that only needs a shell or a web server.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { moduleFolder } from '../../e2e/clusters/programs.ts';
import { run } from '../../e2e/clusters/local/run.ts';
import { buildImageTar, type Image, type ImageFile, importImages, programLayer } from '../../e2e/clusters/index.ts';

/** k8s.io/kubernetes/test/utils/image/manifest.go, v1.34. */
const REGISTRY = 'registry.k8s.io/e2e-test-images';
const BUSYBOX = '/usr/bin/busybox';
/** As the original makes them: cases of runAsUser and supplementalGroups look for these names and numbers. */
const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'user-defined-in-image:x:1000:1000::/home/user:/bin/sh',
  'nobody:x:65534:65534:nobody:/:/bin/false',
  '',
].join('\n');
const GROUP = [
  'root:x:0:',
  'user-defined-in-image:x:1000:',
  'group-defined-in-image:x:50000:user-defined-in-image',
  '',
].join('\n');

const PAGE = '<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n';

function shell(applets: readonly string[]): ImageFile[] {
  return [
    { path: '/bin/busybox', source: BUSYBOX },
    ...applets.map((name) => ({ path: `/bin/${name}`, link: 'busybox' })),
    { path: '/etc/passwd', content: PASSWD },
    { path: '/etc/group', content: GROUP },
    { path: '/tmp', folder: true, mode: 0o1777 },
    { path: '/root', folder: true, mode: 0o700 },
  ];
}

/** Where the sources of Kubernetes' images lie. */
async function imageSources(): Promise<string> {
  const cwd = moduleFolder('conformance');
  const { stdout } = await run(['go', 'list', '-C', cwd, '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes']);
  return join(stdout.trim(), 'test/images');
}

/** Paths of the programs that are built for images. */
export interface ImagePrograms {
  agnhost: string;
  nonewprivs: string;
}

/** Makes and imports all of them. @param applets names that busybox answers to */
export async function ensureImages(
  folder: string,
  applets: readonly string[],
  { agnhost, nonewprivs }: ImagePrograms,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const sources = await imageSources();
  const base = shell(applets);
  // Cases look from agnhost's shell with curl; busybox has none.
  const curl = existsSync('/usr/bin/curl') ? [await programLayer('/usr/bin/curl')] : [];
  const web = (name: string): Image => ({
    name,
    files: [...base, { path: '/www/index.html', content: PAGE }],
    entrypoint: ['/bin/httpd', '-f', '-p', '80', '-h', '/www'],
  });
  const images: Record<string, Image> = {
    agnhost: {
      name: `${REGISTRY}/agnhost:2.56`,
      baseLayers: curl,
      files: [
        ...base,
        { path: '/agnhost', source: agnhost },
        { path: '/agnhost-2', link: 'agnhost' },
        { path: '/uploads', folder: true },
        ...['crt', 'key'].map((kind) => ({
          path: `/localhost.${kind}`,
          source: join(sources, `agnhost/porter/localhost.${kind}`),
          mode: 0o644,
        })),
      ],
      entrypoint: ['/agnhost'],
      command: ['pause'],
    },
    busybox: { name: `${REGISTRY}/busybox:1.37.0-1`, files: base, command: ['sh'] },
    nonewprivs: {
      name: `${REGISTRY}/nonewprivs:1.3`,
      // It tells who it runs as: root by its set-uid bit, unless new privileges are forbidden.
      files: [...base, { path: '/usr/local/bin/nnp', source: nonewprivs, mode: 0o6755 }],
      command: ['/usr/local/bin/nnp'],
    },
    nonroot: { name: `${REGISTRY}/nonroot:1.4`, files: base, command: ['sh'], user: '1234' },
    pause: {
      name: 'registry.k8s.io/pause:3.10.1',
      files: [{ path: '/agnhost', source: agnhost }],
      entrypoint: ['/agnhost', 'pause'],
    },
    httpd: web(`${REGISTRY}/httpd:2.4.38-4`),
    'httpd-new': web(`${REGISTRY}/httpd:2.4.39-4`),
    nginx: web(`${REGISTRY}/nginx:1.14-4`),
    'nginx-new': web(`${REGISTRY}/nginx:1.15-4`),
  };
  const archives: string[] = [];
  for (const [name, image] of Object.entries(images)) {
    const archive = join(folder, `${name}.tar`);
    writeFileSync(`${archive}.new`, buildImageTar(image));
    renameSync(`${archive}.new`, archive);
    archives.push(archive);
  }
  await importImages(archives);
}
