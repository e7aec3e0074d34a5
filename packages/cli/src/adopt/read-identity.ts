/** Reads what tells whether the worker cluster that was given is that of the binding. What cannot be read proves nothing. */
import { type ClusterBinding, KubeconfigKey, Namespace } from '@kubeocean/shared/api';
import {
  ConfigMaps,
  isNotFound,
  type KubeClient,
  type KubeObject,
  messageOf,
  Namespaces,
  parseKubeconfig,
  Secrets,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import type { Connection } from '../cluster.ts';
import { accountOf, type Evidence } from './identity.ts';

export async function readEvidence(home: Connection, worker: Connection, binding: ClusterBinding): Promise<Evidence> {
  const { namespace, name } = binding.spec.secretRef;
  const [access, kubeSystem, roots] = await Promise.all([
    readAccess(home.client, binding),
    orUndefined(worker.client.get<KubeObject>(Namespaces, '', Namespace.kubeSystem)),
    orUndefined(
      worker.client.get<KubeObject & { data?: Record<string, string> }>(
        ConfigMaps,
        Namespace.kubeSystem,
        'kube-root-ca.crt',
      ),
    ),
  ]);
  const account = await readAccount(worker.client, access);
  const uid = kubeSystem?.metadata.uid;
  const ca = roots?.data?.['ca.crt'];
  const knownUID = binding.status?.workerUID;
  return {
    secret: `${namespace}/${name}`,
    access,
    worker: {
      server: worker.server,
      ...(uid !== undefined && { uid }),
      ...(ca !== undefined && { ca }),
      ...(account && { account }),
    },
    ...(knownUID !== undefined && { knownUID }),
  };
}

async function readAccess(client: KubeClient, { spec }: ClusterBinding): Promise<Evidence['access']> {
  const { namespace, name } = spec.secretRef;
  try {
    const { data } = await client.get<KubeObject & { data?: Record<string, string> }>(Secrets, namespace, name);
    const text = Buffer.from(data?.[KubeconfigKey] ?? '', 'base64').toString('utf8');
    return parseKubeconfig(text, { trust: 'untrusted' });
  } catch (error) {
    return { problem: `the kubeconfig in Secret ${namespace}/${name} cannot be used: ${messageOf(error)}` };
  }
}

async function readAccount(
  client: KubeClient,
  access: Evidence['access'],
): Promise<Evidence['worker']['account'] | undefined> {
  const account = 'token' in access && access.token !== undefined ? accountOf(access.token) : undefined;
  if (!account) return undefined;
  try {
    const { metadata } = await client.get<KubeObject>(ServiceAccounts, account.namespace, account.name);
    return { uid: metadata.uid ?? '' };
  } catch (error) {
    return isNotFound(error) ? 'missing' : undefined;
  }
}

async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch {
    return undefined;
  }
}
