/** Makes the vnode of a worker node that is lent and has none, under the first of its names that is free. */
import { isAlreadyExists, type KubeObject, Nodes, type Outcome, unlessMissing } from '@kubeocean/shared/kube';
import { firstFew, vnodeHashedName, vnodeName, vnodeNames } from '@kubeocean/shared/api';
import { bindingSubject } from '../binding/subject.ts';
import type { SyncerContext } from '../context.ts';
import { type ForeignVnodes, isForeignVnode } from './foreign.ts';
import type { DesiredVnode } from './from-record.ts';
import type { OwnVnodes } from './own-vnodes.ts';
import { newVnode } from './plan.ts';
import type { PortBook } from './ports.ts';

export interface VnodeMaker {
  /** @throws ApiError, ConnectionError; Error when every name is taken */
  make(nodeName: string, desired: (name: string) => DesiredVnode): Promise<Outcome>;
  /** The vnode is known from the watch, or is not to be made any more. */
  settled(nodeName: string): void;
  /** How many are being made, or are not known from the watch yet. */
  readonly pending: number;
}

/** Until what gocrane/kubeocean left is looked at again. */
const FOREIGN_AGAIN_MS = 10_000;
/** Until room for one more vnode is looked for again. */
const ROOM_MS = 60_000;
/** Of nodes that get no vnode the binding is told again after so long: events live for an hour. Milliseconds. */
const TOLD_AGAIN_MS = 3_600_000;
/** Of these so many are named. */
const MOST_NAMED = 3;

export function createVnodeMaker(
  context: SyncerContext,
  { own, foreign, ports }: { own: OwnVnodes; foreign: ForeignVnodes; ports: PortBook },
): VnodeMaker {
  const { home, clusterID, log, stores } = context;
  /** Worker nodes whose vnode is being made, or was made and is not known from the watch yet. */
  const pending = new Set<string>();
  /** Worker nodes that get no vnode because there are too many. */
  const without = new Set<string>();
  /** How many they were when that was told, and when: monotonic, in milliseconds. */
  let told = { count: 0, at: 0 };

  function tell(reason: string, message: string): void {
    log.warn({ reason, why: message }, 'vnode not made');
    context.homeEvents.event(bindingSubject(context.binding()), 'Warning', reason, message);
  }

  /**
   * When they have become twice as many. Each by itself would fill the log each minute, and take from the binding the few events
   * that are let through about one object.
   */
  function tellTooMany(nodeName: string, most: number): void {
    without.add(nodeName);
    const at = performance.now();
    const { size } = without;
    if (told.count > 0 && size < 2 * told.count && at - told.at < TOLD_AGAIN_MS) return;
    told = { count: size, at };
    const which =
      size === 1
        ? `node ${nodeName} gets no vnode`
        : `${size} nodes get no vnode, ${firstFew([...without].sort(), MOST_NAMED)}`;
    tell('TooManyVnodes', `${which}: --max-vnodes is ${most}`);
  }

  function hasPlace(nodeName: string): void {
    without.delete(nodeName);
    if (without.size === 0) told = { count: 0, at: 0 };
  }

  /** The first that is free is taken. */
  function namesFor(nodeName: string): Set<string> {
    return new Set([vnodeName(clusterID, nodeName), vnodeHashedName(clusterID, nodeName)]);
  }

  /** One of gocrane/kubeocean's, which may have a name that none of ours is given. */
  function foreignOf(nodeName: string): KubeObject | undefined {
    const known = vnodeNames(clusterID, nodeName).map((name) => stores.vnodes.get(name));
    return known.find((node) => node !== undefined && isForeignVnode(node, clusterID));
  }

  return {
    settled(nodeName) {
      pending.delete(nodeName);
      hasPlace(nodeName);
      // One that was refused for as long as its node was lent was given a port at the first try.
      for (const name of namesFor(nodeName)) if (!stores.vnodes.has(name)) ports.release(name);
    },
    get pending() {
      return pending.size;
    },
    async make(nodeName, desired) {
      const { maxVnodes } = context.settings;
      pending.add(nodeName);
      let isThere = false;
      try {
        if (own.count + pending.size > maxVnodes) {
          tellTooMany(nodeName, maxVnodes);
          return { againInMs: ROOM_MS };
        }
        const before = foreignOf(nodeName);
        if (before) {
          foreign.found(nodeName, before.metadata.name);
          return { againInMs: FOREIGN_AGAIN_MS };
        }
        for (const name of namesFor(nodeName)) {
          try {
            await home.create(Nodes, newVnode(desired(name), context.now()));
            log.info({ vnode: name, node: nodeName }, 'vnode created');
            isThere = true;
            hasPlace(nodeName);
            foreign.gone(nodeName);
            return undefined;
          } catch (error) {
            if (!isAlreadyExists(error)) throw error;
          }
          const other = await unlessMissing(home.get<KubeObject>(Nodes, '', name));
          // Gone meanwhile: the watch is behind.
          if (!other) return { againInMs: 300 };
          const inTheWay = await own.judge(other, nodeName);
          if (inTheWay) {
            isThere = own.isOurs(other);
            return inTheWay;
          }
          ports.release(name);
          if (isForeignVnode(other, clusterID)) {
            foreign.found(nodeName, name);
            return { againInMs: FOREIGN_AGAIN_MS };
          }
          tell('VnodeNameTaken', `the name ${name} belongs to a Node that this binding did not make; it is left alone`);
        }
        throw new Error(`no free name for the vnode of node ${nodeName}: delete the Nodes that are in the way`);
      } finally {
        if (!isThere) pending.delete(nodeName);
      }
    },
  };
}
