/**
 * A computing and a worker cluster with nothing made by hand between them: a real agent whose time of day the test sets,
 * a real syncer that goes by the true time (so the two clocks differ by hours), and home pods that real kubelets run.
 */
import {
  Annotation,
  type ClusterBinding,
  ClusterBindings,
  Label,
  type ResourceLeasingPolicySpec,
  type Taint,
  vnodeName,
} from '@kubeocean/shared/api';
import {
  type Condition,
  isNotFound,
  type KubeObject,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import {
  cleanup,
  client,
  forgetBinding,
  kubeconfigOf,
  type RunningProcess,
  startProcess,
  toldOn,
  uniqueName,
  waitFor,
} from '../harness/index.ts';
import { Budgets, Rig } from '../worker-agent/rig.ts';

export interface HomePod extends KubeObject {
  spec: { nodeName?: string };
  status?: { phase?: string; reason?: string; message?: string; conditions?: Condition[] };
}

export interface Vnode extends KubeObject {
  spec: { taints?: Taint[] };
}

function apps(plural: string, kind: string, group = 'apps'): Resource {
  return { group, version: 'v1', plural, kind, namespaced: true };
}
export const Deployments = apps('deployments', 'Deployment');
export const Jobs = apps('jobs', 'Job', 'batch');

/** Ends with exit code 0 when it is told to end: as far as its exit code says, it did its work. */
export const OBEYS = 'trap "exit 0" TERM; sleep 1000000 & wait';
/** A finalizer by which a test sees a home pod that was deleted as it was at its end. */
export const KEEP = 'kubeocean.test/keep';
/** Windows from 08:00 until 20:00. */
export const DAYS: Partial<ResourceLeasingPolicySpec> = { timeWindows: [{ start: '08:00', end: '19:59' }] };
export const FORCED = { ...DAYS, forceReclaim: true, gracefulReclaimPeriodSeconds: 60 };
export const AGENT_FLAGS = ['--reclaim-deadline=600', '--notice-seconds=300'];

const SLOW = { timeoutMs: 90_000, everyMs: 200 };

export class ClosingRig {
  readonly worker = new Rig('worker-1');
  readonly home = client('computing');
  /** Namespace of the home pods. */
  readonly ns = uniqueName('closing');
  readonly clusterID = uniqueName('c');
  syncer!: RunningProcess;
  nodes: string[] = [];
  /** Days begun by {@link beginDay}. */
  days = 0;

  /** Name of the binding, and of the mount namespace. */
  get binding(): string {
    return this.worker.name;
  }

  async setUp(policy: Partial<ResourceLeasingPolicySpec>): Promise<void> {
    const { worker, home, ns, binding, clusterID } = this;
    this.nodes = (await worker.client.list(Nodes)).items.map(({ metadata }) => metadata.name);
    await worker.setUp({ claim: false });
    this.clock('12:00:00');
    await worker.setPolicy(policy);
    await home.create(Namespaces, { metadata: { name: ns } });
    cleanup(() => this.tearDown());
    const secretRef = { name: 'none', namespace: 'kubeocean-system' };
    const spec = { clusterID, mountNamespace: binding, secretRef };
    await home.create<ClusterBinding>(ClusterBindings, { metadata: { name: binding }, spec });
    await Promise.all([this.startAgent(), this.startSyncer()]);
    await waitFor('default ServiceAccount', () => home.get(ServiceAccounts, ns, 'default'));
    for (const node of this.nodes) await waitFor(`vnode of ${node}`, () => this.vnode(node), SLOW);
  }

  startAgent(): Promise<RunningProcess> {
    return this.worker.startAgent(...AGENT_FLAGS);
  }

  /** @param flags more than the usual ones */
  startSyncer(...flags: string[]): Promise<void> {
    return this.startSyncerIn(undefined, ...flags);
  }

  /** @param namespace network namespace to run in */
  async startSyncerIn(namespace: string | undefined, ...flags: string[]): Promise<void> {
    this.syncer = startProcess(
      'syncer',
      [
        `--kubeconfig=${kubeconfigOf('computing')}`,
        `--worker-kubeconfig=${kubeconfigOf('worker-1')}`,
        `--cluster-binding-name=${this.binding}`,
        '--leader-elect=false',
        '--log-level=debug',
        ...flags,
      ],
      {},
      namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`],
    );
    await this.syncer.waitLog(
      'claim held',
      ({ msg }) => msg === 'all stores are complete and the claim is held',
      60_000,
    );
  }

  private async tearDown(): Promise<void> {
    await Promise.all([this.worker.agent?.kill(), this.syncer?.kill()]);
    const vnodes = this.nodes.map((node) => this.vnodeName(node));
    await forgetBinding({ binding: this.binding, vnodes, homeNamespace: this.ns, mountNamespace: this.binding });
    await this.home.delete(Namespaces, '', this.ns);
  }

  /** Sets the agent's clock. The day means nothing but that each `clock` is on the same one. */
  clock(time: string, day = '2026-11-20'): void {
    this.worker.setClock(`${day}T${time}Z`);
  }

  /** A day of the agent that no test before had, at noon with all leases open: a second try begins as the first did. */
  async beginDay(): Promise<void> {
    this.days++;
    this.at('12:00:00');
    for (const node of this.nodes) await this.worker.becomes(node, { phase: 'Active' });
    await this.tainted(undefined);
  }

  /** Sets the agent's clock on the day that began last. */
  at(time: string): void {
    this.clock(time, `2026-10-${String(this.days).padStart(2, '0')}`);
  }

  vnodeName(node: string): string {
    return vnodeName(this.clusterID, node);
  }

  vnode(node = this.nodes[0] as string): Promise<Vnode> {
    return this.home.get<Vnode>(Nodes, '', this.vnodeName(node));
  }

  /** Waits until the vnodes carry the taint of a closed lease with this effect, or none. */
  async tainted(effect: Taint['effect'] | undefined): Promise<void> {
    for (const node of this.nodes) {
      await waitFor(
        `${node} tainted ${effect}`,
        async () => {
          const { spec } = await this.vnode(node);
          const found = spec.taints?.find(({ key }) => key === 'kubeocean.io/out-of-time-windows')?.effect;
          if (found !== effect) throw new Error(JSON.stringify(spec.taints));
          return true;
        },
        SLOW,
      );
    }
  }

  /**
   * Of pods that run on this binding's vnodes. `prefer`: elsewhere too, but only when these are closed.
   */
  podSpec(script: string, where: 'require' | 'prefer' = 'require'): Record<string, unknown> {
    const term = { matchExpressions: [{ key: Label.clusterBinding, operator: 'In', values: [this.binding] }] };
    const nodeAffinity =
      where === 'require'
        ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } }
        : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: term }] };
    return {
      affinity: { nodeAffinity },
      tolerations: [{ key: 'kubeocean.io/vnode', operator: 'Exists' }],
      terminationGracePeriodSeconds: 5,
      automountServiceAccountToken: false,
      containers: [
        { name: 'main', image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script] },
      ],
    };
  }

  async createPod(name: string, script: string, more: Record<string, unknown> = {}): Promise<void> {
    const metadata = { name, namespace: this.ns, labels: { app: name }, finalizers: [KEEP] };
    await this.home.create(Pods, { metadata, spec: { ...this.podSpec(script), restartPolicy: 'Never', ...more } });
  }

  pod(name: string): Promise<HomePod> {
    return this.home.get<HomePod>(Pods, this.ns, name);
  }

  async pods(app: string): Promise<HomePod[]> {
    return (await this.home.list<HomePod>(Pods, { namespace: this.ns, labelSelector: `app=${app}` })).items;
  }

  async forgetPod(name: string): Promise<void> {
    await this.home.patch(Pods, this.ns, name, { metadata: { finalizers: null } }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  phase(name: string, wanted: string): Promise<HomePod> {
    return waitFor(
      `${name} ${wanted}`,
      async () => {
        const now = await this.pod(name);
        if (now.status?.phase === wanted) return now;
        throw new Error(JSON.stringify(now.status));
      },
      SLOW,
    );
  }

  /** Pods of an app that run on vnodes (`true`) or on home's own nodes, as many as wanted. */
  running(app: string, count: number, onVnodes: boolean): Promise<HomePod[]> {
    return waitFor(
      `${count} of ${app} running ${onVnodes ? 'on vnodes' : 'elsewhere'}`,
      async () => {
        const all = await this.pods(app);
        const found = all.filter(
          ({ metadata, spec, status }) =>
            !metadata.deletionTimestamp &&
            status?.phase === 'Running' &&
            (spec.nodeName ?? '').startsWith('vnode-') === onVnodes,
        );
        if (found.length === count) return found;
        throw new Error(
          all.map(({ metadata, spec, status }) => `${metadata.name} ${spec.nodeName} ${status?.phase}`).join('; '),
        );
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
  }

  /** Messages of the events of a reason on a home object, each as often as it was told. */
  told(name: string, reason: string, namespace = this.ns): Promise<string[]> {
    return toldOn(this.home, namespace, name, reason);
  }

  hears(name: string, reason: string, namespace = this.ns): Promise<string> {
    return waitFor(`event ${reason} on ${name}`, async () => (await this.told(name, reason, namespace))[0], SLOW);
  }

  /** The worker pod of a home pod. */
  async counterpart(name: string): Promise<HomePod> {
    const { metadata } = await this.pod(name);
    const worker = metadata.annotations?.[Annotation.physicalPodName] ?? '';
    return this.worker.client.get<HomePod>(Pods, this.binding, worker);
  }

  /** A budget of the worker's owner, of this name, that keeps the counterpart of the home pod of this name. */
  async holdInWorker(name: string): Promise<void> {
    const { client } = this.worker;
    const { metadata } = await this.counterpart(name);
    const labels = { 'test/held': name };
    await client.patch(Pods, this.binding, metadata.name, { metadata: { labels } });
    const selector = { matchLabels: labels };
    await client.create(Budgets, { metadata: { name, namespace: this.binding }, spec: { minAvailable: 1, selector } });
  }

  /** Names of the worker pods that have not ended. */
  async workerPods(): Promise<string[]> {
    const { items } = await this.worker.client.list<HomePod>(Pods, { namespace: this.binding });
    return items
      .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
      .map(({ metadata }) => metadata.annotations?.[Annotation.virtualPodName] ?? metadata.name);
  }

  lastWords(): string {
    return `the syncer's last words:\n${this.syncer?.tail(30)}\nthe agent's:\n${this.worker.agent?.tail(15)}`;
  }
}
