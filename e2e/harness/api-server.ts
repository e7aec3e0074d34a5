/**
 * An API server of a test's own: a real etcd and a real kube-apiserver on loopback, nothing else. It is ready in some
 * three seconds, can be stopped, killed, restarted and compacted, and takes any flag.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  fixedCredentials,
  KubeClient,
  Namespaces,
  parseKubeconfig,
  Transport,
  type TransportOptions,
} from '@kubeocean/shared/kube';
import { ensureCertificates, kubeconfig as kubeconfigText } from '../clusters/local/pki.ts';
import { type ClusterPlan, planSet } from '../clusters/local/plan.ts';
import { stateRoot } from '../clusters/paths.ts';
import { ensureProgram } from '../clusters/programs.ts';
import { type Child, startChild } from './child.ts';
import { cleanup } from './cleanup.ts';
import { freePorts } from './ports.ts';
import { waitFor } from './wait.ts';

export interface ApiServerOptions {
  /** More flags of kube-apiserver; they win over the ones given here. */
  flags?: string[];
}

export interface ApiServer {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Folder of certificates and data, removed at the end. */
  readonly folder: string;
  /** A client with all rights, on connections of its own. */
  client(options?: TransportOptions): KubeClient;
  /** Kubeconfig text of the administrator for another port of this host: a {@link Link}. */
  kubeconfigVia(port: number): string;
  /** A kubeconfig text with a bearer token, or whatever else `user` says, instead of the administrator's certificate. */
  kubeconfigFor(user: Record<string, string>): string;
  /** Starts what does not run, and waits until it is ready. */
  start(flags?: string[]): Promise<void>;
  /** Ends kube-apiserver; etcd goes on. `KILL` takes it down without a word. */
  stop(how?: 'TERM' | 'KILL'): Promise<void>;
  /** stop and start. */
  restart(flags?: string[]): Promise<void>;
  /** Makes etcd forget everything before now: watches from older revisions are answered 410. Gives the revision. */
  compact(): Promise<string>;
  /** Saves etcd's data and puts it back, as restoring a backup does. kube-apiserver must be stopped for both. */
  snapshot(): Promise<() => Promise<void>>;
  /** kube-apiserver's last log lines. */
  log(lines?: number): string;
}

/** Starts one; it is ended and removed after the test file. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-apiserver-'));
  const certificates = join(folder, 'certificates');
  const [port, etcdPort, peerPort] = (await freePorts(3)) as [number, number, number];
  const url = `https://127.0.0.1:${port}`;
  const plan: ClusterPlan = {
    ...(planSet(0, { workers: 1, nodes: 1, hollow: 0 }).clusters[0] as ClusterPlan),
    name: 'own',
    nodes: [],
    address: '127.0.0.1',
    apiServer: url,
    loadBalancer: undefined,
  };
  const [program] = await Promise.all([
    ensureProgram('kubernetes', stateRoot(), (line) => process.stderr.write(`${line}\n`)),
    ensureCertificates(plan, certificates),
  ]);
  const kubeconfig = join(folder, 'kubeconfig');
  const adminText = kubeconfigText(plan, certificates, 'admin');
  writeFileSync(kubeconfig, adminText, { mode: 0o600 });
  const access = parseKubeconfig(adminText, { trust: 'trusted' });
  let etcd: Child | undefined;
  let apiServer: Child | undefined;
  let flags = options.flags ?? [];
  const transports: Transport[] = [];
  const probe = newClient();

  function newClient(transportOptions: TransportOptions = {}): KubeClient {
    const transport = new Transport(fixedCredentials(access), { userAgent: 'kubeocean-e2e', ...transportOptions });
    transports.push(transport);
    return new KubeClient(transport);
  }

  async function startEtcd(): Promise<void> {
    if (etcd && etcd.exit === undefined) return;
    etcd = startChild([
      program,
      'etcd',
      `--data-dir=${folder}/etcd`,
      `--listen-client-urls=http://127.0.0.1:${etcdPort}`,
      `--advertise-client-urls=http://127.0.0.1:${etcdPort}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ]);
  }

  async function start(newFlags?: string[]): Promise<void> {
    if (newFlags) flags = newFlags;
    await startEtcd();
    if (!apiServer || apiServer.exit !== undefined) {
      apiServer = startChild([program, 'kube-apiserver', ...apiServerFlags(certificates, port, etcdPort), ...flags]);
    }
    await waitFor(
      'kube-apiserver ready',
      async () => {
        const dead = [etcd, apiServer].find((child) => child?.exit !== undefined);
        if (dead) return 'ended';
        // Ready means, among other things, that the roles of RBAC have been made.
        (await probe.transport.stream({ method: 'GET', path: '/readyz', retry: false })).resume();
        await probe.get(Namespaces, '', 'default', { retry: false });
        return 'ready';
      },
      { timeoutMs: 180_000 },
    ).then((state) => {
      if (state === 'ended')
        throw new Error(`kube-apiserver or etcd ended:\n${log()}\n${etcd?.lines.slice(-5).join('\n')}`);
    });
  }

  async function stop(how: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    if (how === 'KILL') await apiServer?.kill();
    // It would wait a minute for watches to end, which hold their connections; their clients see the same either way.
    else await apiServer?.stop(2000);
  }

  function log(count = 20): string {
    return apiServer?.lines.slice(-count).join('\n') ?? '';
  }

  /** etcd's own API as JSON, by its gRPC gateway. */
  async function etcdCall(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${etcdPort}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async function compact(): Promise<string> {
    const status = await etcdCall('maintenance/status', {});
    const { revision } = status['header'] as { revision: string };
    await etcdCall('kv/compaction', { revision, physical: true });
    return revision;
  }

  async function snapshot(): Promise<() => Promise<void>> {
    const saved = join(folder, 'etcd.saved');
    await etcd?.stop();
    rmSync(saved, { recursive: true, force: true });
    cpSync(join(folder, 'etcd'), saved, { recursive: true });
    return async () => {
      await etcd?.stop();
      rmSync(join(folder, 'etcd'), { recursive: true, force: true });
      cpSync(saved, join(folder, 'etcd'), { recursive: true });
    };
  }

  function kubeconfigFor(user: Record<string, string>): string {
    const document = {
      'current-context': 'own',
      clusters: [
        {
          name: 'own',
          cluster: { server: url, 'certificate-authority-data': Buffer.from(access.ca ?? '').toString('base64') },
        },
      ],
      users: [{ name: 'own', user }],
      contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
    };
    return JSON.stringify(document);
  }

  cleanup(async () => {
    for (const transport of transports) transport.close();
    await apiServer?.kill();
    await etcd?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return {
    url,
    port,
    kubeconfig,
    folder,
    client: newClient,
    kubeconfigVia: (other) => adminText.replace(url, `https://127.0.0.1:${other}`),
    kubeconfigFor,
    start,
    stop,
    async restart(newFlags) {
      await stop();
      await start(newFlags);
    },
    compact,
    snapshot,
    log,
  };
}

function apiServerFlags(certificates: string, port: number, etcdPort: number): string[] {
  const file = (name: string) => {
    const path = join(certificates, name);
    if (!existsSync(path)) throw new Error(`${path} was not made`);
    return path;
  };
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--secure-port=${port}`,
    `--tls-cert-file=${file('apiserver.crt')}`,
    `--tls-private-key-file=${file('apiserver.key')}`,
    `--client-ca-file=${file('ca.crt')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file('sa.pub')}`,
    `--service-account-signing-key-file=${file('sa.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--authorization-mode=RBAC',
    // No controller-manager makes the ServiceAccount `default` here, and pods shall be accepted all the same.
    '--disable-admission-plugins=ServiceAccount',
    '--etcd-compaction-interval=0',
    '--shutdown-delay-duration=0s',
    // Tests make thousands of objects; fairness between clients is not what they are about.
    '--max-requests-inflight=3000',
    '--max-mutating-requests-inflight=3000',
  ];
}
