/**
 * Who takes back within seconds what we write on a vnode is answered ever more rarely: a writer with a mind of its own about
 * all Nodes, and we, would otherwise write by turns as fast as home's API server takes it, for each of a thousand vnodes.
 */
import { hash } from 'node:crypto';
import {
  type Condition,
  isObject,
  type Json,
  type KubeObject,
  Nodes,
  type Outcome,
  type PatchOptions,
} from '@kubeocean/shared/kube';
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
/** What was written so long ago, longer than any pause, is forgotten. Milliseconds. */
const FORGOTTEN_MS = 120_000;
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
  /** What was written last, by field: two writers may each take back something else, by turns. */
  const written = new Map<string, Map<string, Written>>();

  const keyOf = ({ metadata: { name, uid } }: KubeObject, part: Part) => `${part} ${name} ${uid}`;

  function wasUndone({ at, againAt }: Written): boolean {
    return againAt !== undefined && againAt - at <= SOON_MS;
  }

  const pauseOf = ({ count }: Written, part: Part) => Math.min(FIRST_MS * 2 ** count, LONGEST_MS[part]);

  return {
    left(vnode, part, patch) {
      const last = written.get(keyOf(vnode, part));
      if (!last) return 0;
      const now = clock();
      const wanted = valuesOf(patch ?? {});
      for (const [field, known] of last) {
        known.againAt = known.what === wanted.get(field) ? (known.againAt ?? now) : undefined;
      }
      if (wanted.size === 0) return 0;
      const pauses = [...wanted].map(([field, what]) => {
        const known = last.get(field);
        if (known?.what !== what || !wasUndone(known)) return 0;
        return known.at + pauseOf(known, part) - now;
      });
      return Math.max(0, Math.min(...pauses));
    },
    wrote(vnode, part, patch) {
      const key = keyOf(vnode, part);
      const now = clock();
      const before = written.get(key) ?? new Map<string, Written>();
      const after = new Map([...before].filter(([, { at }]) => now - at < FORGOTTEN_MS));
      let isNews = false;
      for (const [field, what] of valuesOf(patch)) {
        const last = before.get(field);
        const isAgain = last?.what === what && wasUndone(last);
        // Earlier than that it only went along with something else, and the watch may be behind.
        const hasWaited = isAgain && now - last.at >= pauseOf(last, part);
        const count = isAgain ? Math.min(last.count + (hasWaited ? 1 : 0), 30) : 0;
        after.set(field, { what, at: now, againAt: undefined, count });
        if (hasWaited && count === TOLD_AFTER) isNews = true;
      }
      if (written.size >= MOST) written.clear();
      written.set(key, after);
      if (!isNews) return;
      const fields = fieldsOf(patch);
      const { name } = vnode.metadata;
      log.warn({ vnode: name, fields }, 'somebody takes back what is written on the vnode');
      const text = `somebody takes back within seconds what the syncer writes here (${fields}); it writes it again ever more rarely, every ${LONGEST_MS[part] / 1000} s in the end. Keep others who write on Nodes from those with the label type=virtual-kubelet`;
      homeEvents.event(vnodeSubject(vnode), 'Warning', 'VnodeContested', text);
    },
  };
}

/** What a patch writes, as a hash for each field, and for each condition. */
function valuesOf(patch: Json): Map<string, string> {
  const values = new Map<string, string>();
  function add(path: string, value: unknown): void {
    if (isObject(value)) {
      for (const [field, inner] of Object.entries(value)) {
        if (path !== '/metadata' || !PASSING.has(field)) add(`${path}/${field}`, inner);
      }
    } else if (path === '/status/conditions') {
      for (const condition of value as Condition[]) values.set(`${path}/${condition.type}`, hashOf(condition));
    } else values.set(path, hashOf(value));
  }
  add('', patch);
  return values;
}

function hashOf(value: unknown): string {
  const text = JSON.stringify(value, (field, inner: unknown) => (PASSING.has(field) ? undefined : inner));
  return hash('sha256', text, 'base64url');
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
