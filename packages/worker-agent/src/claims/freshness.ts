/**
 * Since when claims are silent, and which were not for a while, as seen from here: by our own monotonic clock since the renewals
 * we saw, never by a timestamp another machine wrote.
 */
import { Seconds } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

/** After so long a syncer that has come back has listed its pods and looked at every record. */
const READ_MS = 600_000;

interface Seen {
  renewTime: string;
  /** Monotonic and wall-clock milliseconds. */
  at: number;
  wall: number;
  /** Monotonic milliseconds of the first renewal that we saw since it was silent; undefined while we saw none. */
  from: number | undefined;
}

export interface StaleClaims {
  /** By claim UID: when the last renewal was seen. */
  since: Map<string, Date>;
  /** UIDs of those that were seen to be renewed for ten minutes: who renews them has read what there is to read. */
  readers: Set<string>;
  /** Milliseconds until the next claim turns stale, unless renewed; undefined when none can. */
  nextInMs: number | undefined;
}

export class ClaimFreshness {
  private readonly seen = new Map<string, Seen>();

  /** Takes the claims there are now and says which of them are stale. `monotonic` is in milliseconds. */
  observe(claims: Iterable<KubeObject>, monotonic: number, now: Date): StaleClaims {
    const since = new Map<string, Date>();
    const readers = new Set<string>();
    const present = new Set<string>();
    let nextInMs: number | undefined;
    for (const claim of claims) {
      const uid = claim.metadata.uid ?? '';
      const renewTime = (claim['spec'] as { renewTime?: string } | undefined)?.renewTime ?? '';
      present.add(uid);
      const known = this.seen.get(uid);
      const isKnown = known?.renewTime === renewTime;
      const seen = isKnown ? known : { renewTime, at: monotonic, wall: now.getTime(), from: fromOf(known, monotonic) };
      this.seen.set(uid, seen);
      const left = Seconds.staleAfter * 1000 - (monotonic - seen.at);
      if (left <= 0) since.set(uid, new Date(seen.wall));
      else nextInMs = Math.min(nextInMs ?? left, left);
      if (left > 0 && seen.from !== undefined && monotonic - seen.from >= READ_MS) readers.add(uid);
    }
    for (const uid of this.seen.keys()) if (!present.has(uid)) this.seen.delete(uid);
    return { since, readers, nextInMs };
  }
}

/** @param before what was seen of the claim that has been renewed now; undefined: it is new to us, of whatever age it is */
function fromOf(before: Seen | undefined, monotonic: number): number | undefined {
  if (!before) return undefined;
  const wasSilent = monotonic - before.at >= Seconds.staleAfter * 1000;
  return wasSilent ? monotonic : (before.from ?? monotonic);
}
