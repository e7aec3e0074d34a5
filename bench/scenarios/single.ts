/** One pod at a time on an idle system: straight in the worker, and on a vnode, by turns. */
import { setTimeout as after } from 'node:timers/promises';
import { createPods, deletePods, latencies, type LoadSetup, podNames, targetsOf, until } from '../load.ts';
import type { Case } from '../options.ts';
import { summarize, type Summary } from '../statistics.ts';

export interface SingleResult {
  scenario: 'single';
  pods: number;
  direct: Summary;
  through: Summary;
}

export async function runSingle(pods: number, size: Case, setup: LoadSetup): Promise<SingleResult> {
  const seconds: Record<'direct' | 'through', number[]> = { direct: [], through: [] };
  for (let n = 0; n < pods; n++) {
    for (const mode of ['direct', 'through'] as const) {
      const [target] = targetsOf(mode, size, setup);
      if (!target) continue;
      const trackers = [setup.home, setup.direct, setup.lent];
      for (const tracker of trackers) tracker.reset();
      const names = podNames(1);
      const sent = await createPods(target, names, 1);
      await until(
        'a pod Ready',
        setup.timeoutMs,
        () => target.tracker.readyCount === 1,
        () => 'not yet',
        setup.say,
      );
      seconds[mode].push(...latencies(sent, target.tracker));
      await deletePods(target.client, names, 1);
      await until(
        'a pod gone',
        setup.timeoutMs,
        () => trackers.every((each) => each.present === 0),
        () => 'not yet',
        setup.say,
      );
      // The tail of one pod is not to be felt by the next.
      await after(200);
    }
  }
  return { scenario: 'single', pods, direct: summarize(seconds.direct), through: summarize(seconds.through) };
}
