/**
 * The programs of the clusters, built from the Go modules in `e2e/programs`.
 *
 * A program is kept under the user's cache by a hash of its module (go.mod, go.sum, *.go), so that every checkout on a
 * machine shares it. It is built under another name and renamed, so that a killed build leaves no half program behind.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './local/run.ts';
import { binFolder, checkout, programCache } from './paths.ts';
import type { Progress } from './progress.ts';

interface Program {
  name: string;
  /** Folder of its module in `e2e/programs`, when it is not called like the program. */
  module?: string;
  /** The Go package to build, in its module's terms. */
  package: string;
  /** Values for string variables of the program, `-X` of the Go linker. */
  set: Record<string, string>;
  /** Names it is also called by: it looks at the name it was started with. */
  links: string[];
  /** Rough time of a first build on two cores. */
  seconds: number;
}

export const kubernetesVersion = 'v1.34.4';

/** No debugging information, in the files nor on the way to them: a tenth of the compiler's time. */
const BUILD = ['go', 'build', '-trimpath', '-gcflags=all=-dwarf=false'];

const componentVersion = 'k8s.io/component-base/version';

/** The version that a build of Kubernetes' programs tells: without it clients are told v0.0.0, and some refuse to talk to it. */
function toldVersion(version: string): Record<string, string> {
  const [major, minor] = version.replace('v', '').split('.');
  return {
    [`${componentVersion}.gitVersion`]: version,
    [`${componentVersion}.gitMajor`]: major!,
    [`${componentVersion}.gitMinor`]: minor!,
  };
}

export const programs = {
  kubernetes: {
    name: 'kubernetes',
    package: '.',
    set: toldVersion(kubernetesVersion),
    links: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'],
    seconds: 300,
  },
  // By itself it starts in half the processor time, and tests start it a thousand times.
  kubectl: {
    name: 'kubectl',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kubectl',
    set: toldVersion(kubernetesVersion),
    links: [],
    seconds: 10,
  },
  // One module for what is not Kubernetes itself, so that they share Kubernetes' libraries and these are compiled once.
  coredns: { name: 'coredns', module: 'tools', package: './coredns', set: {}, links: [], seconds: 60 },
  helm: {
    name: 'helm',
    module: 'tools',
    package: 'helm.sh/helm/v3/cmd/helm',
    set: { 'helm.sh/helm/v3/internal/version.version': 'v3.21.4' },
    links: [],
    seconds: 40,
  },
  'metrics-server': {
    name: 'metrics-server',
    module: 'tools',
    package: 'sigs.k8s.io/metrics-server/cmd/metrics-server',
    set: {},
    links: [],
    seconds: 40,
  },
  'kubectl-newest': {
    name: 'kubectl-newest',
    module: 'tools',
    package: './kubectl',
    set: toldVersion('v1.37.2'),
    links: [],
    seconds: 30,
  },
  // Its version needs libraries older than those of the rest.
  kwok: { name: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', set: {}, links: [], seconds: 60 },
  'local-path': {
    name: 'local-path',
    module: 'tools',
    package: 'github.com/rancher/local-path-provisioner',
    set: {},
    links: [],
    seconds: 20,
  },
  // A CSI driver of inline volumes, for the tests of those.
  csi: { name: 'csi', package: '.', set: {}, links: [], seconds: 40 },
  // Kubernetes' own end-to-end tests and the program of their images: `npm run conformance` builds them.
  conformance: {
    name: 'conformance',
    package: '.',
    set: toldVersion(kubernetesVersion),
    links: ['e2e.test'],
    seconds: 400,
  },
  agnhost: {
    name: 'agnhost',
    module: 'conformance',
    package: 'k8s.io/kubernetes/test/images/agnhost',
    set: {},
    links: [],
    seconds: 60,
  },
  nonewprivs: {
    name: 'nonewprivs',
    module: 'conformance',
    package: 'k8s.io/kubernetes/test/images/nonewprivs',
    set: {},
    links: [],
    seconds: 10,
  },
  // Prometheus' own parsers.
  exposition: { name: 'exposition', package: '.', set: {}, links: [], seconds: 30 },
  pause: { name: 'pause', package: '.', set: {}, links: [], seconds: 5 },
} satisfies Record<string, Program>;

export type ProgramName = keyof typeof programs;

/** Folder of the program's Go module. */
export function moduleFolder(name: ProgramName): string {
  const program: Program = programs[name];
  return join(checkout, 'e2e/programs', program.module ?? name);
}

/** Hash of a module's files and {@link BUILD}, 12 hex digits: the program's version in the cache. */
export function moduleHash(folder: string): string {
  const hash = createHash('sha256').update(BUILD.join(' '));
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (file !== 'go.mod' && file !== 'go.sum' && !file.endsWith('.go')) continue;
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(folder, file)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 12);
}

/** Whether Go version `have` ("go1.26.8") is at least `want` ("1.25.0"). */
export function goIsNewEnough(have: string, want: string): boolean {
  const numbers = (text: string): number[] => (/(\d+(?:\.\d+)*)/.exec(text)?.[1] ?? '0').split('.').map(Number);
  const [a, b] = [numbers(have), numbers(want)];
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function checkGo(program: Program, folder: string): Promise<void> {
  const found = await run(['go', 'env', 'GOVERSION', 'GOTOOLCHAIN']).catch(() => undefined);
  if (!found) throw new Error(`${program.name} is built with Go, and there is no "go" here: install Go 1.25 or newer`);
  const [version = '', toolchain = ''] = found.stdout.split('\n');
  if (!goIsNewEnough(version, '1.25')) throw new Error(`Go is ${version}, and 1.25 or newer is needed: install it`);
  const wanted = /^go (\S+)$/m.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1] ?? '1.25';
  if (toolchain === 'local' && !goIsNewEnough(version, wanted)) {
    throw new Error(
      `${program.name} needs Go ${wanted}, this is ${version} and GOTOOLCHAIN=local keeps it from fetching another: ` +
        `install Go ${wanted}, or set GOTOOLCHAIN=auto`,
    );
  }
}

// Left by builds that were killed: the name ends with the id of the process that built.
function removeUnfinished(cache: string): void {
  for (const file of readdirSync(cache)) {
    const pid = /\.building-(\d+)$/.exec(file)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(cache, file), { force: true });
  }
}

async function build(program: Program, folder: string, target: string, progress: Progress): Promise<void> {
  await checkGo(program, folder);
  mkdirSync(join(target, '..'), { recursive: true });
  removeUnfinished(join(target, '..'));
  const unfinished = `${target}.building-${process.pid}`;
  const flags = ['-s', '-w', ...Object.entries(program.set).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
  progress(`building ${program.name} from its Go module: some ${program.seconds} s the first time`);
  const start = performance.now();
  const seconds = (): number => Math.round((performance.now() - start) / 1000);
  const ticking = setInterval(() => progress(`building ${program.name}: ${seconds()} s so far`), 15_000);
  try {
    await run([...BUILD, '-ldflags', flags, '-o', unfinished, program.package], {
      cwd: folder,
      // The compiler collects its garbage less often: a tenth of its time for memory that is given back at once.
      env: { GOGC: '400', ...process.env, CGO_ENABLED: '0' },
    });
    renameSync(unfinished, target);
  } finally {
    clearInterval(ticking);
    rmSync(unfinished, { force: true });
  }
  progress(`built ${program.name} in ${seconds()} s`);
}

function link(target: string, path: string): void {
  const fresh = `${path}.new-${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  renameSync(fresh, path);
}

/**
 * Returns the file of a program, building it first when the cache has none, and links it (and its other names) into
 * the state folder's `bin`. Throws when Go is missing or too old, or the build fails.
 */
export async function ensureProgram(name: ProgramName, root: string, progress: Progress): Promise<string> {
  const program: Program = programs[name];
  const folder = moduleFolder(name);
  const target = join(programCache(), `${name}-${moduleHash(folder)}`);
  if (!existsSync(target)) await build(program, folder, target, progress);
  mkdirSync(binFolder(root), { recursive: true });
  for (const called of [program.name, ...program.links]) link(target, join(binFolder(root), called));
  return target;
}
