/** Puts the parts of the proxier together and runs them until the process is told to stop. */
import { X509Certificate } from 'node:crypto';
import { type ClusterBinding, ClusterBindings, Label, labelValue } from '@kubeocean/shared/api';
import { type Daemon, type Logger, logWatch, VERSION } from '@kubeocean/shared/daemon';
import {
  createNews,
  createReflector,
  credentialsFor,
  isNotFound,
  type KubeClient,
  type KubeObject,
  messageOf,
  Nodes,
  type Reflector,
  sleep,
  workerCredentials,
} from '@kubeocean/shared/kube';
import { createAuthenticator } from './auth/authenticate.ts';
import { createAuthorizer } from './auth/authorize.ts';
import { watchClientCa } from './auth/client-ca.ts';
import { createGate } from './kubelet/gate.ts';
import { createHandlers } from './kubelet/handlers.ts';
import { createListeners, type Listeners, planPorts, portsProblem, saysAlike } from './kubelet/listeners.ts';
import type { BindingIdentity } from './kubelet/pods.ts';
import { createPodWatch } from './kubelet/pod-watch.ts';
import { createSessions, type Sessions } from './kubelet/sessions.ts';
import { createTlsServer, type TlsServer } from './kubelet/tls-server.ts';
import { askForLife, createWorkerWatch } from './kubelet/worker-watch.ts';
import type { OPTIONS } from './options.ts';
import { createStats } from './stats/index.ts';
import { type CertificateSource, mounted, selfSigned, signedByCluster } from './tls/certificates.ts';
import { expiryMetric } from './tls/expiry.ts';

type ProxierDaemon = Daemon<typeof OPTIONS>;

/** How often it is checked that the binding is still the one we began with. */
const BINDING_CHECK_MS = 60_000;
/** While vnodes name this replica it goes on answering, but no longer than this: perhaps nobody can take them over. */
const HANDOVER_MS = 15_000;
/** How long after that a request may still come from an API server that read the Node just before. */
const LATECOMERS_MS = 2_000;

/** @throws Error when the binding is another one by now. */
export async function runProxier(daemon: ProxierDaemon): Promise<void> {
  const { log, options, registry, signal } = daemon;
  let draining = false;
  let starting: string | undefined = 'the binding has not been read yet';
  daemon.ready['binding'] = () => starting;
  daemon.ready['draining'] = () => (draining ? 'stopping' : undefined);
  signal.addEventListener('abort', () => (draining = true), { once: true });

  const home = daemon.connect(credentialsFor(options.kubeconfig), 'computing');
  const worker = daemon.connect(
    workerCredentials(options['worker-kubeconfig'], (error) =>
      log.warn({ error: error.message }, 'worker kubeconfig cannot be used; the last one stays'),
    ),
    'worker',
  );
  const binding = await readBinding(home, options['cluster-binding-name'], daemon).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (!binding) return;
  log.info({ binding: binding.name, clusterID: binding.clusterID }, 'serving the vnodes of the binding');
  starting = undefined;

  const podWatch = createPodWatch(home, {
    onError: (error, vnode) => log.warn({ vnode, error: messageOf(error) }, 'cannot watch the pods of a vnode'),
  });
  const sessions = createSessions({
    total: options['session-limit'],
    perVnode: options['session-limit-per-vnode'],
    idleSeconds: options['session-idle-seconds'],
    maxSeconds: options['session-max-seconds'],
    watchPod: podWatch.watch,
    watchWorker: createWorkerWatch({ ask: () => askForLife(worker.transport) }).watch,
    log,
    registry,
  });
  const authenticate = createAuthenticator(home, () => new Date());
  const gate = createGate({
    trusted: () => server.hasClientCa,
    // A connection that an older client CA vouched for proves nothing any more.
    authenticate: (request) => (server.isCurrent(request.socket) ? authenticate(request) : Promise.resolve(undefined)),
    authorize: createAuthorizer(home),
    vnodeOf: (port) => listeners.vnodeOf(port),
  });
  const clusters = { home, worker, binding };
  const stats = createStats(
    clusters,
    () => new Date(),
    (vnode) => nodes.store.get(vnode),
  );
  const userAgent = `kubeocean-proxier/${VERSION}`;
  const handlers = createHandlers({ clusters, gate, sessions, stats, log, registry, userAgent });
  const server = createTlsServer(handlers);
  const listeners = createListeners({
    address: options['listen-address'],
    accept: (socket) => server.accept(socket),
    onGone(vnode) {
      sessions.killVnode(vnode, 'the vnode is gone');
      stats.forget(vnode);
    },
    log,
  });

  // Everything but the sessions stops when draining is over, not before.
  const stop = new AbortController();
  const nodes = reflectVnodes(home, binding, log);
  const serving = serve(daemon, { home, binding, server, listeners, nodes, stop: stop.signal });
  try {
    await Promise.race([serving, watchBinding(home, binding, daemon)]);
    const ownAddress = process.env['POD_IP'];
    const named = () => [...nodes.store.values()].some((node) => addressesOf(node).includes(ownAddress));
    await drain(sessions, named, options['drain-seconds'], daemon);
  } finally {
    stop.abort();
    listeners.close();
    sessions.killAll('the proxier stopped');
    // Each still writes its audit line.
    await Promise.race([sessions.empty(), sleep(1_000)]);
    server.close();
    podWatch.close();
  }
}

interface Serving {
  home: KubeClient;
  binding: BindingIdentity;
  server: TlsServer;
  listeners: Listeners;
  nodes: Reflector<KubeObject>;
  stop: AbortSignal;
}

function reflectVnodes(home: KubeClient, binding: BindingIdentity, log: Logger): Reflector<KubeObject> {
  return createReflector(home, {
    resource: Nodes,
    labelSelector: `${Label.clusterBinding}=${labelValue(binding.name)}`,
    project: (node) => {
      const { name, uid, resourceVersion, labels, creationTimestamp } = node.metadata;
      const { addresses, capacity } = (node['status'] ?? {}) as VnodeStatus;
      const { providerID } = (node['spec'] ?? {}) as { providerID?: string };
      const status = { addresses, capacity: { memory: capacity?.memory } };
      return { metadata: { name, uid, resourceVersion, labels, creationTimestamp }, spec: { providerID }, status };
    },
    onError: logWatch(log, {}, 'vnodes cannot be listed or watched'),
  });
}

interface VnodeStatus {
  addresses?: { address?: string }[];
  capacity?: { memory?: string };
}

function addressesOf(node: KubeObject): (string | undefined)[] {
  return ((node['status'] as VnodeStatus | undefined)?.addresses ?? []).map(({ address }) => address);
}

/** Keeps certificate, client CA and ports up to date. Never resolves; ends with `stop`. */
function serve(daemon: ProxierDaemon, { home, binding, server, listeners, nodes, stop }: Serving): Promise<never> {
  const { log } = daemon;
  daemon.ready['certificate'] = () => (server.hasCertificate ? undefined : 'no serving certificate yet');
  daemon.ready['client-ca'] = () => (server.hasClientCa ? undefined : 'the client CA of the cluster is not known');
  daemon.ready['serving'] = () => (server.isServing ? undefined : 'no connections are taken');
  daemon.ready['ports'] = () => portsProblem(listeners);
  daemon.ready['vnodes'] = () => (nodes.store.hasSynced ? undefined : 'the vnodes have not been listed yet');

  let told = '';
  const plan = () => {
    if (!nodes.store.hasSynced || !server.isServing) return;
    const { ports, refused } = planPorts(nodes.store.values(), binding.uid);
    listeners.want(ports);
    if (JSON.stringify(refused) === told) return;
    told = JSON.stringify(refused);
    for (const { vnode, why } of refused) log.error({ vnode, why }, 'vnode is not served');
  };
  let planned: NodeJS.Immediate | undefined;
  nodes.store.onChange(({ previous, current }) => {
    if (saysAlike(previous, current)) return;
    // Once for all that come or go together: each plan goes over all vnodes.
    planned ??= setImmediate(() => {
      planned = undefined;
      if (!stop.aborted) plan();
    });
  });
  void nodes.store.synced.then(plan);
  void nodes.run(stop);
  watchClientCa(
    home,
    stop,
    (ca) => {
      if (ca === undefined) log.error('the client CA of the cluster is gone: nobody is served');
      try {
        server.setClientCa(ca);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'client CA of the cluster cannot be used; the last one stays');
      }
      plan();
    },
    logWatch(log, {}, 'cannot read extension-apiserver-authentication'),
  );
  const expiry = expiryMetric(daemon.registry);
  const { promise, reject } = Promise.withResolvers<never>();
  certificateSource(
    daemon,
    home,
    binding,
  )((certificate) => {
    const { validTo, validToDate, fingerprint256 } = new X509Certificate(certificate.cert);
    server.setCertificate(certificate);
    log.info({ validTo, fingerprint: fingerprint256 }, 'serving certificate taken into use');
    expiry(validToDate);
    plan();
  }, stop).catch((error: unknown) => {
    if (!stop.aborted) reject(error);
  });
  return promise;
}

function certificateSource(daemon: ProxierDaemon, home: KubeClient, binding: BindingIdentity): CertificateSource {
  const { options, log } = daemon;
  const onError = (error: Error) => log.error({ error: error.message }, 'serving certificate');
  const kind = options['serving-certificate'];
  if (kind === 'secret') return mounted({ folder: options['serving-certificate-secret-dir'], onError });
  const podIP = process.env['POD_IP'];
  if (!podIP) {
    throw new Error(`POD_IP is not set: --serving-certificate=${kind} needs the address that vnodes are reached at`);
  }
  const common = {
    clusterID: binding.clusterID,
    bindingName: binding.name,
    podName: daemon.instance,
    podIP,
    now: () => new Date(),
    onError,
  };
  return kind === 'csr' ? signedByCluster(home, common) : selfSigned(common);
}

async function readBinding(home: KubeClient, name: string, daemon: ProxierDaemon): Promise<BindingIdentity> {
  const isNews = createNews();
  for (;;) {
    try {
      const { metadata, spec } = await home.get<ClusterBinding>(ClusterBindings, '', name, { signal: daemon.signal });
      const { clusterID, mountNamespace } = spec;
      return { name, uid: metadata.uid as string, clusterID, mountNamespace };
    } catch (error) {
      daemon.signal.throwIfAborted();
      const cause = messageOf(error);
      if (isNews(cause)) daemon.log.error({ binding: name, error: cause }, 'cannot read the ClusterBinding');
      await sleep(5_000, daemon.signal);
    }
  }
}

/** Resolves when the process is told to stop. @throws Error when the binding is gone or was made anew. */
async function watchBinding(home: KubeClient, binding: BindingIdentity, { signal, log }: ProxierDaemon): Promise<void> {
  for (;;) {
    await sleep(BINDING_CHECK_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    const uid = await home.get(ClusterBindings, '', binding.name, { signal }).then(
      ({ metadata }) => metadata.uid,
      (error: unknown) => {
        if (isNotFound(error)) return undefined;
        if (!signal.aborted) log.warn({ error: messageOf(error) }, 'cannot read the ClusterBinding');
        return binding.uid;
      },
    );
    if (uid !== binding.uid) {
      throw new Error(`ClusterBinding ${binding.name} is gone or was made anew: starting over`);
    }
  }
}

/**
 * Lets open sessions go on for a while; new ones still come until the vnodes name another replica.
 * @param named whether a vnode still names this one.
 */
async function drain(sessions: Sessions, named: () => boolean, seconds: number, { log }: ProxierDaemon): Promise<void> {
  log.info({ sessions: sessions.size, seconds }, 'draining');
  const deadline = AbortSignal.timeout(seconds * 1000);
  const wait = (ms: number) => sleep(ms, deadline).catch(() => undefined);
  for (let waited = 0; named() && waited < HANDOVER_MS && !deadline.aborted; waited += 250) await wait(250);
  await wait(LATECOMERS_MS);
  while (sessions.size > 0 && !deadline.aborted) {
    const over = Promise.withResolvers<void>();
    deadline.addEventListener('abort', () => over.resolve(), { once: true });
    await Promise.race([sessions.empty(), over.promise]);
  }
  if (sessions.size > 0) log.warn({ sessions: sessions.size }, 'ending sessions that are still open');
}
