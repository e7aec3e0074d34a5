/** Keeps the vnodes in step with the records: one key per worker node, all writes to Nodes of the home cluster. */
import {
  apiVersionOf,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  Nodes,
  type Outcome,
  type ReadonlyStore,
  WorkQueue,
} from '@kubeocean/shared/kube';
import {
  Annotation,
  ClusterBindings,
  Label,
  leasedNodeName,
  type LeasedNode,
  TaintKey,
  vnodeHashedName,
  vnodeName,
} from '@kubeocean/shared/api';
import type { SyncerContext } from '../context.ts';
import { chooseAddress, readyAddresses } from './addresses.ts';
import { tellNewClosing } from './closes-first.ts';
import { createForeignVnodes, isForeignVnode } from './foreign.ts';
import { nodeNameOf, type VnodeFacts, vnodeFromRecord, vnodeWithoutRecord } from './from-record.ts';
import { createVnodeLeases } from './leases.ts';
import { hasTaint, isOpen } from './looks.ts';
import { newVnode, planVnode } from './plan.ts';
import { createPortBook } from './ports.ts';
import { createReclaim } from './reclaim.ts';
import { letGo, removeVnode } from './removal.ts';
import { isNotRun, notRunRequests } from './not-run.ts';

/** What the syncer knows of the worker, as far as vnodes are concerned. */
export interface WorkerView {
  /** Undefined: not known yet, what the vnode shows stays. */
  unreachable: boolean | undefined;
  /** Whether the records are complete and speak of this binding's lease. */
  recordsKnown: boolean;
  /** Nobody vouches for any record: the agent is silent or not installed, or the claim is somebody else's. */
  leaseUnknown: boolean;
  /** Let home evict while the worker is unreachable (annotation `kubeocean.io/unreachable: evict`). */
  evictWhenUnreachable: boolean;
  /** How far the worker's clock is ahead of ours, in milliseconds. */
  workerAheadMs: number;
}

export interface NodesController {
  start(): void;
  /** Look at every vnode and record again: something that concerns all has changed. */
  resync(): void;
  /** Our vnodes that there are. */
  vnodes(): KubeObject[];
  /** Of these, how many have no record. */
  withoutRecord(): number;
  stop(): Promise<void>;
}

export interface NodesOptions {
  slices: ReadonlyStore<KubeObject>;
  worker: () => WorkerView;
  /** `drain`: every vnode goes, with grace; `abandon`: at once, without the worker. */
  removal: () => 'none' | 'drain' | 'abandon';
}

const CALL = { timeoutMs: 10_000 } as const;

export function createNodesController(context: SyncerContext, options: NodesOptions): NodesController {
  const { home, stores, clusterID, bindingUID, log } = context;
  const ports = createPortBook();
  const reclaim = createReclaim(context);
  const foreign = createForeignVnodes(context);
  const leases = createVnodeLeases(context, {
    nodeOf: (name) => {
      const node = stores.vnodes.get(name);
      return node && isOurs(node) ? node : undefined;
    },
    paused: () => options.worker().unreachable === true && options.worker().evictWhenUnreachable,
  });
  const queue = new WorkQueue(reconcile, { ...context.queue('vnodes'), maxDelayMs: 10_000 });
  /** Worker nodes whose vnode is being made, or was made and is not known from the watch yet. */
  const pending = new Set<string>();
  const forget: (() => void)[] = [];

  function isOurs(node: KubeObject): boolean {
    return node.metadata.labels?.[Label.bindingUID] === bindingUID && workerNodeOf(node) !== undefined;
  }

  function workerNodeOf(node: KubeObject): string | undefined {
    return nodeNameOf((node['spec'] as { providerID?: string } | undefined)?.providerID, clusterID);
  }

  function vnodeOf(nodeName: string): KubeObject | undefined {
    for (const name of [vnodeName(clusterID, nodeName), vnodeHashedName(clusterID, nodeName)]) {
      const node = stores.vnodes.get(name);
      if (node && isOurs(node) && workerNodeOf(node) === nodeName) return node;
    }
    return undefined;
  }

  function recordOf(nodeName: string): LeasedNode | undefined {
    const record = stores.records.get(`${context.mountNamespace}/${leasedNodeName(context.bindingName, nodeName)}`);
    return record?.spec.nodeName === nodeName && record.status?.phase ? record : undefined;
  }

  async function reconcile(nodeName: string): Promise<Outcome> {
    if (!context.leadership.isCurrent()) return { againInMs: 1000 };
    const view = options.worker();
    const record = view.recordsKnown ? recordOf(nodeName) : undefined;
    const vnode = vnodeOf(nodeName);
    const removal = options.removal();
    if (!vnode && record && removal === 'none' && isOpen(record)) return create(nodeName, record, view);
    foreign.gone(nodeName);
    pending.delete(nodeName);
    if (!vnode) return undefined;

    const drained = removal !== 'none' || record?.status?.phase === 'Closed';
    if (vnode.metadata.deletionTimestamp && !drained) {
      // Deleted by somebody. While it is lent it comes back, soon enough that pods on it are not collected; without a
      // record it goes, emptied first; without knowledge it waits.
      if (record) return letGo(context, leases, vnode);
      if (!view.recordsKnown) return undefined;
    }
    const goes = drained || vnode.metadata.deletionTimestamp !== undefined;
    await bringAbout(vnode, nodeName, record, view, goes);
    if (goes) return removeVnode(context, leases, vnode, removal === 'abandon');
    // With the link down home evicts nothing; the agent takes back without us.
    return record && !view.unreachable ? reclaim.step(vnode.metadata.name, record) : undefined;
  }

  async function create(nodeName: string, record: LeasedNode, view: WorkerView): Promise<Outcome> {
    const { maxVnodes } = context.settings;
    pending.add(nodeName);
    let isThere = false;
    try {
      if (vnodes().length + pending.size > maxVnodes) {
        tell('TooManyVnodes', `node ${nodeName} gets no vnode: --max-vnodes is ${maxVnodes}`);
        return { againInMs: 60_000 };
      }
      for (const name of new Set([vnodeName(clusterID, nodeName), vnodeHashedName(clusterID, nodeName)])) {
        const desired = vnodeFromRecord(record, facts(name, view, undefined, false));
        try {
          await home.create(Nodes, newVnode(desired, context.now()), CALL);
          log.info({ vnode: name, node: nodeName }, 'vnode created');
          isThere = true;
          foreign.gone(nodeName);
          return undefined;
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
          const other = await home.get<KubeObject>(Nodes, '', name, CALL).catch((cause: unknown) => {
            if (isNotFound(cause)) return undefined;
            throw cause;
          });
          // Ours, or gone meanwhile: the watch is behind, unless the label that it selects by was taken off.
          if (!other || isOurs(other)) {
            isThere = other !== undefined;
            const labels = { [Label.clusterBinding]: desired.ownLabels[Label.clusterBinding] };
            if (other && other.metadata.labels?.[Label.clusterBinding] !== labels[Label.clusterBinding]) {
              await home.patch(Nodes, '', name, { metadata: { uid: other.metadata.uid, labels } }, CALL);
            }
            return { againInMs: 300 };
          }
          ports.release(name);
          if (isForeignVnode(other, clusterID)) {
            foreign.found(nodeName, name);
            return { againInMs: 10_000 };
          }
          tell('VnodeNameTaken', `the name ${name} belongs to a Node that this binding did not make; it is left alone`);
        }
      }
      throw new Error(`no free name for the vnode of node ${nodeName}: delete the Nodes that are in the way`);
    } finally {
      if (!isThere) pending.delete(nodeName);
    }
  }

  async function bringAbout(
    vnode: KubeObject,
    nodeName: string,
    record: LeasedNode | undefined,
    view: WorkerView,
    draining: boolean,
  ): Promise<void> {
    const { name } = vnode.metadata;
    const known = facts(name, view, vnode, draining, record);
    const desired = record ? vnodeFromRecord(record, known) : vnodeWithoutRecord(nodeName, known);
    const { patch, statusPatch } = planVnode(vnode, desired, context.now());
    if (draining && !hasTaint(vnode, TaintKey.vnodeDeleting)) {
      const why = record?.status?.reason ?? (options.removal() === 'none' ? 'Deleted' : 'Unbinding');
      log.info({ vnode: name, why }, 'vnode is drained');
      const text = `pods are evicted and the vnode goes: ${why}${record?.status?.message ? ` (${record.status.message})` : ''}`;
      context.homeEvents.event({ apiVersion: 'v1', kind: 'Node', metadata: { name } }, 'Normal', 'VnodeDraining', text);
    }
    if (record) tellNewClosing(context, vnode, desired.annotations, view.workerAheadMs);
    if (statusPatch) {
      await home.patch(Nodes, '', name, statusPatch, { type: 'strategic', subresource: 'status', ...CALL });
    }
    if (patch) await home.patch(Nodes, '', name, patch, CALL);
    if (patch || statusPatch) log.debug({ vnode: name, patch, statusPatch }, 'vnode updated');
  }

  function facts(
    name: string,
    view: WorkerView,
    vnode: KubeObject | undefined,
    draining: boolean,
    record?: LeasedNode,
  ): VnodeFacts {
    const address = chooseAddress(name, readyAddresses(options.slices.values()));
    const unreachable = view.unreachable ?? (vnode !== undefined && hasTaint(vnode, TaintKey.workerUnreachable));
    // With the link down, or before the records are in, what was known of the lease still stands.
    const stands = vnode !== undefined && hasTaint(vnode, TaintKey.leaseUnknown);
    const missing = view.recordsKnown ? vnode !== undefined && !record : stands;
    return {
      name,
      binding: context.binding(),
      bindingUID,
      port: ports.portOf(name, vnode?.metadata.labels?.[Label.proxierPort]),
      ...(address !== undefined && { address }),
      leaseUnknown: unreachable ? stands : view.leaseUnknown || missing,
      workerUnreachable: unreachable,
      draining,
      workerAheadMs: view.workerAheadMs,
      notRun: notRunRequests(stores.homePods.byIndex('node', name)),
      leaveConditions: unreachable && view.evictWhenUnreachable,
    };
  }

  function tell(reason: string, message: string): void {
    log.warn({ reason, why: message }, 'vnode not made');
    const { name, uid } = context.binding().metadata;
    const subject = { apiVersion: apiVersionOf(ClusterBindings), kind: ClusterBindings.kind };
    context.homeEvents.event({ ...subject, metadata: { name, ...(uid && { uid }) } }, 'Warning', reason, message);
  }

  function vnodes(): KubeObject[] {
    return [...stores.vnodes.values()].filter(isOurs);
  }

  function addVnode(node: KubeObject | undefined): void {
    const nodeName = node && isOurs(node) ? workerNodeOf(node) : undefined;
    if (nodeName === undefined) return;
    pending.delete(nodeName);
    queue.add(nodeName);
  }

  function addDraining(name: string | undefined): void {
    const vnode = name === undefined ? undefined : stores.vnodes.get(name);
    if (vnode && hasTaint(vnode, TaintKey.vnodeDeleting)) addVnode(vnode);
  }

  function resync(): void {
    for (const record of stores.records.values()) queue.add(record.spec.nodeName);
    for (const node of stores.vnodes.values()) addVnode(node);
  }

  return {
    start() {
      // Ports that are in use are known before a new one is chosen.
      for (const node of vnodes()) ports.portOf(node.metadata.name, node.metadata.labels?.[Label.proxierPort]);
      forget.push(
        stores.vnodes.onChange(({ key, previous, current }) => {
          if (!current) ports.release(key);
          addVnode(current ?? previous);
        }),
        stores.records.onChange(({ previous, current }) =>
          queue.add(((current ?? previous) as LeasedNode).spec.nodeName),
        ),
        // Going pods matter to a vnode that is being emptied.
        stores.homePods.onChange(({ previous, current }) => {
          const pod = current ?? previous;
          const on = (pod?.['spec'] as { nodeName?: string } | undefined)?.nodeName;
          if (!current) {
            addDraining(on);
            reclaim.forget(previous?.metadata.uid);
          }
          if (isNotRun(previous) !== isNotRun(current)) addVnode(on === undefined ? undefined : stores.vnodes.get(on));
        }),
        stores.workerPods.onChange(({ previous, current }) => {
          if (!current) addDraining(previous?.metadata.annotations?.[Annotation.virtualNodeName]);
        }),
        options.slices.onChange(resync),
      );
      resync();
      queue.start();
      leases.start();
    },
    resync,
    vnodes,
    withoutRecord: () => vnodes().filter((node) => !recordOf(workerNodeOf(node) as string)).length,
    async stop() {
      for (const end of forget) end();
      await Promise.all([queue.stop(3000), leases.stop()]);
    },
  };
}
