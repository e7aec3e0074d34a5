/**
 * What the tests of the proxier stand on: kubectl → computing API server → proxier (from source, on this host) → worker
 * API server → kubelet → container. Binding, vnodes, home pods and their counterparts are made by hand; certificate,
 * rights and credentials are the product's own.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotation, ClusterBindings, Label, Namespace, proxierName, workerName } from '@kubeocean/shared/api';
import {
  CertificateSigningRequests,
  ClusterRoleBindings,
  ConfigMaps,
  type KubeClient,
  type KubeObject,
  Namespaces,
  Nodes,
  Pods,
  RoleBindings,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { run, type RunResult } from '../clusters/local/run.ts';
import {
  cleanup,
  client,
  kubeconfigOf,
  programPath,
  Roles,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';
import { type Answer, askAt, type AskOptions } from './ask.ts';
import { type Caller, clientCertificate, grant, type Grantee, make, type Right, tokenOf } from './callers.ts';
import { addressFacing, podSpec, vnodeObject } from './objects.ts';

export interface RigOptions {
  /** How many vnodes there are. Default 2. */
  vnodes?: number;
}

export interface PodOptions {
  /** Default: the first vnode. */
  vnode?: string;
  /** Default: {@link podSpec}. */
  spec?: Record<string, unknown>;
  /** Without a counterpart in the worker. */
  alone?: boolean;
}

export interface KubectlRun {
  input?: string;
  /** Path of another kubectl than the built one. */
  program?: string;
  env?: Record<string, string>;
}

export interface StartOptions {
  certificate?: 'csr' | 'self-signed' | 'secret';
  flags?: readonly string[];
  env?: Record<string, string>;
  /** Kubeconfig of the worker, instead of one of its own. */
  workerKubeconfig?: string;
}

export interface Rig {
  readonly home: KubeClient;
  readonly worker: KubeClient;
  /** Name of binding, cluster and home namespace; the mount namespace is `<id>-mount`. */
  readonly id: string;
  readonly mount: string;
  readonly bindingUID: string;
  readonly vnodes: readonly string[];
  readonly folder: string;
  /** Address of this host that both clusters reach. */
  readonly hostIP: string;
  /** CA of the computing cluster, which signs what `csr` asks for. */
  readonly clusterCa: string;
  portOf(vnode: string): number;
  workerNameOf(pod: string): string;
  makePod(name: string, options?: PodOptions): Promise<KubeObject>;
  /** Waits until every container of the counterpart runs, and says so at home as the syncer would. */
  running(name: string): Promise<void>;
  start(options?: StartOptions): Promise<RunningProcess>;
  /** Starts with a certificate of the cluster, approves it, waits until all vnodes are served. */
  serve(options?: StartOptions): Promise<RunningProcess>;
  approve(): Promise<KubeObject>;
  kubeconfigFor(on: KubeClient, namespace: string, account: string): Promise<string>;
  kubectl(args: readonly string[], options?: KubectlRun): Promise<RunResult>;
  ask(path: string, caller: Caller, options?: AskOptions & { vnode?: string; unverified?: boolean }): Promise<Answer>;
  certificate(user: string): Promise<Caller>;
  grant(to: Grantee, right: Right): Promise<string>;
  /** A user with a certificate and all rights on vnodes. */
  admin(): Promise<Caller>;
}

export async function makeRig(prefix: string, options: RigOptions = {}): Promise<Rig> {
  const home = client('computing');
  const worker = client('worker-1');
  const id = uniqueName(prefix);
  const mount = `${id}-mount`;
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-proxier-'));
  cleanup(() => rmSync(folder, { recursive: true }));
  const hostIP = addressFacing(home.transport.server);
  // Files may run beside each other.
  const firstPort = randomInt(16_000, 29_000);
  const ports = new Map(
    Array.from({ length: options.vnodes ?? 2 }, (_, i) => [`vnode-${id}-node${i + 1}`, firstPort + i]),
  );
  const vnodes = [...ports.keys()];
  const authentication = await home.get<KubeObject & { data: Record<string, string> }>(
    ConfigMaps,
    'kube-system',
    'extension-apiserver-authentication',
  );
  const clusterCa = authentication.data['client-ca-file'] as string;
  const [bindingUID] = await Promise.all([makeHome(), makeMountNamespace()]);
  const workerNameOf = (pod: string) => workerName(bindingUID, id, pod);

  async function makeHome(): Promise<string> {
    await make(home, Namespaces, { metadata: { name: id } });
    await waitFor('default ServiceAccount', () => home.get(ServiceAccounts, id, 'default'), { timeoutMs: 120_000 });
    const secretRef = { name: `${id}-missing`, namespace: Namespace.system };
    const binding = await make(home, ClusterBindings, {
      metadata: { name: id },
      spec: { clusterID: id, mountNamespace: mount, secretRef },
    });
    const uid = binding.metadata.uid as string;
    const account = proxierName(id);
    await make(home, ServiceAccounts, { metadata: { namespace: Namespace.system, name: account } });
    await make(home, ClusterRoleBindings, {
      metadata: { name: account },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'kubeocean-proxier' },
      subjects: [{ kind: 'ServiceAccount', namespace: Namespace.system, name: account }],
    });
    for (const [name, port] of ports)
      await make(home, Nodes, vnodeObject({ name, port, binding: { name: id, uid }, address: hostIP }));
    return uid;
  }

  async function makeMountNamespace(): Promise<void> {
    await make(worker, Namespaces, { metadata: { name: mount } });
    await waitFor('default ServiceAccount', () => worker.get(ServiceAccounts, mount, 'default'), {
      timeoutMs: 120_000,
    });
    await make(worker, ServiceAccounts, { metadata: { namespace: mount, name: 'kubeocean-syncer' } });
    // The chart's own Role, in a namespace of this test's.
    const { rules } = await worker.get<KubeObject>(Roles, Namespace.worker, 'kubeocean-syncer');
    await make(worker, Roles, { metadata: { namespace: mount, name: 'kubeocean-syncer' }, rules });
    await make(worker, RoleBindings, {
      metadata: { namespace: mount, name: 'kubeocean-syncer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'kubeocean-syncer' },
      subjects: [{ kind: 'ServiceAccount', namespace: mount, name: 'kubeocean-syncer' }],
    });
  }

  async function makePod(name: string, pod: PodOptions = {}): Promise<KubeObject> {
    const spec = pod.spec ?? podSpec();
    const made = await make(home, Pods, {
      metadata: { namespace: id, name },
      spec: { ...spec, nodeName: pod.vnode ?? vnodes[0] },
    });
    if (!pod.alone) {
      const annotations = { [Annotation.virtualPodUID]: made.metadata.uid as string };
      await make(worker, Pods, {
        metadata: { namespace: mount, name: workerNameOf(name), annotations },
        spec: { ...spec, nodeName: 'node1' },
      });
    }
    return made;
  }

  async function running(name: string): Promise<void> {
    await waitFor(
      `the counterpart of ${name} to run`,
      async () => {
        const { status } = await worker.get<KubeObject & { status?: { containerStatuses?: { ready: boolean }[] } }>(
          Pods,
          mount,
          workerNameOf(name),
        );
        return status?.containerStatuses?.every(({ ready }) => ready);
      },
      { timeoutMs: 180_000 },
    );
    await home.patch(Pods, id, name, { status: { phase: 'Running' } }, { subresource: 'status' });
  }

  /** A kubeconfig with a token of a ServiceAccount, as the charts and the manager give it to the proxier. */
  async function kubeconfigFor(on: KubeClient, namespace: string, account: string): Promise<string> {
    const ca = Buffer.from(on.transport.authority ?? '').toString('base64');
    const document = {
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: on.transport.server, 'certificate-authority-data': ca } }],
      users: [{ name: 'u', user: { token: await tokenOf(on, namespace, account) } }],
    };
    const path = join(folder, `${namespace}-${account}.kubeconfig`);
    writeFileSync(path, JSON.stringify(document), { mode: 0o600 });
    return path;
  }

  async function start(how: StartOptions = {}): Promise<RunningProcess> {
    const flags = how.flags ?? [];
    return startProcess(
      'proxier',
      [
        `--cluster-binding-name=${id}`,
        `--kubeconfig=${await kubeconfigFor(home, Namespace.system, proxierName(id))}`,
        `--worker-kubeconfig=${how.workerKubeconfig ?? (await kubeconfigFor(worker, mount, 'kubeocean-syncer'))}`,
        `--listen-address=${hostIP}`,
        `--serving-certificate=${how.certificate ?? 'csr'}`,
        ...(flags.some((flag) => flag.startsWith('--drain-seconds')) ? [] : ['--drain-seconds=1']),
        ...flags,
      ],
      { POD_NAME: `${proxierName(id)}-0`, POD_NAMESPACE: Namespace.system, POD_IP: hostIP, ...how.env },
    );
  }

  async function serve(how: StartOptions = {}): Promise<RunningProcess> {
    const proxier = await start(how);
    if ((how.certificate ?? 'csr') === 'csr') {
      await approve().catch((error: unknown) => {
        throw new Error(`${String(error)}\n${proxier.tail()}`, { cause: error });
      });
    }
    await proxier.waitReady(60_000);
    for (const vnode of vnodes) {
      await proxier.waitLog(
        `port of ${vnode}`,
        (line) => line.msg === 'vnode served' && line['vnode'] === vnode,
        60_000,
      );
    }
    return proxier;
  }

  /** What the manager does in the product. */
  async function approve(): Promise<KubeObject> {
    const request = await waitFor(
      'a certificate request of the proxier',
      async () => {
        const { items } = await home.list(CertificateSigningRequests, {
          labelSelector: `${Label.clusterBinding}=${id}`,
        });
        return items.find((item) => !(item['status'] as { certificate?: string }).certificate);
      },
      { timeoutMs: 120_000 },
    );
    cleanup(() => home.delete(CertificateSigningRequests, '', request.metadata.name).catch(() => undefined));
    await kubectl(['certificate', 'approve', request.metadata.name]);
    return request;
  }

  function kubectl(args: readonly string[], how: KubectlRun = {}): Promise<RunResult> {
    const program = how.program ?? programPath('kubectl');
    return run([program, '--kubeconfig', kubeconfigOf('computing'), '-n', id, ...args], {
      anyExit: true,
      env: { ...process.env, ...how.env },
      ...(how.input !== undefined && { input: how.input }),
    });
  }

  const portOf = (vnode: string) => ports.get(vnode) as number;
  return {
    home,
    worker,
    id,
    mount,
    bindingUID,
    vnodes,
    folder,
    hostIP,
    clusterCa,
    portOf,
    workerNameOf,
    makePod,
    running,
    start,
    serve,
    approve,
    kubeconfigFor,
    kubectl,
    ask(path, caller, { vnode = vnodes[0] as string, unverified, ...how } = {}) {
      return askAt({ host: hostIP, port: portOf(vnode), ca: unverified ? undefined : clusterCa }, path, caller, how);
    },
    certificate: (user) => clientCertificate(home, id, user),
    grant: (to, right) => grant(home, id, to, right),
    async admin() {
      const resources = ['nodes/proxy', 'nodes/pods', 'nodes/healthz', 'nodes/metrics'];
      await grant(home, id, 'admin', { verbs: ['*'], resources });
      return clientCertificate(home, id, 'admin');
    },
  };
}
