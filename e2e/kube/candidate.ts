/** A process that leads as soon as it can and until it is ended: `candidate.ts <kubeconfig> <namespace> <lease>`. */
import { KubeClient, kubeconfigFile, runAsLeader, Transport } from '@kubeocean/shared/kube';

const [kubeconfig = '', namespace = '', name = ''] = process.argv.slice(2);
const client = new KubeClient(new Transport(kubeconfigFile(kubeconfig, { trust: 'trusted' })));
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

await runAsLeader(client, { namespace, name, identity: `process-${process.pid}` }, stop.signal, async ({ signal }) => {
  console.log('leading');
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve());
  await promise;
});
client.transport.close();
