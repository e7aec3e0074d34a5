/** `--system charts`: installs the charts of this checkout, with images of its code that are sure to run. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KubeObject, Pods, Secrets } from '@kubeocean/shared/kube';
import { writeKubeconfig } from '../e2e/clusters/credentials.ts';
import { run } from '../e2e/clusters/local/run.ts';
import { binFolder, checkout } from '../e2e/clusters/paths.ts';
import type { BenchOptions } from './options.ts';
import { gone, type Say, type Sides, waitTelling } from './sides.ts';
import { stopping } from './stop.ts';

/** Makes the images of this checkout and imports them into the local clusters. */
export async function makeImages(say: Say): Promise<void> {
  const { stdout } = await run([process.execPath, join(checkout, 'scripts/image.ts')], { cwd: checkout });
  say(stdout.trim().split('\n').at(-1) ?? '');
}

/**
 * Installs the charts, gives the worker's kubeconfig to the computing cluster, and has every pod of ours run what was just
 * imported. @param imagesAt milliseconds since 1970 when the images were in
 */
export async function installCharts(options: BenchOptions, sides: Sides, imagesAt: number, say: Say): Promise<void> {
  const helm = (kubeconfig: string, release: string, ...values: string[]): Promise<unknown> =>
    run([
      join(binFolder(), 'helm'),
      '--kubeconfig',
      kubeconfig,
      'upgrade',
      '--install',
      '--reset-values',
      release,
      join(checkout, 'charts', release),
      ...values.flatMap((value) => ['--set', value]),
    ]);
  const tenant = `tenants[0].namespace=${options.mountNamespace},tenants[0].serviceAccount=kubeocean-syncer,tenants[0].bindings={*}`;
  await Promise.all([helm(options.computing, 'kubeocean'), helm(options.worker, 'kubeocean-worker', tenant)]);
  stopping.throwIfAborted();
  await Promise.all([
    restartOld(sides.computing, 'kubeocean-system', imagesAt, say),
    restartOld(sides.worker, 'kubeocean-agent', imagesAt, say),
  ]);
  await giveKubeconfig(options, sides);
}

/** Pods that were there when the images came in: their tag is the same, and their code may be older. */
export function olderThan(pods: readonly KubeObject[], imagesAt: number): KubeObject[] {
  return pods.filter(({ metadata }) => {
    const made = Date.parse(metadata.creationTimestamp ?? '');
    // Told in whole seconds: one of the same second may be older as well.
    return !(made > imagesAt);
  });
}

/** Makes older pods anew, and waits until none of them is left: its processes would be measured. */
async function restartOld(client: Sides['computing'], namespace: string, imagesAt: number, say: Say): Promise<void> {
  const list = async (): Promise<KubeObject[]> => (await client.list<KubeObject>(Pods, { namespace })).items;
  const old = olderThan(await list(), imagesAt);
  await Promise.all(old.map(({ metadata }) => gone(client.delete(Pods, namespace, metadata.name))));
  const uids = new Set(old.map(({ metadata }) => metadata.uid));
  const probe = async (): Promise<string | undefined> => {
    const left = (await list()).filter(({ metadata }) => uids.has(metadata.uid));
    return left[0] && `${left[0].metadata.name} is still there`;
  };
  await waitTelling({ what: `pods of ${namespace} run the new images`, say, probe, signal: stopping });
}

async function giveKubeconfig(options: BenchOptions, { computing }: Sides): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-bench-'));
  try {
    const file = join(folder, 'kubeconfig');
    await writeKubeconfig(options.worker, 'kubeocean-syncer', options.mountNamespace, file);
    const { namespace, name } = options.secret;
    await gone(computing.delete(Secrets, namespace, name));
    await computing.create(Secrets, {
      metadata: { name, namespace },
      data: { kubeconfig: readFileSync(file).toString('base64') },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function removeSecret({ secret: { namespace, name } }: BenchOptions, { computing }: Sides): Promise<void> {
  await gone(computing.delete(Secrets, namespace, name));
}
