/**
 * A syncer that runs from source with just the rights of the two charts, between two real clusters; records and heartbeat
 * are written by hand, in the agent's stead.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  leasedNodeName,
  LeasedNodes,
  type LeasedNodeStatus,
  vnodeName,
} from '@kubeocean/shared/api';
import {
  type Condition,
  EndpointSlices,
  type Lease,
  Leases,
  Namespaces,
  Nodes,
  parseKubeconfig,
} from '@kubeocean/shared/kube';
import {
  cleanup,
  client,
  type Heart,
  heartOf,
  kubeconfigOf,
  kubectl,
  lendByHand,
  rendered,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';
import { ignoreMissing, kubeconfigText, taintKeys, tokenOf, type VnodeObject } from './objects.ts';

export * from './objects.ts';

export const systemNamespace = 'kubeocean-system';
export const proxierAddress = '10.99.0.7';
/** Silence is noticed as soon as the options allow it; the agent's stand-in beats every 2 s. */
export const IMPATIENT = ['--worker-unreachable-after=12', '--agent-stale-after=12'];

export class SyncerRig {
  readonly mount = uniqueName('nodes');
  readonly bindingName = uniqueName('nodes');
  readonly clusterID = uniqueName('n');
  readonly node = 'lent-1';
  readonly vnode = vnodeName(this.clusterID, this.node);
  readonly home = client('computing');
  readonly worker = client('worker-1');
  readonly folder = mkdtempSync(join(tmpdir(), 'kubeocean-nodes-'));
  syncer!: RunningProcess;
  /** The agent's sign of life. */
  heart!: Heart;

  async setUp(...flags: string[]): Promise<void> {
    const { home, bindingName, folder } = this;
    cleanup(() => rmSync(folder, { recursive: true, force: true }));
    await this.makeMountNamespace();
    await this.makeHomeAccount();
    await this.writeKubeconfigs();
    await home.create(EndpointSlices, {
      metadata: {
        name: bindingName,
        namespace: systemNamespace,
        labels: { 'kubernetes.io/service-name': `kubeocean-proxier-${this.clusterID}` },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [proxierAddress], conditions: { ready: true } }],
      ports: [],
    });
    cleanup(() => home.delete(EndpointSlices, systemNamespace, bindingName));
    cleanup(() => this.removeAtHome());
    await this.makeBinding();
    this.heart = heartOf(this.worker, this.mount);
    await this.heart.start();
    this.start(...flags);
    await this.syncer.waitReady(60_000);
  }

  makeBinding(): Promise<ClusterBinding> {
    const secretRef = { name: 'unused', namespace: systemNamespace };
    const spec = { clusterID: this.clusterID, secretRef, mountNamespace: this.mount };
    return this.home.create<ClusterBinding>(ClusterBindings, { metadata: { name: this.bindingName }, spec });
  }

  /** The tenant's namespace, account and Role as the worker chart makes them. */
  private async makeMountNamespace(): Promise<void> {
    const { mount, worker } = this;
    const tenants = [{ namespace: mount, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }];
    const input = await rendered('kubeocean-worker', { only: ['tenants'], values: { tenants } });
    cleanup(() => worker.delete(Namespaces, '', mount).catch(ignoreMissing));
    await kubectl('worker-1', ['apply', '-f', '-'], { input });
  }

  /** A ServiceAccount with the ClusterRoles of the computing chart, bound as the manager binds them. */
  private async makeHomeAccount(): Promise<void> {
    const account = `kubeocean-syncer-${this.clusterID}`;
    const subjects = [{ kind: 'ServiceAccount', name: account, namespace: systemNamespace }];
    const apiGroup = 'rbac.authorization.k8s.io';
    const bind = (kind: string, namespace: string | undefined, role: string) => ({
      apiVersion: `${apiGroup}/v1`,
      kind,
      metadata: { name: account, ...(namespace && { namespace }) },
      roleRef: { apiGroup, kind: 'ClusterRole', name: role },
      subjects,
    });
    const items = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: systemNamespace } },
      bind('ClusterRoleBinding', undefined, 'kubeocean-syncer'),
      bind('RoleBinding', systemNamespace, 'kubeocean-syncer-leases'),
      bind('RoleBinding', 'kube-node-lease', 'kubeocean-syncer-leases'),
    ];
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    cleanup(() => kubectl('computing', ['delete', '--ignore-not-found', '-f', '-'], { input }));
    await kubectl('computing', ['apply', '-f', '-'], { input });
  }

  private async writeKubeconfigs(): Promise<void> {
    const { home, worker, mount, folder } = this;
    const homeToken = await tokenOf(home, systemNamespace, `kubeocean-syncer-${this.clusterID}`);
    writeFileSync(join(folder, 'home'), kubeconfigText(readFileSync(kubeconfigOf('computing'), 'utf8'), homeToken));
    const workerToken = await tokenOf(worker, mount, 'kubeocean-syncer');
    writeFileSync(join(folder, 'worker'), kubeconfigText(readFileSync(kubeconfigOf('worker-1'), 'utf8'), workerToken));
  }

  /** Points the syncer's kubeconfig at a port of the worker where nobody listens. @returns what points it back */
  cutOff(): () => void {
    const file = join(this.folder, 'worker');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, kubeconfigText(good, parseKubeconfig(good, { trust: 'trusted' }).token ?? '', 7));
    return () => writeFileSync(file, good);
  }

  start(...flags: string[]): void {
    const { folder, bindingName, clusterID } = this;
    this.syncer = startProcess('syncer', [
      // As the manager names it: the policy at home lets the account hold no other Lease.
      `--leader-election-id=kubeocean-syncer-${clusterID}`,
      `--kubeconfig=${folder}/home`,
      `--worker-kubeconfig=${folder}/worker`,
      `--cluster-binding-name=${bindingName}`,
      '--log-level=debug',
      ...flags,
    ]);
  }

  /** Another syncer in the place of one that is killed, without waiting for the dead one's Lease. */
  async restart(...flags: string[]): Promise<void> {
    await this.syncer.kill();
    this.start('--leader-elect=false', ...flags);
  }

  async putRecord(name: string, status: LeasedNodeStatus): Promise<void> {
    await lendByHand(this.worker, this.mount, this.bindingName, name, status, 'evenings');
  }

  patchRecord(name: string, status: LeasedNodeStatus): Promise<unknown> {
    const record = leasedNodeName(this.bindingName, name);
    return this.worker.patch(LeasedNodes, this.mount, record, { status }, { subresource: 'status' });
  }

  claim(): Promise<Lease> {
    return this.worker.get<Lease>(Leases, this.mount, claimName(this.bindingName));
  }

  patchClaim(patch: object): Promise<unknown> {
    return this.worker.patch(Leases, this.mount, claimName(this.bindingName), patch);
  }

  binding(): Promise<ClusterBinding> {
    return this.home.get<ClusterBinding>(ClusterBindings, '', this.bindingName);
  }

  vnodeNow(name = this.vnode): Promise<VnodeObject> {
    return this.home.get<VnodeObject>(Nodes, '', name);
  }

  waitTaint(taint: string, there: boolean, timeoutMs = 60_000): Promise<boolean> {
    return waitFor(
      `${there ? '' : 'no '}taint ${taint}`,
      async () => {
        const keys = taintKeys(await this.vnodeNow());
        if (keys.includes(taint) === there) return true;
        throw new Error(keys.join(', '));
      },
      { timeoutMs, everyMs: 100 },
    );
  }

  waitCondition(type: string, status: string, reason: string, timeoutMs = 60_000): Promise<Condition> {
    return waitFor(
      `${type}=${status}/${reason}`,
      async () => {
        const condition = (await this.binding()).status?.conditions?.find((each) => each.type === type);
        if (condition?.status === status && condition.reason === reason) return condition;
        throw new Error(JSON.stringify(condition));
      },
      { timeoutMs, everyMs: 200 },
    );
  }

  /** Waits until the vnode's Lease is renewed once more. */
  async leaseGoesOn(): Promise<void> {
    const read = async () => (await this.home.get<Lease>(Leases, 'kube-node-lease', this.vnode)).spec?.renewTime;
    const before = await read();
    await waitFor('a Lease renewed', async () => (await read()) !== before, { timeoutMs: 60_000 });
  }

  async gone(name: string): Promise<boolean> {
    try {
      await this.vnodeNow(name);
      return false;
    } catch (error) {
      ignoreMissing(error);
      return true;
    }
  }

  async bindingGone(): Promise<boolean> {
    try {
      await this.binding();
      return false;
    } catch (error) {
      ignoreMissing(error);
      return true;
    }
  }

  private async removeAtHome(): Promise<void> {
    const { home, bindingName } = this;
    await this.syncer?.kill();
    const finalizers = { metadata: { finalizers: [] } };
    const nodes = await home.list(Nodes, { labelSelector: `${Label.clusterBinding}=${bindingName}` });
    for (const { metadata } of nodes.items) {
      await home.delete(Nodes, '', metadata.name).catch(ignoreMissing);
      await home.patch(Nodes, '', metadata.name, finalizers).catch(ignoreMissing);
    }
    await home.delete(ClusterBindings, '', bindingName).catch(ignoreMissing);
    await home.patch(ClusterBindings, '', bindingName, finalizers).catch(ignoreMissing);
  }
}
