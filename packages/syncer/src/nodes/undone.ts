/**
 * Who takes back within seconds what we write on a vnode is answered ever more rarely: a writer with a mind of its own about
 * all Nodes, and we, would otherwise write by turns as fast as home's API server takes it, for each of a thousand vnodes.
 */
import { hash } from 'node:crypto';
import { type Json, type KubeObject, Nodes, type Outcome, type PatchOptions } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { vnodeSubject } from './drain.ts';

/** `whose`: the labels by which it is known as ours, without which its Lease is not renewed. */
export type Part = 'whose' | 'metadata' | 'status';

export interface Undone {
  /**
   * Milliseconds until this may be written; 0: now.
   * @param patch what is to be written; undefined: nothing, as what we wrote last stands
   */
  left(vnode: KubeObject, part: Part, patch: Json | undefined): number;
  /** It was written. */
  wrote(vnode: KubeObject, part: Part, patch: Json): void;
}

/** What is taken back later than this is no quarrel: somebody changed it by hand, perhaps. Milliseconds. */
const SOON_MS = 10_000;
/** The first pause, doubled each time. */
const FIRST_MS = 1000;
/** The longest. A vnode lives for 40 s without its Lease. */
const LONGEST_MS: Record<Part, number> = { whose: 15_000, metadata: 60_000, status: 60_000 };
/** So often in a row it was taken back before that is told: some seconds. */
const TOLD_AFTER = 3;
/** Beyond as many vnodes all are forgotten. */
const MOST = 10_000;
/** Fields of a patch that are others each time. */
const PASSING: ReadonlySet<string> = new Set(['uid', 'resourceVersion', 'lastHeartbeatTime', 'lastTransitionTime']);

interface Written {
  /** As a hash. */
  what: string;
  at: number;
  /** When it was first seen to be wanted again. */
  againAt: number | undefined;
  /** How often in a row it was written again because it was taken back soon. */
  count: number;
}

/** @param clock milliseconds, monotonic */
export function createUndone(
  { homeEvents, log }: Pick<SyncerContext, 'homeEvents' | 'log'>,
  clock: () => number = () => performance.now(),
): Undone {
  /** What was written last. */
  const written = new Map<string, Written>();

  const keyOf = ({ metadata: { name, uid } }: KubeObject, part: Part) => `${part} ${name} ${uid}`;

  /** Of a patch that says what the last one said. */
  function lastLike(vnode: KubeObject, part: Part, patch: Json): Written | undefined {
    const last = written.get(keyOf(vnode, part));
    return last?.what === hashOf(patch) ? last : undefined;
  }

  function wasUndone({ at, againAt }: Written): boolean {
    return againAt !== undefined && againAt - at <= SOON_MS;
  }

  return {
    left(vnode, part, patch) {
      if (!patch) {
        const last = written.get(keyOf(vnode, part));
        if (last) last.againAt = undefined;
        return 0;
      }
      const last = lastLike(vnode, part, patch);
      if (!last) return 0;
      last.againAt ??= clock();
      if (!wasUndone(last)) return 0;
      return Math.max(0, last.at + Math.min(FIRST_MS * 2 ** last.count, LONGEST_MS[part]) - clock());
    },
    wrote(vnode, part, patch) {
      const last = lastLike(vnode, part, patch);
      const count = last && wasUndone(last) ? Math.min(last.count + 1, 30) : 0;
      if (written.size >= MOST) written.clear();
      written.set(keyOf(vnode, part), { what: hashOf(patch), at: clock(), againAt: undefined, count });
      if (count !== TOLD_AFTER) return;
      const fields = fieldsOf(patch);
      const { name } = vnode.metadata;
      log.warn({ vnode: name, fields }, 'somebody takes back what is written on the vnode');
      const text = `somebody takes back within seconds what the syncer writes here (${fields}); it writes it again ever more rarely, every ${LONGEST_MS[part] / 1000} s in the end. Keep others who write on Nodes from those with the label type=virtual-kubelet`;
      homeEvents.event(vnodeSubject(vnode), 'Warning', 'VnodeContested', text);
    },
  };
}

function hashOf(patch: Json): string {
  return hash(
    'sha256',
    JSON.stringify(patch, (field, value: unknown) => (PASSING.has(field) ? undefined : value)),
    'base64url',
  );
}

/** What a patch is about, such as `labels, taints`. */
function fieldsOf({ metadata, spec, status }: Json): string {
  const fields = [metadata, spec, status].flatMap((part) => Object.keys(part ?? {}));
  return fields.filter((field) => !PASSING.has(field)).join(', ');
}

export interface VnodeWrite {
  wrote: boolean;
  /** When to try again what may not be written now. */
  later: Outcome;
}

const HOW: Record<Part, PatchOptions> = {
  whose: {},
  metadata: {},
  status: { type: 'strategic', subresource: 'status' },
};

/** Writes it unless it has to wait. @throws ApiError, ConnectionError */
export async function writeVnode(
  { home, log }: Pick<SyncerContext, 'home' | 'log'>,
  undone: Undone,
  vnode: KubeObject,
  part: Part,
  patch: Json | undefined,
): Promise<VnodeWrite> {
  const left = undone.left(vnode, part, patch);
  if (left > 0) return { wrote: false, later: { againInMs: left } };
  if (!patch) return { wrote: false, later: undefined };
  const { name } = vnode.metadata;
  await home.patch(Nodes, '', name, patch, HOW[part]);
  undone.wrote(vnode, part, patch);
  log.debug({ vnode: name, part, patch }, 'vnode updated');
  return { wrote: true, later: undefined };
}
