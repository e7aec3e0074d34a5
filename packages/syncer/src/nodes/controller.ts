/** Keeps the vnodes in step with the records: one key per worker node, all writes to Nodes of the home cluster. */
import { type KubeObject, type Outcome, type ReadonlyStore, WorkQueue } from '@kubeocean/shared/kube';
import { Annotation, Label, leasedNodeName, type LeasedNode, TaintKey } from '@kubeocean/shared/api';
import type { Removal } from '../binding/unbinding.ts';
import type { SyncerContext } from '../context.ts';
import { soonest } from '../parts.ts';
import { chooseAddress, readyAddresses } from './addresses.ts';
import { tellNewClosing } from './closes-first.ts';
import { vnodeSubject } from './drain.ts';
import { createForeignVnodes } from './foreign.ts';
import { type VnodeFacts, vnodeFromRecord, vnodeWithoutRecord } from './from-record.ts';
import { createVnodeLeases } from './leases.ts';
import { asksToGo } from './lease-over.ts';
import { isBeingDrained } from './leaving.ts';
import { hasTaint, isOpen } from './looks.ts';
import { createVnodeMaker } from './making.ts';
import { createOwnVnodes } from './own-vnodes.ts';
import { planVnode } from './plan.ts';
import { createPortBook } from './ports.ts';
import { createReclaim } from './reclaim.ts';
import { tellingRefusals } from './refused.ts';
import { createRemoval, letGo } from './removal.ts';
import { isNotRun, notRunRequests } from './not-run.ts';
import { closingFacts } from './notice.ts';
import { createSurplus } from './surplus.ts';
import { createUndone, type VnodeWrite, writeVnode } from './undone.ts';

/** What the syncer knows of the worker, as far as vnodes are concerned. */
export interface WorkerView {
  /** Undefined: not known yet, what the vnode shows stays. */
  unreachable: boolean | undefined;
  /** Whether the records, and our pods in the worker, are complete and speak of this binding's lease. */
  recordsKnown: boolean;
  /** The worker's owner took the lease back: one that has no record is over. */
  isReleased: boolean;
  /**
   * Nobody vouches for any record: the agent is silent or not installed, or the claim is somebody else's. Undefined: not
   * known yet, what the vnode shows stays.
   */
  leaseUnknown: boolean | undefined;
  /** Let home evict while the worker is unreachable (annotation `kubeocean.io/unreachable: evict`). */
  evictWhenUnreachable: boolean;
  /** How far the worker's clock is ahead of ours, in milliseconds. Undefined: not known yet, what the vnode shows stays. */
  workerAheadMs: number | undefined;
}

export interface NodesController {
  /** Begins to renew the Leases of the vnodes, as soon as these are known. */
  renewLeases(): void;
  /** Vnodes that lost their labels while no syncer ran get them back. To be done before `start`. @throws ApiError, ConnectionError */
  takeBack(): Promise<void>;
  /** Everything, once home's pods are known as well. */
  start(): void;
  /** Look at every vnode and record again: something that concerns all has changed. */
  resync(): void;
  /** How many vnodes of ours there are, with those that are being made. */
  readonly count: number;
  /** Of these, how many have no record though none was closed. */
  withoutRecord(): number;
  stop(): Promise<void>;
}

export interface NodesOptions {
  slices: ReadonlyStore<KubeObject>;
  worker: () => WorkerView;
  /** `drain`: every vnode goes, with grace; `abandon`: at once, without the worker. */
  removal: () => Removal;
}

/** Until the watch tells of what was just written. */
const LAG_MS = 300;

/** Whether its pods are asked to go: it shows already that no more are to come. */
function isEmptied(vnode: KubeObject, record: LeasedNode | undefined): boolean {
  if (hasTaint(vnode, TaintKey.vnodeDeleting)) return true;
  return hasTaint(vnode, TaintKey.outOfTimeWindows) && asksToGo(record?.status);
}

export function createNodesController(context: SyncerContext, options: NodesOptions): NodesController {
  const { stores, bindingUID, log } = context;
  const undone = createUndone(context);
  const own = createOwnVnodes(context, undone);
  const ports = createPortBook();
  const reclaim = createReclaim(context);
  const foreign = createForeignVnodes(context);
  const surplus = createSurplus({ ...context, ...stores, onChange: (name) => addVnode(stores.vnodes.get(name)) });
  const leases = createVnodeLeases(context, {
    nodeOf: (name) => {
      const node = stores.vnodes.get(name);
      return node && own.isOurs(node) ? node : undefined;
    },
    paused: () => options.worker().unreachable === true && options.worker().evictWhenUnreachable,
  });
  const remove = createRemoval(context, leases);
  const work = tellingRefusals(context, (nodeName) => own.of(nodeName), reconcile);
  const queue = new WorkQueue(work, {
    ...context.queue('vnodes'),
    // Of which pods of twelve vnodes are asked to go at a time.
    workers: 16,
    maxDelayMs: 10_000,
    // Evictions that hang, in a webhook perhaps, keep no vnode from being made or changed.
    continues(nodeName) {
      const vnode = own.of(nodeName);
      return !vnode || !isEmptied(vnode, recordOf(nodeName));
    },
  });
  const maker = createVnodeMaker(context, { own, foreign, ports });
  /** How many vnodes have no record, until either changes: it is asked for several times a second. */
  let recordless: number | undefined;
  const forget = [stores.vnodes, stores.records].map((store) => store.onChange(() => (recordless = undefined)));

  function recordOf(nodeName: string): LeasedNode | undefined {
    const record = stores.records.get(`${context.mountNamespace}/${leasedNodeName(context.bindingName, nodeName)}`);
    return record?.spec.nodeName === nodeName && record.status?.phase ? record : undefined;
  }

  async function reconcile(nodeName: string): Promise<Outcome> {
    if (!context.leadership.isCurrent()) return { againInMs: 1000 };
    const vnode = own.of(nodeName);
    const inTheWay = vnode ? undefined : await own.inTheWay(nodeName);
    if (inTheWay) return inTheWay;
    // Looked at after home was asked: the lease may have closed meanwhile, or the binding been deleted.
    const view = options.worker();
    const removal = options.removal();
    // What a worker says that is given up is not needed, and must not be in the way.
    const record = view.recordsKnown && removal !== 'abandon' ? recordOf(nodeName) : undefined;
    if (!vnode && record && removal === 'none' && isOpen(record)) {
      const desired = (name: string) => vnodeFromRecord(record, facts(name, view, undefined, false));
      return maker.make(nodeName, desired);
    }
    foreign.gone(nodeName);
    maker.settled(nodeName);
    if (!vnode) return undefined;

    // A record that was closed for that may be gone before it was seen.
    const isOver = record ? record.status?.phase === 'Closed' : view.recordsKnown && view.isReleased;
    const drained = removal !== 'none' || isOver || isBeingDrained(vnode, record);
    if (vnode.metadata.deletionTimestamp && !drained) {
      // Deleted by somebody. While it is lent it comes back, soon enough that pods on it are not collected; without a
      // record it goes, emptied first; without knowledge it waits.
      if (record) return letGo(context, leases, vnode);
      if (!view.recordsKnown) return undefined;
    }
    const goes = drained || vnode.metadata.deletionTimestamp !== undefined;
    const { wrote, later } = await bringAbout(vnode, nodeName, record, view, goes);
    // No pod comes to any of them before those of one are asked to go, each of which may take long.
    if (wrote && (goes || asksToGo(record?.status)) && !isEmptied(vnode, record)) return { againInMs: LAG_MS };
    // What was begun goes on once it is known that no record has revoked it.
    if (removal === 'none' && !view.recordsKnown) return later;
    if (goes) return soonest(later, await remove(vnode, removal === 'abandon', () => mayStillGo(nodeName)));
    // With the link down home evicts nothing; the agent takes back without us.
    if (!record || view.unreachable) return later;
    return soonest(later, await reclaim.step(vnode.metadata.name, record, () => isStillTakenBack(nodeName)));
  }

  /** Whether no record has revoked what was begun. Asked before each pod that has to go: they may be a hundred. */
  function mayStillGo(nodeName: string): boolean {
    if (options.removal() !== 'none') return true;
    const record = recordOf(nodeName);
    return options.worker().recordsKnown && !(record && isOpen(record));
  }

  /** Likewise of a lease that closes, and is given back. */
  function isStillTakenBack(nodeName: string): boolean {
    const { recordsKnown, unreachable } = options.worker();
    return recordsKnown && !unreachable && asksToGo(recordOf(nodeName)?.status);
  }

  async function bringAbout(
    vnode: KubeObject,
    nodeName: string,
    record: LeasedNode | undefined,
    view: WorkerView,
    draining: boolean,
  ): Promise<VnodeWrite> {
    const { name } = vnode.metadata;
    const known = facts(name, view, vnode, draining, record);
    const desired = record ? vnodeFromRecord(record, known) : vnodeWithoutRecord(nodeName, known);
    const { patch, statusPatch } = planVnode(vnode, desired, context.now(), !view.evictWhenUnreachable);
    const ofStatus = await writeVnode(context, undone, vnode, 'status', statusPatch);
    const ofRest = await writeVnode(context, undone, vnode, 'metadata', patch);
    if (ofRest.wrote && draining && !hasTaint(vnode, TaintKey.vnodeDeleting)) {
      const unrecorded = view.isReleased ? 'Released' : 'Deleted';
      const why = record?.status?.reason ?? (options.removal() === 'none' ? unrecorded : 'Unbinding');
      log.info({ vnode: name, why }, 'vnode is drained');
      const text = `pods are evicted and the vnode goes: ${why}${record?.status?.message ? ` (${record.status.message})` : ''}`;
      context.homeEvents.event(vnodeSubject(vnode), 'Normal', 'VnodeDraining', text);
    }
    if (record && ofRest.wrote) tellNewClosing(context, vnode, desired.annotations, view.workerAheadMs);
    return { wrote: ofStatus.wrote || ofRest.wrote, later: soonest(ofStatus.later, ofRest.later) };
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
      leaseUnknown: unreachable ? stands : (view.leaseUnknown ?? stands) || missing,
      workerUnreachable: unreachable,
      draining,
      ...closingFacts(vnode, view.workerAheadMs),
      notRun: notRunRequests(stores.homePods.byIndex('node', name)),
      surplus: surplus.of(name),
      leaveConditions: unreachable && view.evictWhenUnreachable,
    };
  }

  function addVnode(node: KubeObject | undefined): void {
    const nodeName = node && own.seen(node);
    if (node === undefined || nodeName === undefined) return;
    if (own.isOurs(node)) maker.settled(nodeName);
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
    renewLeases: () => leases.start(),
    async takeBack() {
      for (const nodeName of await own.takeBack()) queue.add(nodeName);
    },
    start() {
      // Ports that are in use are known before a new one is chosen.
      for (const node of own.all()) ports.portOf(node.metadata.name, node.metadata.labels?.[Label.proxierPort]);
      forget.push(
        stores.vnodes.onChange(({ key, previous, current }) => {
          if (!current) ports.release(key);
          addVnode(current ?? previous);
        }),
        stores.records.onChange(({ previous, current }) => queue.add((current ?? previous)?.spec.nodeName ?? '')),
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
        ...surplus.start(),
      );
      resync();
      queue.start();
      leases.start();
    },
    resync,
    get count() {
      return own.count + maker.pending;
    },
    withoutRecord() {
      recordless ??= own
        .all()
        .filter((node) => !hasTaint(node, TaintKey.vnodeDeleting) && !recordOf(own.nodeOf(node) as string)).length;
      return recordless;
    },
    async stop() {
      for (const end of forget) end();
      await Promise.all([queue.stop(3000), leases.stop()]);
    },
  };
}
