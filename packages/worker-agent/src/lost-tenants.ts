/**
 * Tenants of whose mount namespace not all can be read. An agent that waited for it would leave all other tenants alone, and
 * one that went on without a right there with what it once knew would write in vain, so it goes on without them: one whose
 * namespace somebody deleted is treated as no tenant; one whose namespace is there is frozen, for nobody knows what is claimed
 * there by now (see frozen-tenants.ts).
 */
import type { Logger } from '@kubeocean/shared/daemon';
import {
  ApiError,
  isForbidden,
  isNotFound,
  type KubeClient,
  type KubeObject,
  messageOf,
  Namespaces,
} from '@kubeocean/shared/kube';

/**
 * Milliseconds for which every try was refused before a tenant is frozen: rights are seconds behind while an API server
 * starts or the chart is upgraded. So are other answers than lists.
 */
const FREEZE_AFTER_MS = 30_000;

type State = 'followed' | 'deleted' | 'frozen';

interface Followed {
  readonly stores: FollowedStore[];
  state: State;
  /** Resolves when it is not waited for any more. */
  readonly given: PromiseWithResolvers<void>;
  /** What keeps it frozen, in words of the server; undefined: the want of a right. */
  cause: string | undefined;
}

/** What the reflector of one store of a tenant's namespace tells. */
export interface FollowedStore {
  readonly synced: Promise<unknown>;
  hasSynced: boolean;
  /** Monotonic milliseconds of the first of the refusals in a row. */
  refusedSince: number | undefined;
  /** Whether nothing could be read since it was refused. */
  isRefused: boolean;
}

export interface LostTenantsOptions {
  client: KubeClient;
  log: Logger;
  /** Called when a tenant is lost, or can be read again. */
  onChange: () => void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

export class LostTenants {
  private readonly options: LostTenantsOptions;
  private readonly namespaces = new Map<string, Followed>();

  constructor(options: LostTenantsOptions) {
    this.options = options;
  }

  /** A store of the namespace, by the promise of its first complete list. */
  follow(namespace: string, synced: Promise<unknown>): FollowedStore {
    const followed = this.namespaces.get(namespace) ?? {
      stores: [],
      state: 'followed',
      given: Promise.withResolvers<void>(),
      cause: undefined,
    };
    const store: FollowedStore = { synced, hasSynced: false, refusedSince: undefined, isRefused: false };
    followed.stores.push(store);
    this.namespaces.set(namespace, followed);
    void synced.then(() => {
      store.hasSynced = true;
      this.answered(namespace, store);
      this.regain(namespace, followed);
    });
    return store;
  }

  /** Resolves when all stores of the namespace are complete, or the agent goes on without it. */
  async syncedOrLost(namespace: string): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed) return;
    await Promise.race([Promise.all(followed.stores.map(({ synced }) => synced)), followed.given.promise]);
  }

  /** Deleted, and not come back since. */
  isGone(namespace: string): boolean {
    return this.namespaces.get(namespace)?.state === 'deleted';
  }

  /** There, but not all of it may be read. */
  isFrozen(namespace: string): boolean {
    return this.namespaces.get(namespace)?.state === 'frozen';
  }

  /** What of it cannot be read, where that is not for want of a right. */
  whyFrozen(namespace: string): string | undefined {
    return this.namespaces.get(namespace)?.cause;
  }

  /** The server answered. Called for each event of a watch. */
  answered(namespace: string, store: FollowedStore): void {
    // One page of a list is not the list.
    if (!store.isRefused || !store.hasSynced) return;
    store.isRefused = false;
    store.refusedSince = undefined;
    const followed = this.namespaces.get(namespace);
    if (followed) this.regain(namespace, followed);
  }

  /**
   * A list or watch failed. For want of a right, nothing is known any more; an answer of another kind, such as that of a
   * server that cannot read an object of its own, counts only while there is no list yet. No answer proves nothing.
   */
  failed(namespace: string, store: FollowedStore, error: unknown): void {
    if (isForbidden(error)) void this.refused(namespace, store, undefined);
    else if (error instanceof ApiError && !store.hasSynced) void this.refused(namespace, store, messageOf(error));
    else store.refusedSince = undefined;
  }

  /** Nothing of this kind can be read in the namespace: is it there? Never rejects. */
  private async refused(namespace: string, store: FollowedStore, cause: string | undefined): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed) return;
    const { client, log, clock } = this.options;
    const now = clock();
    store.isRefused = true;
    store.refusedSince ??= now;
    const forMs = now - store.refusedSince;
    let as: State = 'deleted';
    try {
      const { metadata } = await client.get<KubeObject>(Namespaces, '', namespace, { timeoutMs: 10_000 });
      if (metadata.deletionTimestamp === undefined) as = 'frozen';
    } catch (error) {
      if (!isNotFound(error)) {
        log.warn({ namespace, error: messageOf(error) }, 'whether the namespace of a tenant is there is not known');
        return;
      }
    }
    // Answered while we asked.
    if (!store.isRefused) return;
    // Somebody else may be there by now, with leases that nobody told us of; the agent goes on without it as it is.
    if (as === 'frozen' && followed.state === 'followed' && forMs < FREEZE_AFTER_MS) return;
    this.lose(namespace, followed, as, cause);
  }

  private lose(namespace: string, followed: Followed, as: 'deleted' | 'frozen', cause: string | undefined): void {
    if (followed.state === as) return;
    followed.state = as;
    followed.cause = cause;
    if (as === 'deleted') {
      this.options.log.warn(
        { namespace },
        'the namespace of a tenant was deleted: nothing is lent to it; take it out of the tenants of the worker chart, or upgrade the release to make it again',
      );
    } else if (cause !== undefined) {
      this.options.log.warn(
        { namespace, error: cause },
        'the namespace of a tenant cannot be read: its leases stay as they are, all others go on',
      );
    } else {
      this.options.log.warn(
        { namespace },
        'the namespace of a tenant may not be read: its leases stay as they are, all others go on; upgrade the release of the worker chart to make the rights of the agent there again',
      );
    }
    followed.given.resolve();
    this.options.onChange();
  }

  /** Ends the loss when all stores can be read: what was complete once is kept up to date again by itself. */
  private regain(namespace: string, followed: Followed): void {
    if (followed.state === 'followed') return;
    if (!followed.stores.every(({ hasSynced, isRefused }) => hasSynced && !isRefused)) return;
    followed.state = 'followed';
    this.options.log.info({ namespace }, 'the namespace of a tenant can be read again');
    this.options.onChange();
  }
}
