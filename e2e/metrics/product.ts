/** The product as pods, with a binding, a policy and a load of the test's own; and a real metrics-server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentTokenHeader } from '@kubeocean/shared/api';
import { ApiError, type KubeClient, type KubeObject, Nodes, ServiceAccounts } from '@kubeocean/shared/kube';
import { proxiedStatsPath } from '@kubeocean/shared/stats';
import { buildImageTar, ensureProgram, importImages, stateRoot } from '../clusters/index.ts';
import { checkout } from '../clusters/paths.ts';
import { client, type ClusterName, kubectl, uniqueName } from '../harness/index.ts';
import type { Address } from '../proxier/ask.ts';
import { grant, make, type Right, tokenOf } from '../proxier/callers.ts';

export const METRICS_SERVER = join(checkout, 'e2e/programs/tools/metrics-server.yaml');

/** kubectl's output. @throws Error in its own words when it fails. */
export async function ok(cluster: ClusterName, args: string[], input?: object): Promise<string> {
  return (await kubectl(cluster, args, input && { input: JSON.stringify(input) })).stdout;
}

/** Puts metrics-server into the nodes' images, building it first when it is not there. */
export async function importMetricsServer(folder: string): Promise<void> {
  const program = await ensureProgram('metrics-server', stateRoot(), (line) => console.log(line));
  const archive = join(folder, 'metrics-server.tar');
  const image = buildImageTar({
    name: 'kubeocean.local/metrics-server:1',
    files: [{ path: '/metrics-server', source: program }],
    entrypoint: ['/metrics-server'],
  });
  writeFileSync(archive, image);
  await importImages([archive]);
}

/** A Deployment whose pods compute without end, within what they are allowed. */
export async function startLoad(id: string, name: string, nodeName: string): Promise<void> {
  const labels = { app: name };
  await ok('computing', ['-n', id, 'create', '-f', '-'], {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          nodeName,
          tolerations: [{ operator: 'Exists' }],
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'main',
              image: 'busybox:1.35',
              command: ['sh', '-c', 'echo busy; while true; do :; done'],
              resources: { requests: { cpu: '20m', memory: '8Mi' }, limits: { cpu: '100m' } },
            },
          ],
        },
      },
    },
  });
  await ok('computing', ['-n', id, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
}

/** A token of a new ServiceAccount in namespace `id` with these rights in the whole cluster. They go with the file. */
export async function tokenWith(id: string, rights: Right[]): Promise<string> {
  const name = uniqueName('account');
  const home = client('computing');
  await make(home, ServiceAccounts, { metadata: { namespace: id, name } });
  for (const right of rights) await grant(home, id, { namespace: id, name }, right);
  return tokenOf(home, id, name);
}

interface VnodeObject extends KubeObject {
  status: { addresses: { type: string; address: string }[]; daemonEndpoints: { kubeletEndpoint: { Port: number } } };
}

/** Where a vnode's own port is, for scrapers that ask it themselves and verify its certificate. */
export async function addressOf(home: KubeClient, vnode: string): Promise<Address> {
  const { addresses, daemonEndpoints } = (await home.get<VnodeObject>(Nodes, '', vnode)).status;
  const host = addresses.find(({ type }) => type === 'InternalIP')?.address ?? '';
  return { host, port: daemonEndpoints.kubeletEndpoint.Port, ca: String(home.transport.authority) };
}

/** Asks a worker's agent for the figures of a node, as a tenant does. */
export async function askAgent(
  worker: KubeClient,
  token: string | undefined,
  node = 'node1',
): Promise<{ code: number; text: string }> {
  const headers = { accept: '*/*', ...(token !== undefined && { [AgentTokenHeader]: token }) };
  try {
    const path = proxiedStatsPath(node, 'metrics/resource');
    const response = await worker.transport.stream({ method: 'GET', path, headers });
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
    return { code: response.statusCode ?? 0, text: body };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { code: error.code, text: error.message };
  }
}
