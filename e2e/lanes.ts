/**
 * Lanes: test files run side by side, each lane on a set of clusters of its own, so that no two files ever share one.
 * `KUBEOCEAN_LANES` says how many; lane 1 is the set in `.local` (or KUBEOCEAN_LOCAL), the others are kept beside it.
 */
import { stateRoot } from './clusters/paths.ts';

/** Most lanes: more clusters than these need more memory than the machines of our CI have. */
const MOST = 4;

/** @throws Error when KUBEOCEAN_LANES is no whole number from 1 to 4. */
export function laneCount(env: NodeJS.ProcessEnv = process.env): number {
  const given = env['KUBEOCEAN_LANES'] || '1';
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1 || count > MOST) {
    throw new Error(`KUBEOCEAN_LANES must be a whole number from 1 to ${MOST}, not "${given}"`);
  }
  return count;
}

/** State folder of a lane's set of clusters; lanes count from 1. */
export function laneRoot(lane: number, root = stateRoot()): string {
  return lane === 1 ? root : `${root}-lane${lane}`;
}

/** State folders of all lanes. @throws as {@link laneCount} */
export function laneRoots(env: NodeJS.ProcessEnv = process.env): string[] {
  return Array.from({ length: laneCount(env) }, (_, at) => laneRoot(at + 1, stateRoot(env)));
}
