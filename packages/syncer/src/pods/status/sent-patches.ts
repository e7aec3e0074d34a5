/**
 * The last status patch of each home pod, so that none is sent again that has said all: a watch that lags makes it seem not
 * sent, and an API server that is older than the worker's leaves out fields that it does not know, which differ ever after.
 */
import { deepEqual, type Json } from '@kubeocean/shared/kube';
import type { StatusPatch } from './to-home.ts';

export class SentPatches {
  /** By home UID. */
  private readonly last = new Map<string, { patch: StatusPatch; revisions: (string | undefined)[] }>();

  /** @param revisions of the home pod before and after it */
  note(uid: string, patch: StatusPatch, revisions: (string | undefined)[]): void {
    this.last.set(uid, { patch, revisions });
  }

  /** Whether all that the patch says of the home pod of this revision was in the last one. */
  has(uid: string, { metadata, status }: StatusPatch, revision: string | undefined): boolean {
    const last = this.last.get(uid);
    if (!last?.revisions.includes(revision)) return false;
    return isPart(metadata, last.patch.metadata) && isPart(status, last.patch.status);
  }

  delete(uid: string): void {
    this.last.delete(uid);
  }
}

/** Lists of conditions name those that differ; all others are whole. */
function isPart(part: Json, whole: Json): boolean {
  return Object.entries(part).every(([field, value]) => {
    if (field !== 'conditions') return deepEqual(value, whole[field]);
    const said = (whole[field] ?? []) as unknown[];
    return (value as unknown[]).every((condition) => said.some((each) => deepEqual(condition, each)));
  });
}
