/** What is remembered of changes of pods that run, by home UID: of each only saves or paces work, none decides. */

/** What can be asked for of a pod that runs. */
export type Asked = 'labels' | 'update' | 'amounts' | 'debug' | 'resize';
const ALL: readonly Asked[] = ['labels', 'update', 'amounts', 'debug', 'resize'];

/** What the worker refused, until it is asked again. */
export interface RefusedChange {
  count: number;
  /** Milliseconds, monotonic. */
  until: number;
  message: string;
  /** The patch. */
  asked: string;
}

export interface FollowMemory {
  /** By {@link refusedKey}. */
  refused: Map<string, RefusedChange>;
  /** Revision of the worker pod after a resize that is not noted on it yet. */
  unnoted: Map<string, string>;
  /** What metadata was last written on the worker pod for, and when, in milliseconds, monotonic. */
  labelled: Map<string, { wanted: string; at: number }>;
  forget(uid: string): void;
}

export function refusedKey(uid: string | undefined, what: Asked): string {
  return `${uid}/${what}`;
}

export function createFollowMemory(): FollowMemory {
  const refused = new Map<string, RefusedChange>();
  const unnoted = new Map<string, string>();
  const labelled = new Map<string, { wanted: string; at: number }>();
  return {
    refused,
    unnoted,
    labelled,
    forget(uid) {
      for (const what of ALL) refused.delete(refusedKey(uid, what));
      unnoted.delete(uid);
      labelled.delete(uid);
    },
  };
}
