/** Kubeconfigs as scripts/kubeconfig.sh hands them out, by running it. */
import { join } from 'node:path';
import { run } from './local/run.ts';
import { binFolder, checkout } from './paths.ts';

/**
 * Writes the kubeconfig of a ServiceAccount into `file`.
 * @param administrator kubeconfig of the cluster that the ServiceAccount is in
 * @returns `file`
 * @throws Error in the script's words
 */
export async function writeKubeconfig(
  administrator: string,
  account: string,
  namespace: string,
  file: string,
): Promise<`/${string}`> {
  const env = { ...process.env, KUBECONFIG: administrator, PATH: `${binFolder()}:${process.env['PATH']}` };
  await run(['bash', join(checkout, 'scripts/kubeconfig.sh'), account, namespace, file], { env });
  return file as `/${string}`;
}
