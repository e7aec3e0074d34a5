/** Which replica of the proxier serves which vnode: rendezvous hashing over the ready ones. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { isObject, type KubeObject } from '@kubeocean/shared/kube';

/** Addresses of the ready endpoints in EndpointSlices (discovery.k8s.io/v1), sorted, each once. */
export function readyAddresses(slices: Iterable<KubeObject>): string[] {
  const ready = new Set<string>();
  for (const slice of slices) {
    const endpoints = slice['endpoints'];
    if (!Array.isArray(endpoints)) continue;
    for (const endpoint of endpoints as unknown[]) {
      if (!isObject(endpoint)) continue;
      const conditions = isObject(endpoint['conditions']) ? endpoint['conditions'] : {};
      // An absent `ready` counts as ready (EndpointConditions in the API reference).
      if (conditions['ready'] === false) continue;
      const [address] = Array.isArray(endpoint['addresses']) ? (endpoint['addresses'] as unknown[]) : [];
      if (typeof address === 'string' && isIP(address)) ready.add(address);
    }
  }
  return [...ready].sort();
}

/**
 * The address that serves a name: the one with the highest hash over both. When an address goes, only the names it
 * served move (highest random weight hashing, Thaler and Ravishankar).
 * @returns undefined when there are none.
 */
export function chooseAddress(name: string, addresses: readonly string[]): string | undefined {
  let best: string | undefined;
  let highest = -1n;
  for (const address of addresses) {
    const weight = createHash('sha256').update(`${name}/${address}`).digest().readBigUInt64BE();
    if (weight > highest) {
      highest = weight;
      best = address;
    }
  }
  return best;
}
