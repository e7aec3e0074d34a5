/**
 * Brings the objects of a binding to what they should be by server-side apply, and writes nothing that is so already.
 * An object of the same name that is not this binding's is never touched.
 */
import {
  Annotation,
  type ClusterBinding,
  FieldManager,
  Label,
  ManagedByValue,
  Namespace,
  syncerName,
} from '@kubeocean/shared/api';
import {
  ClusterRoleBindings,
  createReflector,
  deepEqual,
  Deployments,
  isNotFound,
  type Json,
  type KubeClient,
  type KubeObject,
  keyOf,
  Leases,
  type OnWatchError,
  type Reflector,
  type Resource,
  RoleBindings,
  ServiceAccounts,
  Services,
} from '@kubeocean/shared/kube';
import { covers, isOwnedBy, type Made } from './made.ts';

/**
 * Where the manager makes objects, in the order in which they are removed; each place has a store of what lies there.
 * Accounts go last: who owns the syncer's account owns its election Lease, too.
 */
const PLACES: readonly { resource: Resource; namespace?: string }[] = [
  { resource: Deployments, namespace: Namespace.system },
  { resource: Services, namespace: Namespace.system },
  { resource: RoleBindings, namespace: Namespace.system },
  { resource: RoleBindings, namespace: Namespace.nodeLease },
  { resource: ClusterRoleBindings },
  { resource: ServiceAccounts, namespace: Namespace.system },
];

/** The name is somebody else's, or still of a binding that is on its way out. */
export class NotOursError extends Error {
  constructor(object: KubeObject) {
    const owner = object.metadata.ownerReferences?.[0];
    const whose = owner ? `${owner.kind} "${owner.name}" (UID ${owner.uid})` : 'nobody';
    super(
      `${object.kind ?? 'object'} ${keyOf(object)} exists already and belongs to ${whose}, not to this binding: it is left ` +
        `alone; delete it, or wait until it is gone`,
    );
    this.name = 'NotOursError';
  }
}

/** gocrane/kubeocean made it for this binding: what selects its pods cannot be changed. */
export class ForeignStateError extends Error {
  constructor(object: KubeObject, binding: string) {
    super(
      `the Deployment ${keyOf(object)} is of gocrane/kubeocean: nothing is started beside it, and its pods and vnodes are left alone; ` +
        `take over what it made with "kubeocean adopt ${binding}" (docs/migration.md)`,
    );
    this.name = 'ForeignStateError';
  }
}

export interface MadeStores {
  readonly reflectors: readonly Reflector<KubeObject>[];
  get(made: Made): KubeObject | undefined;
  /** Everything made for the binding of this UID, Deployments first and ServiceAccounts last. */
  ownedBy(bindingUID: string): Made[];
}

export function createMadeStores(client: KubeClient, onError: (kind: string) => OnWatchError): MadeStores {
  const places = PLACES.map(({ resource, namespace }) => ({
    resource,
    namespace,
    reflector: createReflector(client, {
      resource,
      ...(namespace && { namespace }),
      labelSelector: `${Label.managedBy}=${ManagedByValue}`,
      onError: onError(resource.kind),
    }),
  }));
  return {
    reflectors: places.map(({ reflector }) => reflector),
    get({ resource, object }) {
      const place = places.find((one) => one.resource === resource && one.namespace === object.metadata.namespace);
      return place?.reflector.store.get(keyOf(object));
    },
    ownedBy: (bindingUID) =>
      places.flatMap(({ resource, reflector }) =>
        [...reflector.store.values()]
          .filter((object) => isOwnedBy(object, bindingUID))
          .map((object) => ({ resource, object })),
      ),
  };
}

export class Applier {
  private readonly client: KubeClient;
  private readonly stores: MadeStores;
  /** What the server made of our last apply, for values that it spells in its own way (quantities). */
  private readonly settled = new Map<string, string>();

  constructor(client: KubeClient, stores: MadeStores) {
    this.client = client;
    this.stores = stores;
  }

  /**
   * @returns the object as it is now, and whether something was written.
   * @throws NotOursError, ForeignStateError, ApiError, ConnectionError
   */
  async ensure(bindingUID: string, wanted: Made): Promise<{ object: KubeObject; written: boolean }> {
    const { resource, object } = wanted;
    const key = `${resource.plural}/${keyOf(object)}`;
    const known = this.stores.get(wanted) ?? (await this.live(wanted));
    if (known && !isOwnedBy(known, bindingUID)) throw new NotOursError({ kind: resource.kind, ...known });
    if (known && isForeign(known, wanted)) {
      throw new ForeignStateError(known, object.metadata.ownerReferences?.[0]?.name ?? 'NAME');
    }
    if (known && (this.isSettled(key, known, object) ? isMarked(known, object) : isAsWanted(known, object))) {
      return { object: known, written: false };
    }
    const uid = known?.metadata.uid;
    const applied = await this.client.apply<KubeObject>(
      resource,
      { ...object, metadata: { ...object.metadata, ...(uid && { uid }) } },
      FieldManager.manager,
    );
    const now = stamp(applied, object);
    if (now) this.settled.set(key, now);
    return { object: applied, written: true };
  }

  /**
   * Deletes what was made for a binding, and the Lease by which its syncers elected their leader. What is another
   * binding's stays, also when that one has the clusterID.
   * @returns how many objects are still there.
   * @throws ApiError, ConnectionError
   */
  async removeAll({ metadata, spec }: ClusterBinding): Promise<number> {
    const left = this.stores.ownedBy(metadata.uid ?? '');
    const election = syncerName(spec.clusterID);
    for (const { resource, object } of left) {
      const { namespace = '', name, uid, deletionTimestamp } = object.metadata;
      this.settled.delete(`${resource.plural}/${keyOf(object)}`);
      if (deletionTimestamp) continue;
      // Its holder has just lost the right to give it back, and no other syncer can have it before this account is gone.
      if (resource === ServiceAccounts && name === election) await this.remove(Leases, Namespace.system, election);
      await this.remove(resource, namespace, name, { ...(uid && { uid }), propagationPolicy: 'Background' });
    }
    return left.length;
  }

  private async remove(...what: Parameters<KubeClient['delete']>): Promise<void> {
    try {
      await this.client.delete(...what);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  private isSettled(key: string, known: KubeObject, wanted: KubeObject): boolean {
    const now = stamp(known, wanted);
    return now !== undefined && this.settled.get(key) === now;
  }

  private async live({ resource, object }: Made): Promise<KubeObject | undefined> {
    try {
      return await this.client.get<KubeObject>(resource, object.metadata.namespace ?? '', object.metadata.name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

/** A Deployment of this binding that selects other pods than ours would. What is selected is fixed once it is made. */
function isForeign(known: KubeObject, { resource, object }: Made): boolean {
  const selectorOf = ({ spec }: KubeObject & { spec?: { selector?: { matchLabels?: Json } } }) =>
    spec?.selector?.matchLabels;
  return resource === Deployments && !deepEqual(selectorOf(known), selectorOf(object));
}

/** Items of a list come without their apiVersion and kind. */
function isAsWanted(current: KubeObject, wanted: KubeObject): boolean {
  const { apiVersion: _, kind: __, ...rest } = wanted;
  return covers(current, rest);
}

/** Whether nobody has taken off what tells whose it is, by which it is watched, too. That makes no new generation. */
function isMarked({ metadata }: KubeObject, wanted: KubeObject): boolean {
  const { labels, annotations } = wanted.metadata;
  return covers(metadata.labels, labels) && covers(metadata.annotations, annotations);
}

/** Names a state of the spec and what was applied to reach it; undefined for kinds that have no generation. */
function stamp(current: KubeObject, desired: KubeObject): string | undefined {
  const { uid, generation } = current.metadata;
  if (generation === undefined) return undefined;
  return `${uid}/${generation}/${desired.metadata.annotations?.[Annotation.templateHash]}`;
}
