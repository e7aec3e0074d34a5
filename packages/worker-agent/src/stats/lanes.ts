/**
 * Who may ask which kubelet when. Of a rack that lost its power every node is asked about again and again, and each such
 * question takes seconds: so a node that failed is left alone for a while, is then tried in a lane of its own, where those
 * that answer do not wait behind it, and no node takes more than two places.
 */
import { createExpiringMap, createLimiter, type Limiter } from '@kubeocean/shared/daemon';
import { StatsRefusal } from './refusal.ts';

/** What a question that has its turn is given: reading an answer waits for another turn, as that takes memory. */
export type InTurn = <T>(read: () => Promise<T>) => Promise<T>;

export interface Lanes {
  /**
   * Asks when it is the node's turn.
   * @throws StatsRefusal what the node failed with a moment ago, 429 when too many wait; the signal's reason.
   */
  ask<T>(node: string, abandoned: AbortSignal, question: (inTurn: InTurn) => Promise<T>): Promise<T>;
  /** The node did not answer. */
  failed(node: string, refusal: StatsRefusal): void;
  /** The node answered. */
  answered(node: string): void;
}

const FAILED_MS = 10_000;
/** Nodes that failed are remembered for so long, and so many. */
const SUSPECT_MS = 300_000;
const SUSPECTS = 8192;
const ONE_NODE = { atOnce: 2, waiting: 16 };
/** Connections cost little; answers that are read, some megabytes each. */
const SOUND = { asking: 48, reading: 3, waiting: 1024 };
const SUSPECT = { asking: 8, reading: 1, waiting: 1024 };

/** @param clock milliseconds, never going back */
export function createLanes(clock: () => number = () => performance.now()): Lanes {
  const failures = createExpiringMap<{ refusal: StatsRefusal; at: number }>({ bound: SUSPECTS, clock });
  const ofNode = new Map<string, Limiter>();
  const sound = laneOf(SOUND);
  const suspect = laneOf(SUSPECT);

  function leaveAlone(node: string): void {
    const failure = failures.get(node);
    if (failure && clock() - failure.at < FAILED_MS) throw failure.refusal;
  }

  return {
    async ask(node, abandoned, question) {
      leaveAlone(node);
      const own = ofNode.get(node) ?? createLimiter(ONE_NODE.atOnce, ONE_NODE.waiting, tooMany);
      ofNode.set(node, own);
      try {
        return await own.run(() => {
          const lane = failures.get(node) ? suspect : sound;
          return lane.asking.run(() => {
            // It may have failed while this one waited.
            leaveAlone(node);
            return question((read) => lane.reading.run(read, abandoned));
          }, abandoned);
        }, abandoned);
      } finally {
        if (own.size === 0 && ofNode.get(node) === own) ofNode.delete(node);
      }
    },
    failed: (node, refusal) => failures.set(node, { refusal, at: clock() }, SUSPECT_MS),
    answered: (node) => failures.delete(node),
  };
}

function laneOf({ asking, reading, waiting }: typeof SOUND): { asking: Limiter; reading: Limiter } {
  // Whoever reads has asked, so that no more than those wait to.
  return { asking: createLimiter(asking, waiting, tooMany), reading: createLimiter(reading, asking, tooMany) };
}

function tooMany(): StatsRefusal {
  return new StatsRefusal(429, 'the agent is asked for the metrics of too many nodes at once: try again later');
}
