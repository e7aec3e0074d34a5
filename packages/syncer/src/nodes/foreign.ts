/**
 * Vnodes that gocrane/kubeocean left: Nodes with our names that bear no binding's UID, perhaps with pods on them. A second
 * vnode beside one would lend its worker node twice, and deleting it would end its pods; so the worker node waits, and the
 * binding says what to do.
 */
import { BindingCondition, Label, ManagedByValue } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';

/** Whether a Node was made by gocrane/kubeocean for this clusterID. Pure. */
export function isForeignVnode({ metadata: { labels = {} } }: KubeObject, clusterID: string): boolean {
  return (
    labels[Label.managedBy] === ManagedByValue &&
    labels[Label.physicalClusterID] === clusterID &&
    labels[Label.bindingUID] === undefined
  );
}

/** The words of the condition. Pure. */
export function foreignMessage(binding: string, vnodes: readonly string[]): string {
  const [first = ''] = vnodes.toSorted();
  const which = vnodes.length === 1 ? `the vnode ${first} is` : `${vnodes.length} vnodes (the first: ${first}) are`;
  return `${which} of gocrane/kubeocean and left alone, and no other vnode is made for the same worker node: take them over with "kubeocean adopt ${binding}" (docs/migration.md)`;
}

export interface ForeignVnodes {
  /** The worker node cannot have a vnode because of `vnode`. */
  found(nodeName: string, vnode: string): void;
  /** Nothing is in its way any more. */
  gone(nodeName: string): void;
}

/** Keeps the condition ForeignState of the binding. */
export function createForeignVnodes(context: Pick<SyncerContext, 'report' | 'bindingName' | 'binding'>): ForeignVnodes {
  const byNode = new Map<string, string>();
  const type = BindingCondition.foreignState;

  function tell(): void {
    if (byNode.size > 0) {
      const message = foreignMessage(context.bindingName, [...byNode.values()]);
      context.report.condition({ type, status: 'True', reason: 'ForeignVnodes', message });
    } else {
      const message = 'nothing of gocrane/kubeocean is in the way';
      context.report.condition({ type, status: 'False', reason: 'NothingForeign', message });
    }
  }

  /** Said before, perhaps by the syncer before this one. */
  function wasTold(): boolean {
    return (context.binding().status?.conditions ?? []).some((one) => one.type === type && one.status === 'True');
  }

  return {
    found(nodeName, vnode) {
      if (byNode.get(nodeName) === vnode) return;
      byNode.set(nodeName, vnode);
      tell();
    },
    gone(nodeName) {
      if (byNode.delete(nodeName) || (byNode.size === 0 && wasTold())) tell();
    },
  };
}
