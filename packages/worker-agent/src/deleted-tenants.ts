/**
 * Tenants whose mount namespace somebody deleted. Its RoleBinding goes with it, so that nothing there can be read any more,
 * while the chart's values still name it: an agent that waited for its lists would leave all other tenants alone.
 */
import type { Logger } from '@kubeocean/shared/daemon';
import { isNotFound, type KubeClient, type KubeObject, messageOf, Namespaces } from '@kubeocean/shared/kube';

interface Followed {
  /** Of the stores of the namespace. */
  synced: Promise<unknown>[];
  hasSynced: boolean;
  deleted: boolean;
  gone: PromiseWithResolvers<void>;
}

export class DeletedTenants {
  private readonly client: KubeClient;
  private readonly log: Logger;
  private readonly onChange: () => void;
  private readonly namespaces = new Map<string, Followed>();

  /** @param onChange called when a tenant is gone */
  constructor(client: KubeClient, log: Logger, onChange: () => void) {
    this.client = client;
    this.log = log;
    this.onChange = onChange;
  }

  /** A store of the namespace, by the promise of its first complete list. */
  follow(namespace: string, synced: Promise<unknown>): void {
    const known = this.namespaces.get(namespace);
    const followed = known ?? { synced: [], hasSynced: false, deleted: false, gone: Promise.withResolvers<void>() };
    followed.synced.push(synced);
    this.namespaces.set(namespace, followed);
  }

  /** Resolves when all stores of the namespace are complete, or it was found deleted. */
  async syncedOrGone(namespace: string): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed) return;
    const synced = Promise.all(followed.synced).then(() => {
      followed.hasSynced = true;
    });
    await Promise.race([synced, followed.gone.promise]);
  }

  /** Deleted, and not come back since: what was complete once is kept up to date again by itself. */
  isGone(namespace: string): boolean {
    const followed = this.namespaces.get(namespace);
    return followed !== undefined && followed.deleted && !followed.hasSynced;
  }

  /** Nothing of the namespace may be read: is it there? Never rejects. */
  async look(namespace: string): Promise<void> {
    const followed = this.namespaces.get(namespace);
    if (!followed || followed.hasSynced) return;
    try {
      const { metadata } = await this.client.get<KubeObject>(Namespaces, '', namespace, { timeoutMs: 10_000 });
      if (metadata.deletionTimestamp === undefined) {
        // The chart makes the right again; until then nobody knows what is lent there.
        followed.deleted = false;
        return;
      }
    } catch (error) {
      if (!isNotFound(error)) {
        this.log.warn(
          { namespace, error: messageOf(error) },
          'whether the namespace of a tenant is there is not known',
        );
        return;
      }
    }
    if (followed.deleted) return;
    followed.deleted = true;
    this.log.warn(
      { namespace },
      'the namespace of a tenant was deleted: nothing is lent to it; take it out of the tenants of the worker chart, or upgrade the release to make it again',
    );
    followed.gone.resolve();
    this.onChange();
  }
}
