/** Certificates of one cluster, made with the openssl command: a CA, a second one for the aggregation layer, and all that they sign. */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ClusterPlan } from './plan.ts';
import { run } from './run.ts';

export interface CertificateRequest {
  /** File name without ending. */
  name: string;
  commonName: string;
  organization?: string;
  use: 'ca' | 'server' | 'client';
  /** Without one it signs itself. */
  signer?: 'ca' | 'front-proxy-ca';
  /** Subject alternative names in openssl's words: `IP:10.0.0.1`, `DNS:kubernetes`. */
  names?: string[];
}

/** The openssl configuration for a request. */
export function opensslConfig(request: CertificateRequest): string {
  const usage =
    request.use === 'ca'
      ? ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature']
      : [
          'basicConstraints=critical,CA:FALSE',
          'keyUsage=critical,digitalSignature,keyEncipherment',
          `extendedKeyUsage=${request.use}Auth`,
        ];
  const names = request.names?.length ? [`subjectAltName=${request.names.join(',')}`] : [];
  const subject = [...(request.organization ? [`O=${request.organization}`] : []), `CN=${request.commonName}`];
  return [
    ['[req]', 'prompt=no', 'distinguished_name=subject', 'x509_extensions=extensions'],
    ['[subject]', ...subject],
    ['[extensions]', ...usage, 'subjectKeyIdentifier=hash', ...names],
  ]
    .map((section) => section.join('\n'))
    .join('\n')
    .concat('\n');
}

async function issue(folder: string, request: CertificateRequest): Promise<void> {
  const path = (name: string, ending: string): string => join(folder, `${name}.${ending}`);
  if (existsSync(path(request.name, 'crt'))) return;
  const config = path(request.name, 'cnf');
  writeFileSync(config, opensslConfig(request));
  const fresh = { key: path(request.name, 'key.new'), crt: path(request.name, 'crt.new') };
  const signer = request.signer ? ['-CA', path(request.signer, 'crt'), '-CAkey', path(request.signer, 'key')] : [];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '3650'];
  await run([
    'openssl',
    'req',
    '-x509',
    '-config',
    config,
    ...kind,
    ...signer,
    '-keyout',
    fresh.key,
    '-out',
    fresh.crt,
  ]);
  // The certificate last: it says that the pair is whole.
  renameSync(fresh.key, path(request.name, 'key'));
  renameSync(fresh.crt, path(request.name, 'crt'));
}

function requests(cluster: ClusterPlan): CertificateRequest[] {
  const client = (name: string, commonName: string, organization?: string): CertificateRequest => ({
    name,
    commonName,
    ...(organization ? { organization } : {}),
    use: 'client',
    signer: 'ca',
  });
  const addresses = [
    cluster.address,
    cluster.kubernetesService,
    '127.0.0.1',
    ...(cluster.loadBalancer ? [cluster.loadBalancer] : []),
  ];
  const kubernetes = ['', '.default', '.default.svc', '.default.svc.cluster.local'].map(
    (end) => `DNS:kubernetes${end}`,
  );
  return [
    {
      name: 'apiserver',
      commonName: 'kube-apiserver',
      use: 'server',
      signer: 'ca',
      names: [...addresses.map((address) => `IP:${address}`), ...kubernetes, 'DNS:localhost'],
    },
    // Not system:masters: the rights on nodes/* come from a binding, so that a kubelet's own checks are really asked.
    client('apiserver-kubelet-client', 'kube-apiserver-kubelet-client'),
    { name: 'front-proxy-client', commonName: 'front-proxy-client', use: 'client', signer: 'front-proxy-ca' },
    client('admin', 'kubernetes-admin', 'system:masters'),
    client('controller-manager', 'system:kube-controller-manager'),
    client('scheduler', 'system:kube-scheduler'),
    client('kube-proxy', 'system:kube-proxy'),
    client('coredns', 'coredns'),
    ...cluster.nodes.flatMap((node): CertificateRequest[] => [
      client(`kubelet-${node.name}`, `system:node:${node.name}`, 'system:nodes'),
      {
        name: `kubelet-${node.name}-serving`,
        commonName: `system:node:${node.name}`,
        organization: 'system:nodes',
        use: 'server',
        signer: 'ca',
        names: [`IP:${node.address}`, `DNS:${node.name}`],
      },
    ]),
  ];
}

/** Makes every certificate of the cluster that is missing in `folder`; those that are there stay. */
export async function ensureCertificates(cluster: ClusterPlan, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await issue(folder, { name: 'ca', commonName: `${cluster.name} CA`, use: 'ca' });
  await issue(folder, { name: 'front-proxy-ca', commonName: `${cluster.name} front proxy CA`, use: 'ca' });
  if (!existsSync(join(folder, 'sa.key'))) {
    const key = join(folder, 'sa.key.new');
    await run(['openssl', 'genrsa', '-out', key, '2048']);
    await run(['openssl', 'rsa', '-in', key, '-pubout', '-out', join(folder, 'sa.pub')]);
    renameSync(key, join(folder, 'sa.key'));
  }
  await Promise.all(requests(cluster).map((request) => issue(folder, request)));
}

/** A self-contained kubeconfig for the holder of a client certificate. */
export function kubeconfig(cluster: ClusterPlan, folder: string, certificate: string): string {
  const data = (file: string): string => readFileSync(join(folder, file)).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
- name: ${cluster.name}
  cluster:
    server: ${cluster.apiServer}
    certificate-authority-data: ${data('ca.crt')}
users:
- name: ${cluster.name}-${certificate}
  user:
    client-certificate-data: ${data(`${certificate}.crt`)}
    client-key-data: ${data(`${certificate}.key`)}
contexts:
- name: ${cluster.name}
  context:
    cluster: ${cluster.name}
    user: ${cluster.name}-${certificate}
current-context: ${cluster.name}
`;
}
