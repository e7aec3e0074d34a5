/** Who calls a vnode in a test: client certificates that the cluster's own signer made, tokens, and their rights. */
import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CertificateSigningRequests,
  ClusterRoleBindings,
  type KubeClient,
  type KubeObject,
  type Resource,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { run } from '../clusters/local/run.ts';
import { cleanup, ClusterRoles, kubectl, uniqueName, waitFor } from '../harness/index.ts';

/** What a caller shows; nothing at all is a caller, too. */
export interface Caller {
  cert?: string;
  key?: string;
  token?: string;
}

/** Creates an object that is deleted after the file. */
export async function make(on: KubeClient, resource: Resource, object: KubeObject): Promise<KubeObject> {
  const made = await on.create<KubeObject>(resource, object);
  const { namespace = '', name } = made.metadata;
  cleanup(() => on.delete(resource, namespace, name, { gracePeriodSeconds: 0 }).catch(() => undefined));
  return made;
}

/** A token of a ServiceAccount for the API server, or for another audience. */
export async function tokenOf(
  on: KubeClient,
  namespace: string,
  name: string,
  audiences?: readonly string[],
): Promise<string> {
  const answer = await on.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata: { namespace, name }, spec: { expirationSeconds: 3600, ...(audiences && { audiences }) } },
    { subresource: 'token' },
  );
  return answer.status.token;
}

/** A client certificate of the computing cluster's own signer. */
export async function clientCertificate(home: KubeClient, id: string, user: string): Promise<Caller> {
  const { key, file } = newKey();
  const csr = await run(['openssl', 'req', '-new', '-key', file, '-subj', `/CN=${user}`]);
  const name = uniqueName(`${id}-${user}`);
  await make(home, CertificateSigningRequests, {
    metadata: { name },
    spec: {
      request: Buffer.from(csr.stdout).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  });
  await kubectl('computing', ['certificate', 'approve', name]);
  const cert = await waitFor('a client certificate', async () => {
    const { status } = await home.get<KubeObject & { status?: { certificate?: string } }>(
      CertificateSigningRequests,
      '',
      name,
    );
    return status?.certificate;
  });
  return { cert: Buffer.from(cert, 'base64').toString(), key };
}

/** A private key as PEM, and in a file, which openssl needs. */
function newKey(): { key: string; file: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const file = join(tmpdir(), `${uniqueName('key')}.pem`);
  writeFileSync(file, key, { mode: 0o600 });
  cleanup(() => rmSync(file));
  return { key, file };
}

/** A certificate signed by `ca` (PEM files), or by itself; with the files it is in. */
export async function ownCertificate(
  subject: string,
  ca?: { certFile: string; keyFile: string },
): Promise<{ cert: string; key: string; certFile: string; keyFile: string }> {
  const { key, file } = newKey();
  const signer = ca ? ['-CA', ca.certFile, '-CAkey', ca.keyFile] : [];
  const command = ['openssl', 'req', '-x509', '-new', '-key', file, '-subj', subject, '-days', '1', ...signer];
  const { stdout: cert } = await run(command);
  const certFile = `${file}.crt`;
  writeFileSync(certFile, cert);
  cleanup(() => rmSync(certFile));
  return { cert, key, certFile, keyFile: file };
}

export interface Right {
  verbs: string[];
  resources: string[];
  /** On these alone. */
  resourceNames?: string[];
}

/** Who gets a right: a user by name, or a ServiceAccount. */
export type Grantee = string | { namespace: string; name: string };

/** Gives a right, for as long as the file runs. @returns the name of the ClusterRoleBinding. */
export async function grant(home: KubeClient, id: string, to: Grantee, right: Right): Promise<string> {
  const name = uniqueName(`${id}-${typeof to === 'string' ? to : to.name}`);
  await make(home, ClusterRoles, { metadata: { name }, rules: [{ apiGroups: [''], ...right }] });
  await make(home, ClusterRoleBindings, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [
      typeof to === 'string'
        ? { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: to }
        : { kind: 'ServiceAccount', ...to },
    ],
  });
  return name;
}
