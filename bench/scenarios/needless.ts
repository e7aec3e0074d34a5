/**
 * Which writes have a reason that is not the system's, and how many of them at most; whatever is beyond is needless. API
 * servers count writes by verb and kind, not by who sent them, so each reason is a bound. Pure.
 *
 * Writes on the pods and vnodes that were there are counted apart, one by one, by their revisions: no bound hides those.
 */
import type { Writes } from '../writes.ts';

/** Most writes with a reason: of every `side: VERB resource` that the pattern matches, all verbs together. */
export interface Bound {
  what: RegExp;
  most: number;
}

interface Surroundings {
  /** Of the load, all on vnodes, and how long ago the first of them was made. */
  pods: number;
  ageSeconds: number;
  /** Length of what is judged. */
  seconds: number;
  /** Nodes that kubelets, real or hollow, speak for. */
  nodes: { computing: number; worker: number };
  /** Pods of real nodes. */
  others: { computing: number; worker: number };
}

/**
 * Tokens are asked for an hour and renewed when 80 % of it are over; the pods' last began with them. The kubelets of real
 * nodes do the same for the pods there, whose age is not known: each may come due once, and again after that time.
 */
const TOKEN_SECONDS = 0.8 * 3600;
/** Kubelets write the status of a node that did not change every five minutes; hollow ones do the same. */
const NODE_STATUS_SECONDS = 300;

/** What goes on anyway, whether somebody does anything or not. */
export function idleBounds({ pods, ageSeconds, seconds, nodes, others }: Surroundings): Bound[] {
  const due = pods * Math.floor(ageSeconds / TOKEN_SECONDS);
  const kubelets = 1 + Math.floor(seconds / TOKEN_SECONDS);
  const statuses = 1 + Math.floor(seconds / NODE_STATUS_SECONDS);
  return [
    // Vnodes are judged by their revisions; the controller manager annotates nodes as their number passes its steps.
    { what: /^computing: \w+ nodes(\/status)?$/, most: nodes.computing * statuses },
    // At the worker the system may not touch what is below the status: nothing of that is explained.
    { what: /^worker: \w+ nodes\/status$/, most: nodes.worker * statuses },
    { what: /^computing: POST serviceaccounts\/token$/, most: others.computing * kubelets + due },
    { what: /^worker: POST serviceaccounts\/token$/, most: others.worker * kubelets },
    { what: /^worker: (PUT|PATCH|APPLY) secrets$/, most: due },
  ];
}

interface Restart extends Surroundings {
  /** Pods of the processes that were deleted. */
  deleted: number;
  /** New pods, one on each binding. */
  probes: number;
}

/**
 * What the replacing of so many processes and the new pods explain beyond that. Upper ends are generous where Kubernetes
 * writes (a slow machine has kubelets tell more steps), and exact where the system does.
 */
export function restartBounds(restart: Restart): Bound[] {
  const { deleted, probes } = restart;
  return [
    ...idleBounds(restart),
    // Replacements and probes are made and placed once.
    { what: /^computing: POST pods(\/binding)?$/, most: 2 * (deleted + probes) },
    // By the bench, and by the kubelet when it is gone.
    { what: /^computing: DELETE pods$/, most: 2 * deleted },
    // A kubelet tells of an ending pod up to four times, of a beginning one up to four; the syncer of a probe twice.
    { what: /^computing: \w+ pods\/status$/, most: 8 * deleted + 2 * probes },
    // A process has one token; a new container may ask anew when it is started again.
    { what: /^computing: POST serviceaccounts\/token$/, most: 2 * deleted + probes },
    // Gone, made, Ready, available: four steps of each, told of a ReplicaSet and of a Deployment.
    { what: /^computing: \w+ (deployments|replicasets)\/status$/, most: 8 * deleted },
    // A Service over them is told of by both kinds, with an update for each that comes or goes.
    { what: /^computing: \w+ (endpoints|endpointslices)$/, most: 8 * deleted },
    { what: /^computing: \w+ poddisruptionbudgets\/status$/, most: 4 * deleted },
    // Who keeps the processes tells of each that it is gone, made and Ready (3). A new leader begins its time and ends the
    // last one's (2), and counts the probe when it comes and the pods when it knows all (2); what else it has to say is on
    // the binding already.
    { what: /^computing: \w+ clusterbindings\/status$/, most: 3 * deleted + 4 * probes },
    // The worker's part of each probe.
    { what: /^worker: POST pods$/, most: probes },
    { what: /^worker: POST pods\/binding$/, most: probes },
    // Twice when the watch of the hollow nodes was cut.
    { what: /^worker: \w+ pods\/status$/, most: 2 * probes },
    { what: /^worker: POST secrets$/, most: probes },
  ];
}

/** Not counted: Leases and Events are signs of life, and what was refused stored nothing. */
function isFree(what: string): boolean {
  return / (leases|events)$/.test(what) || what.includes('refused');
}

/** What is beyond all its bounds, by kind; of a bound over several kinds, the excess under the last of them. */
export function needless(writes: Writes, bounds: readonly Bound[]): Record<string, number> {
  const left = bounds.map(({ most }) => most);
  const result: Record<string, number> = {};
  for (const [what, count] of writes) {
    if (isFree(what)) continue;
    let beyond = count;
    for (const [at, bound] of bounds.entries()) {
      if (!bound.what.test(what)) continue;
      const taken = Math.min(beyond, left[at] ?? 0);
      left[at] = (left[at] ?? 0) - taken;
      beyond -= taken;
    }
    if (beyond > 0) result[what] = beyond;
  }
  return result;
}
