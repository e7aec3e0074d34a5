/** Clients for the scripts that measure on the local clusters. */
import { existsSync } from 'node:fs';
import { KubeClient, kubeconfigFile, Transport } from '@kubeocean/shared/kube';
import { type Cluster, LOCAL } from './tutorial.ts';

/** Ends the script with 1 and says what to do where the clusters of the demo are not there. */
export function localClient(cluster: Cluster): KubeClient {
  const path = `${LOCAL}/${cluster}.kubeconfig`;
  if (!existsSync(path)) {
    console.error(`there is no file ${path}: run "npm run demo" first`);
    process.exit(1);
  }
  return new KubeClient(new Transport(kubeconfigFile(path, { trust: 'trusted' })));
}
