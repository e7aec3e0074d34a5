/**
 * Since when claims are silent, as seen from here: by our own monotonic clock since the last renewal we saw, never by a
 * timestamp another machine wrote.
 */
import { Seconds } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

interface Seen {
  renewTime: string;
  /** Monotonic and wall-clock milliseconds. */
  at: number;
  wall: number;
}

export interface StaleClaims {
  /** By claim UID: when the last renewal was seen. */
  since: Map<string, Date>;
  /** Milliseconds until the next claim turns stale, unless renewed; undefined when none can. */
  nextInMs: number | undefined;
}

export class ClaimFreshness {
  private readonly seen = new Map<string, Seen>();

  /** Takes the claims there are now and says which of them are stale. `monotonic` is in milliseconds. */
  observe(claims: Iterable<KubeObject>, monotonic: number, now: Date): StaleClaims {
    const since = new Map<string, Date>();
    const present = new Set<string>();
    let nextInMs: number | undefined;
    for (const claim of claims) {
      const uid = claim.metadata.uid ?? '';
      const renewTime = (claim['spec'] as { renewTime?: string } | undefined)?.renewTime ?? '';
      present.add(uid);
      const known = this.seen.get(uid);
      const seen = known?.renewTime === renewTime ? known : { renewTime, at: monotonic, wall: now.getTime() };
      this.seen.set(uid, seen);
      const left = Seconds.staleAfter * 1000 - (monotonic - seen.at);
      if (left <= 0) since.set(uid, new Date(seen.wall));
      else nextInMs = Math.min(nextInMs ?? left, left);
    }
    for (const uid of this.seen.keys()) if (!present.has(uid)) this.seen.delete(uid);
    return { since, nextInMs };
  }
}
