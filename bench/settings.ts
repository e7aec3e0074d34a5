/** What runs have to have in common to stand in one table. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KubeObject, parseKubeconfig, Pods, Secrets } from '@kubeocean/shared/kube';
import { checkout } from '../e2e/clusters/paths.ts';
import { imageFolder, processes } from '../scripts/bundle.ts';
import type { BenchOptions } from './options.ts';
import type { Sides } from './sides.ts';

/** Kept in details.json; `--continue` wants all of them to be the same. */
export interface Settings {
  system: string;
  /** What is measured: the version of this checkout and its images, or the images of the pods that are installed. */
  version: string;
  /** The API servers. */
  computing: string;
  worker: string;
  /** The worker's as the measured system knows it, and where it has that from. */
  secret: string;
  creators: number;
  directScheduling: boolean;
  processes: string;
  mountNamespace: string;
}

/** Version in package.json, and a hash over what the images of this checkout were made of: code changes without a version. */
function checkoutVersion(): string {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  const hash = createHash('sha256');
  for (const name of processes) {
    const key = join(imageFolder(), `${name}.tar.key`);
    if (existsSync(key)) hash.update(readFileSync(key));
  }
  return `${version}, images ${hash.digest('hex').slice(0, 12)}`;
}

/** Images of the pods that are there before anything is bound. */
async function installedVersion(options: BenchOptions, sides: Sides): Promise<string> {
  const images = new Set<string>();
  for (const side of ['computing', 'worker'] as const) {
    const { items } = await sides[side].list<KubeObject>(Pods, { namespace: options.processes[side] });
    for (const pod of items) {
      const { containers } = pod['spec'] as { containers: { image: string }[] };
      for (const { image } of containers) images.add(image);
    }
  }
  return [...images].toSorted().join(', ') || 'no pods';
}

/** Server of the kubeconfig that the measured system finds the worker by; empty when none can be read. */
async function secretServer({ secret }: BenchOptions, { computing }: Sides): Promise<string> {
  const found = await computing.get<KubeObject>(Secrets, secret.namespace, secret.name);
  for (const value of Object.values((found['data'] ?? {}) as Record<string, string>)) {
    try {
      return parseKubeconfig(Buffer.from(value, 'base64').toString(), { trust: 'untrusted' }).server;
    } catch {
      // Not the one with the kubeconfig: which key that has is the system's own matter.
    }
  }
  return '';
}

/** @param sides asked for what is installed; not when the charts of this checkout are, whose images are made by then */
export async function settingsOf(options: BenchOptions, sides: Sides): Promise<Settings> {
  const charts = options.system === 'charts';
  const { namespace, name } = options.secret;
  const worker = sides.worker.transport.server;
  const server = charts ? worker : await secretServer(options, sides);
  return {
    system: options.system,
    version: charts ? checkoutVersion() : await installedVersion(options, sides),
    computing: sides.computing.transport.server,
    worker,
    secret: `${namespace}/${name} ${server}`.trim(),
    creators: options.creators,
    directScheduling: options.directScheduling,
    processes: `${options.processes.computing},${options.processes.worker}`,
    mountNamespace: options.mountNamespace,
  };
}

/** What is not the same, each with both values. */
export function settingsMismatch(earlier: Settings, now: Settings): string[] {
  return (Object.keys(now) as (keyof Settings)[])
    .filter((key) => earlier[key] !== now[key])
    .map((key) => `${key} was "${earlier[key]}" and is "${now[key]}"`);
}
