/** Connections to the two clusters, with a person's own kubeconfig. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeClient, kubeconfigFile, messageOf, Transport } from '@kubeocean/shared/kube';
import { Failure } from './failure.ts';

export interface Connection {
  client: KubeClient;
  /** URL of the API server. */
  server: string;
  /** Of the kubeconfig's context. */
  namespace?: string;
  close: () => void;
}

/** The kubeconfig that kubectl would begin with; undefined when there is none. */
export function defaultKubeconfig(env: NodeJS.ProcessEnv): string | undefined {
  const [first] = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (first !== undefined) return first;
  const path = join(env['HOME'] ?? homedir(), '.kube', 'config');
  return existsSync(path) ? path : undefined;
}

/**
 * @param whose names the cluster in messages: `computing` or `worker`
 * @throws Failure when the file cannot be used
 */
export function connect(path: string, whose: string): Connection {
  try {
    const credentials = kubeconfigFile(path, { trust: 'trusted' });
    const { namespace } = credentials.current();
    const transport = new Transport(credentials, { userAgent: 'kubeocean-cli' });
    return {
      client: new KubeClient(transport),
      server: transport.server,
      close: () => transport.close(),
      ...(namespace && { namespace }),
    };
  } catch (error) {
    throw new Failure(`kubeconfig of the ${whose} cluster, ${path}: ${messageOf(error)}`, { cause: error });
  }
}
