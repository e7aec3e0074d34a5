/**
 * The provider `kind`: the same clusters in containers, where docker and kind exist. It has not been tried: the machines
 * this repository is tested on have no container engine. Kept small for that reason: no hollow nodes, no images of
 * ours loaded (`kind load docker-image`), and `kubernetes-intranet` is left to the site.
 */

import { writeFileSync } from 'node:fs';

import { run } from './local/run.ts';
import { settleSizes, type UpOptions, UsageError } from './options.ts';
import { kubeconfigPath } from './paths.ts';
import type { Progress } from './progress.ts';

const prefix = 'kubeocean-';

async function existing(): Promise<string[]> {
  const { stdout } = await run(['kind', 'get', 'clusters']);
  return stdout.split('\n').filter((name) => name.startsWith(prefix));
}

/** kind's configuration: ranges that differ by cluster, so that routes between them are possible. */
export function kindConfig(number: number, nodes: number): string {
  const roles = number === 0 ? ['control-plane'] : ['control-plane', ...Array.from({ length: nodes }, () => 'worker')];
  return JSON.stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { podSubnet: `10.${200 + number}.0.0/16`, serviceSubnet: `10.${216 + number}.0.0/16` },
    nodes: roles.map((role) => ({ role })),
  });
}

export async function up(options: UpOptions, progress: Progress): Promise<{ kubeconfigs: Record<string, string> }> {
  if (options.hollow) throw new UsageError('--hollow works with --provider local only');
  const sizes = settleSizes(options, undefined);
  const there = await existing();
  const kubeconfigs: Record<string, string> = {};
  for (let number = 0; number <= sizes.workers; number++) {
    const cluster = number === 0 ? 'computing' : `worker-${number}`;
    const name = `${prefix}${cluster}`;
    const file = kubeconfigPath(cluster);
    if (!there.includes(name)) {
      progress(`kind: creating ${name}`);
      await run(['kind', 'create', 'cluster', '--name', name, '--config', '-', '--wait', '120s'], {
        input: kindConfig(number, sizes.nodes),
      });
    }
    writeFileSync(file, (await run(['kind', 'get', 'kubeconfig', '--name', name])).stdout, { mode: 0o600 });
    kubeconfigs[cluster] = file;
  }
  return { kubeconfigs };
}

export async function down(progress: Progress): Promise<void> {
  for (const name of await existing()) {
    progress(`kind: deleting ${name}`);
    await run(['kind', 'delete', 'cluster', '--name', name]);
  }
}

export async function kindStatus(): Promise<string> {
  const names = await existing();
  return names.length > 0 ? names.join('\n') : 'no kind clusters of this project run';
}
