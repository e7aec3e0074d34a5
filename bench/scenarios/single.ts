/** One pod at a time on an idle system: straight in the worker, and on a vnode, by turns. */
import { createPods, deletePods, latencies, type LoadSetup, podNames, targetsOf, trackersOf } from '../generator.ts';
import type { Case } from '../options.ts';
import { until } from '../parallel.ts';
import { summarize, type Summary } from '../statistics.ts';
import { pause } from '../stop.ts';

export interface SingleResult {
  scenario: 'single';
  pods: number;
  direct: Summary;
  through: Summary;
}

export async function runSingle(pods: number, size: Case, setup: LoadSetup): Promise<SingleResult> {
  const { timeoutMs, say } = setup;
  const progress = () => 'not yet';
  const seconds: Record<'direct' | 'through', number[]> = { direct: [], through: [] };
  for (let n = 0; n < pods; n++) {
    for (const mode of ['direct', 'through'] as const) {
      const [target] = targetsOf(mode, size, setup);
      if (!target) continue;
      const trackers = trackersOf(setup);
      for (const tracker of trackers) tracker.begin();
      const names = podNames(1);
      const sent = await createPods(target, names, 1);
      await until({ what: 'a pod Ready', progress, done: () => target.tracker.readyCount === 1, timeoutMs, say });
      seconds[mode].push(...latencies(sent, target.tracker));
      await deletePods(target.client, names, 1);
      const gone = () => trackers.every((each) => each.present === 0);
      await until({ what: 'a pod gone', progress, done: gone, timeoutMs, say });
      // The tail of one pod is not to be felt by the next.
      await pause(200);
    }
  }
  return { scenario: 'single', pods, direct: summarize(seconds.direct), through: summarize(seconds.through) };
}
