/**
 * Which Nodes are this binding's vnodes: those with its label and a providerID of its cluster. Labels are anybody's to
 * change, providerIDs nobody's; so a Node that has ours, and was ours, gets its labels back. Beside any other that stands
 * for the same worker node none is made: it would lend that node twice.
 */
import { keyOf, type KubeObject, Nodes, unlessMissing } from '@kubeocean/shared/kube';
import { Finalizer, Label, labelValue, vnodeNames } from '@kubeocean/shared/api';
import { bindingSubject } from '../binding/subject.ts';
import type { SyncerContext } from '../context.ts';
import { createParts } from '../parts.ts';
import { isForeignVnode } from './foreign.ts';
import { nodeNameOf } from './from-record.ts';
import { bindingThatMade } from './applied.ts';
import { createUndone, type Undone } from './undone.ts';

/** Of a Node that is in the way of a vnode: when it is looked at again, in milliseconds. */
export interface InTheWay {
  againInMs: number;
}

export interface OwnVnodes {
  isOurs(node: KubeObject): boolean;
  /** The worker node that the Node stands for; undefined when it is none of this cluster. */
  nodeOf(node: KubeObject): string | undefined;
  /** The vnode of a worker node, when it is known. */
  of(nodeName: string): KubeObject | undefined;
  all(): KubeObject[];
  readonly count: number;
  /** A watch has told of the Node. Gives the worker node whose vnode it is, or whose vnode it is in the way of. */
  seen(node: KubeObject): string | undefined;
  /**
   * Whether a Node stands for the worker node that is not known as ours. One that was ours gets its labels back.
   * @throws ApiError, ConnectionError
   */
  inTheWay(nodeName: string): Promise<InTheWay | undefined>;
  /** The same of a Node that was found under a vnode's name. @throws ApiError, ConnectionError */
  judge(node: KubeObject, nodeName: string): Promise<InTheWay | undefined>;
  /**
   * Gives those their labels back that lost the one by which they are watched while no syncer ran. To be called before any
   * vnode is made, which might get the other of its two names.
   * @returns the worker nodes of those that did not get them: {@link inTheWay} asks again
   * @throws ApiError, ConnectionError when they cannot be listed
   */
  takeBack(): Promise<string[]>;
}

/** Until the watch tells of what was just written. */
const LAG_MS = 300;
/** Of a Node that is in the way the binding is told again after so long: events live for an hour. Milliseconds. */
const TOLD_AGAIN_MS = 3_600_000;

export function createOwnVnodes(context: SyncerContext, undone: Undone = createUndone(context)): OwnVnodes {
  const { home, stores, clusterID, bindingUID, log } = context;
  /** The Node that was last seen as the vnode of a worker node. */
  const known = new Map<string, { name: string; uid: string | undefined }>();
  /** When it was told of which Node, monotonic. */
  const told = new Map<string, number>();
  /** Kept up to date, as how many there are is asked for several times a second. */
  const ours = new Map<string, KubeObject>();
  for (const node of stores.vnodes.values()) follow(keyOf(node), node);
  stores.vnodes.onChange(({ key, current }) => follow(key, current));

  function follow(key: string, node: KubeObject | undefined): void {
    if (node && isOurs(node)) ours.set(key, node);
    else ours.delete(key);
  }

  function nodeOf(node: KubeObject): string | undefined {
    return nodeNameOf((node['spec'] as { providerID?: string } | undefined)?.providerID, clusterID);
  }

  function isOurs(node: KubeObject): boolean {
    return node.metadata.labels?.[Label.bindingUID] === bindingUID && nodeOf(node) !== undefined;
  }

  function stored(nodeName: string): KubeObject[] {
    return vnodeNames(clusterID, nodeName)
      .map((name) => stores.vnodes.get(name))
      .filter((node) => node !== undefined)
      .filter((node) => nodeOf(node) === nodeName);
  }

  /** The vnode that we know of, which its watch has lost: it is gone, or has lost the label by which it is watched. */
  async function lostSight(nodeName: string): Promise<KubeObject | undefined> {
    const before = known.get(nodeName);
    if (!before) return undefined;
    const node = await unlessMissing(home.get<KubeObject>(Nodes, '', before.name));
    if (node?.metadata.uid === before.uid && node && nodeOf(node) === nodeName) return node;
    known.delete(nodeName);
    return undefined;
  }

  async function judge(node: KubeObject, nodeName: string): Promise<InTheWay | undefined> {
    if (nodeOf(node) !== nodeName) return undefined;
    const { name, uid } = node.metadata;
    if (isOurs(node) || known.get(nodeName)?.uid === uid || bindingThatMade(node) === bindingUID) {
      const { bindingName } = context;
      const labels = { [Label.clusterBinding]: labelValue(bindingName), [Label.bindingUID]: bindingUID };
      const same = Object.entries(labels).every(([key, value]) => node.metadata.labels?.[key] === value);
      if (!same) {
        const patch = { metadata: { uid, labels } };
        const left = undone.left(node, 'whose', patch);
        if (left > 0) return { againInMs: left };
        log.warn({ vnode: name }, 'vnode had lost the labels that say whose it is');
        await home.patch(Nodes, '', name, patch);
        undone.wrote(node, 'whose', patch);
      }
      return { againInMs: LAG_MS };
    }
    const { deletionTimestamp, finalizers = [], resourceVersion } = node.metadata;
    if (deletionTimestamp && finalizers.includes(Finalizer.vnode)) {
      // Of an earlier binding that was abandoned: no other syncer of this clusterID is there to let it go.
      const rest = finalizers.filter((finalizer) => finalizer !== Finalizer.vnode);
      await home.patch(Nodes, '', name, { metadata: { uid, resourceVersion, finalizers: rest } });
      log.info({ vnode: name }, 'vnode of an earlier binding let go');
      return { againInMs: LAG_MS };
    }
    // It waits for a user, and is told of otherwise.
    if (isForeignVnode(node, clusterID)) return undefined;
    tell(name, nodeName, node.metadata.labels?.[Label.bindingUID]);
    return { againInMs: 60_000 };
  }

  function tell(vnode: string, nodeName: string, said: string | undefined): void {
    const key = `${vnode} ${said}`;
    const now = performance.now();
    if (now - (told.get(key) ?? -Infinity) < TOLD_AGAIN_MS) return;
    if (told.size > 1000) told.clear();
    told.set(key, now);
    const message = `the Node ${vnode} stands for the worker node ${nodeName}, but its label ${Label.bindingUID} is ${said ? `"${said}"` : 'missing'}: it is left alone, and no other vnode is made for that node. If it is this binding's: kubectl label node ${vnode} --overwrite ${Label.bindingUID}=${bindingUID}; otherwise delete it`;
    log.warn({ vnode, why: message }, 'vnode not made');
    context.homeEvents.event(bindingSubject(context.binding()), 'Warning', 'VnodeNotOurs', message);
  }

  return {
    isOurs,
    nodeOf,
    of: (nodeName) => stored(nodeName).find(isOurs),
    all: () => [...ours.values()],
    get count() {
      return ours.size;
    },
    seen(node) {
      const nodeName = nodeOf(node);
      if (nodeName === undefined) return undefined;
      if (!isOurs(node)) {
        const wasOurs = known.has(nodeName) || bindingThatMade(node) === bindingUID;
        return isForeignVnode(node, clusterID) && !wasOurs ? undefined : nodeName;
      }
      known.set(nodeName, { name: node.metadata.name, uid: node.metadata.uid });
      return nodeName;
    },
    async inTheWay(nodeName) {
      const node = stored(nodeName)[0] ?? (await lostSight(nodeName));
      return node && judge(node, nodeName);
    },
    judge,
    async takeBack() {
      const unwatched = `${Label.physicalClusterID}=${clusterID},${Label.clusterBinding}!=${labelValue(context.bindingName)}`;
      const parts = createParts();
      const left: string[] = [];
      for (const node of (await home.list<KubeObject>(Nodes, { labelSelector: unwatched })).items) {
        const nodeName = nodeOf(node);
        if (nodeName === undefined || !(isOurs(node) || bindingThatMade(node) === bindingUID)) continue;
        known.set(nodeName, { name: node.metadata.name, uid: node.metadata.uid });
        // All vnodes wait for this: one that a webhook guards, perhaps for good, must not keep the others.
        if (!(await parts.run(() => judge(node, nodeName)))) left.push(nodeName);
      }
      return left;
    },
  };
}
