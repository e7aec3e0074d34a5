/** Real clusters for tests, demos and benchmarks: bring them up, look at them, take them down. */

import * as kind from './kind.ts';
import * as local from './local/provider.ts';
import { startStorage } from './local/storage.ts';
import { type Provider, UsageError, type UpOptions } from './options.ts';
import { type Progress, startProgress } from './progress.ts';

export type { ClusterSet, ComponentStatus, NodeStatus, SetStatus } from './local/provider.ts';
export type { Provider, UpOptions } from './options.ts';
export type { Progress } from './progress.ts';
export { buildImageTar, buildLayer, nodeBaseLayer, programLayer } from './local/image-tar.ts';
export type { Image, ImageFile, Layer } from './local/image-tar.ts';
export { importImages } from './local/provider.ts';
export {
  killComponent,
  kubeletFolder,
  networkNamespace,
  restartComponent,
  startComponent,
  stopComponent,
} from './local/components.ts';
export { binFolder, kubeconfigPath, stateRoot } from './paths.ts';
export { ensureProgram } from './programs.ts';

interface ProviderOption {
  provider?: Provider;
  progress?: Progress;
}

/** Brings the clusters up, or completes and repairs those that run. Returns the kubeconfig files by cluster name. */
export async function up(options: UpOptions & ProviderOption = {}): Promise<{ kubeconfigs: Record<string, string> }> {
  const { progress = startProgress() } = options;
  if (options.provider === 'kind') {
    if (options.storage)
      throw new UsageError('--storage works with --provider local only: kind has storage of its own');
    return kind.up(options, progress);
  }
  const set = await local.up(options, progress);
  const workers = Object.keys(set.kubeconfigs).filter((name) => name !== 'computing');
  if (options.storage) await Promise.all(workers.map((name) => startStorage(name, progress)));
  return set;
}

/** Takes the clusters down. Throws naming everything that could not be removed. */
export function down(options: ProviderOption = {}): Promise<void> {
  const { progress = startProgress() } = options;
  return options.provider === 'kind' ? kind.down(progress) : local.down(progress);
}

/** What runs of the provider `local`; nothing is changed. */
export const status = local.status;
