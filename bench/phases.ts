/** The steps of a pod's way onto a vnode, as both API servers' watches tell them. Pure. */
import { quantile } from './statistics.ts';
import type { Times } from './tracker.ts';

/** In the order they are taken: from creation at home to Ready at home. */
const STEPS = ['scheduled', 'accepted', 'placed', 'ready', 'shown'] as const;
type Step = (typeof STEPS)[number];

export interface Phases {
  /** So many pods were seen by both watches in all steps; the others are in no figure here. */
  pods: number;
  /** p50 and p99 in seconds of each step; none when no pod was seen in all of them. */
  steps: Partial<Record<Step, { p50: number; p99: number }>>;
}

type Seen = ReadonlyMap<string, Pick<Times, 'seen' | 'bound' | 'ready'>>;

export function phasesOf(sent: ReadonlyMap<string, number>, home: Seen, lent: Seen): Phases {
  const values: Record<Step, number[]> = { scheduled: [], accepted: [], placed: [], ready: [], shown: [] };
  for (const [key, created] of sent) {
    const here = home.get(key);
    const there = lent.get(key);
    if (!here?.bound || !here.ready || !there?.bound || !there.ready) continue;
    values.scheduled.push(here.bound - created);
    values.accepted.push(there.seen - here.bound);
    values.placed.push(there.bound - there.seen);
    values.ready.push(there.ready - there.bound);
    values.shown.push(here.ready - there.ready);
  }
  const pods = values.shown.length;
  if (pods === 0) return { pods, steps: {} };
  const steps = STEPS.map((step) => {
    const sorted = values[step].map((ms) => ms / 1000).toSorted((a, b) => a - b);
    return [step, { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) }] as const;
  });
  return { pods, steps: Object.fromEntries(steps) };
}

/** `scheduled 0.12/0.40  accepted ...`: p50/p99 of each step. */
export function phasesLine({ pods, steps }: Phases): string {
  if (pods === 0) return 'no pod was seen in all its steps';
  const parts = STEPS.map((step) => {
    const { p50 = 0, p99 = 0 } = steps[step] ?? {};
    return `${step} ${p50.toFixed(2)}/${p99.toFixed(2)}`;
  });
  return parts.join('  ');
}
