/** Makes the vnode of a worker node that is lent and has none, under the first of its names that is free. */
import { isAlreadyExists, type KubeObject, Nodes, type Outcome, unlessMissing } from '@kubeocean/shared/kube';
import { vnodeHashedName, vnodeName } from '@kubeocean/shared/api';
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
}

const CALL = { timeoutMs: 10_000 } as const;

export function createVnodeMaker(
  context: SyncerContext,
  { own, foreign, ports }: { own: OwnVnodes; foreign: ForeignVnodes; ports: PortBook },
): VnodeMaker {
  const { home, clusterID, log } = context;
  /** Worker nodes whose vnode is being made, or was made and is not known from the watch yet. */
  const pending = new Set<string>();

  function tell(reason: string, message: string): void {
    log.warn({ reason, why: message }, 'vnode not made');
    context.homeEvents.event(bindingSubject(context.binding()), 'Warning', reason, message);
  }

  return {
    settled: (nodeName) => void pending.delete(nodeName),
    async make(nodeName, desired) {
      const { maxVnodes } = context.settings;
      pending.add(nodeName);
      let isThere = false;
      try {
        if (own.all().length + pending.size > maxVnodes) {
          tell('TooManyVnodes', `node ${nodeName} gets no vnode: --max-vnodes is ${maxVnodes}`);
          return { againInMs: 60_000 };
        }
        for (const name of new Set([vnodeName(clusterID, nodeName), vnodeHashedName(clusterID, nodeName)])) {
          try {
            await home.create(Nodes, newVnode(desired(name), context.now()), CALL);
            log.info({ vnode: name, node: nodeName }, 'vnode created');
            isThere = true;
            foreign.gone(nodeName);
            return undefined;
          } catch (error) {
            if (!isAlreadyExists(error)) throw error;
          }
          const other = await unlessMissing(home.get<KubeObject>(Nodes, '', name, CALL));
          // Gone meanwhile: the watch is behind.
          if (!other) return { againInMs: 300 };
          const inTheWay = await own.judge(other, nodeName);
          if (inTheWay) {
            isThere = own.isOurs(other);
            return inTheWay.outcome;
          }
          ports.release(name);
          if (isForeignVnode(other, clusterID)) {
            foreign.found(nodeName, name);
            return { againInMs: 10_000 };
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
