/**
 * Tenants of whose mount namespace nothing can be read. An agent that waited for their lists would leave all other tenants
 * alone, so it goes on without them: one whose namespace somebody deleted is treated as no tenant; one whose namespace is
 * there is frozen, for nobody knows what is lent to it (see frozen-tenants.ts).
 */
import type { Logger } from '@kubeocean/shared/daemon';
import { isNotFound, type KubeClient, type KubeObject, messageOf, Namespaces } from '@kubeocean/shared/kube';

/**
 * Milliseconds for which every try was refused before a tenant is frozen: rights are seconds behind while an API server
 * starts or the chart is upgraded.
 */
const FREEZE_AFTER_MS = 30_000;

type State = 'waited for' | 'deleted' | 'frozen';

interface Followed {
  /** Of the stores of the namespace. */
  synced: Promise<unknown>[];
  hasSynced: boolean;
  state: State;
  /** Monotonic milliseconds of the first of the refusals in a row. */
  refusedSince: number | undefined;
  /** Resolves when it is not waited for any more. */
  given: PromiseWithResolvers<void>;
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
  follow(namespace: string, synced: Promise<unknown>): void {
    const followed = this.namespaces.get(namespace) ?? {
      synced: [],
      hasSynced: false,
      state: 'waited for',
      refusedSince: undefined,
      given: Promise.withResolvers<void>(),
    };
    followed.synced.push(synced);
    this.namespaces.set(namespace, followed);
  }

  /** Resolves when all stores of the namespace are complete, or the agent goes on without it. */
  async syncedOrLost(namespace: string): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed) return;
    const synced = Promise.all(followed.synced).then(() => {
      followed.hasSynced = true;
      if (followed.state === 'waited for') return;
      this.options.log.info({ namespace }, 'the namespace of a tenant can be read again');
      this.options.onChange();
    });
    await Promise.race([synced, followed.given.promise]);
  }

  /** Deleted, and not come back since: what was complete once is kept up to date again by itself. */
  isGone(namespace: string): boolean {
    return this.isLost(namespace, 'deleted');
  }

  /** There, but nothing of it may be read since the agent started. */
  isFrozen(namespace: string): boolean {
    return this.isLost(namespace, 'frozen');
  }

  private isLost(namespace: string, as: State): boolean {
    const followed = this.namespaces.get(namespace);
    return followed !== undefined && followed.state === as && !followed.hasSynced;
  }

  /** A list failed, but not for want of a right: that proves nothing. */
  failed(namespace: string): void {
    const followed = this.namespaces.get(namespace);
    if (followed) followed.refusedSince = undefined;
  }

  /** Nothing of the namespace may be read: is it there? Never rejects. */
  async refused(namespace: string): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed || followed.hasSynced) return;
    const { client, log, clock } = this.options;
    const now = clock();
    followed.refusedSince ??= now;
    const forMs = now - followed.refusedSince;
    try {
      const { metadata } = await client.get<KubeObject>(Namespaces, '', namespace, { timeoutMs: 10_000 });
      if (metadata.deletionTimestamp === undefined) {
        // Somebody else may be there by now, with leases that nobody told us of; the agent goes on without it as it is.
        if (followed.state !== 'waited for' || forMs >= FREEZE_AFTER_MS) this.lose(namespace, followed, 'frozen');
        return;
      }
    } catch (error) {
      if (!isNotFound(error)) {
        log.warn({ namespace, error: messageOf(error) }, 'whether the namespace of a tenant is there is not known');
        return;
      }
    }
    this.lose(namespace, followed, 'deleted');
  }

  private lose(namespace: string, followed: Followed, as: 'deleted' | 'frozen'): void {
    if (followed.state === as || followed.hasSynced) return;
    followed.state = as;
    if (as === 'deleted') {
      this.options.log.warn(
        { namespace },
        'the namespace of a tenant was deleted: nothing is lent to it; take it out of the tenants of the worker chart, or upgrade the release to make it again',
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
}
