/** What an API server itself says of one object, where the watch's word is not enough. */
import { type KubeObject, type Resource, unlessMissing } from '@kubeocean/shared/kube';
import type { VolumeState } from './state.ts';
import { type Claim, Claims } from './types.ts';

type Seer = Pick<VolumeState, 'context'>;

/** @returns undefined when there is none. @throws ApiError, ConnectionError */
export function homeNow<T extends KubeObject>(
  { context }: Seer,
  resource: Resource,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  return unlessMissing(context.home.get<T>(resource, namespace, name));
}

/** A claim of the mount namespace. @throws ApiError, ConnectionError */
export function workerNow({ context }: Seer, name: string): Promise<Claim | undefined> {
  return unlessMissing(context.worker.get<Claim>(Claims, context.mountNamespace, name));
}

/** The same, from the watch when that knows of one: it is as good where nothing is concluded from its absence. */
export async function workerClaim(state: VolumeState, name: string): Promise<Claim | undefined> {
  return state.stores.workerClaims.get(`${state.context.mountNamespace}/${name}`) ?? (await workerNow(state, name));
}
