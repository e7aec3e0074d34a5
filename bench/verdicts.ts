/** How what was measured stands to the targets of the project. Ratios are of medians of one session. Pure. */
import type { LoadResult } from './load.ts';
import { medians, sameSize, sizeText } from './records.ts';
import type { IdleResult } from './scenarios/present.ts';
import type { RestartResult } from './scenarios/restart.ts';
import type { SingleResult } from './scenarios/single.ts';
import type { StormResult } from './scenarios/storm.ts';
import type { TenantsResult } from './scenarios/tenants.ts';
import { rounded } from './statistics.ts';

export type ScenarioResult = SingleResult | IdleResult | RestartResult | StormResult | TenantsResult;

export interface Verdict {
  target: string;
  measured: string;
  /** undefined: not measured. */
  good: boolean | undefined;
}

interface Limit {
  limit: number;
  unit?: string;
  /** The value must not be below the limit instead of above it. */
  least?: boolean;
}

function verdict(target: string, value: number | null, { limit, unit = '', least = false }: Limit): Verdict {
  const words = `${target} ${least ? '≥' : '≤'} ${limit}${unit}`;
  if (value === null) return { target: words, measured: 'not measured', good: undefined };
  return {
    target: words,
    measured: `${rounded(value, 2)}${unit}`,
    good: least ? value >= limit : value <= limit,
  };
}

/** 90 MB and 8 KB a pod, in MiB. */
function memoryLimit(pods: number): Limit {
  return { limit: rounded((90e6 + 8192 * pods) / 2 ** 20, 0), unit: ' MiB' };
}

export function verdicts(runs: readonly LoadResult[], scenarios: readonly ScenarioResult[]): Verdict[] {
  const result: Verdict[] = [];
  const middle = medians(runs);
  for (const through of middle.filter(({ mode }) => mode === 'through')) {
    const size = `${sizeText(through)}:`;
    const twin = middle.find((record) => record.mode === 'twin' && sameSize(record, through));
    if (twin) {
      const throughput = through.podsPerSecond / twin.podsPerSecond;
      result.push(
        verdict(`${size} p99 / twin`, through.p99 / twin.p99, { limit: 1.3 }),
        verdict(`${size} throughput / twin`, throughput, { limit: 0.85, least: true }),
        verdict(`${size} deletion / twin`, through.deleteSeconds / twin.deleteSeconds, { limit: 1.3 }),
      );
    }
    result.push(
      verdict(`${size} CPU per pod`, through.cpuMsPerPod, { limit: 4, unit: ' ms' }),
      verdict(`${size} peak memory`, through.peakMiB, memoryLimit(through.pods)),
    );
  }
  for (const each of scenarios) result.push(...ofScenario(each));
  return result;
}

function ofScenario(result: ScenarioResult): Verdict[] {
  switch (result.scenario) {
    case 'single':
      return ofSingle(result);
    case 'idle':
      return ofIdle(result);
    case 'restart':
      return ofRestart(result);
    case 'storm':
      return ofStorm(result);
    case 'tenants':
      return [
        verdict(`ten small tenants beside ${result.pods} pods: p99 / alone`, result.beside.p99 / result.alone.p99, {
          limit: 2,
        }),
      ];
  }
}

function ofSingle({ direct, through }: SingleResult): Verdict[] {
  return [
    verdict('single pod, p50 above direct', (through.p50 - direct.p50) * 1000, { limit: 60, unit: ' ms' }),
    verdict('single pod, p99 above direct', (through.p99 - direct.p99) * 1000, { limit: 150, unit: ' ms' }),
  ];
}

function ofIdle({ nodes, pods, corePercent, needlessWrites }: IdleResult): Verdict[] {
  const what = `idle, ${nodes} vnodes, ${pods} pods:`;
  return [
    verdict(`${what} of a core`, corePercent, { limit: 1.5, unit: ' %' }),
    writesVerdict(`${what} writes but Leases`, needlessWrites),
  ];
}

function ofRestart(result: RestartResult): Verdict[] {
  const what = `restart with ${result.pods} pods:`;
  return [
    verdict(`${what} new pod Ready`, result.workingSeconds, { limit: 15, unit: ' s' }),
    verdict(`${what} deletions`, result.deletions, { limit: 0 }),
    verdict(`${what} re-creations`, result.recreations, { limit: 0 }),
    writesVerdict(`${what} needless writes`, result.needlessWrites),
    verdict(`${what} peak memory`, result.peakMiB, memoryLimit(result.pods)),
  ];
}

/** The storm is to come within so long; else it was a weaker one. */
const STORM_SECONDS = 10;

function ofStorm(result: StormResult): Verdict[] {
  const what = `storm over ${result.pods} pods:`;
  const changes = verdict(`${what} changes made within`, result.changeSeconds, { limit: STORM_SECONDS, unit: ' s' });
  const took = `the machine was too slow: changes took ${rounded(result.changeSeconds, 1)} s`;
  return [
    changes.good ? changes : { ...changes, measured: took },
    verdict(`${what} shown after the last change`, result.shownSeconds, { limit: 5, unit: ' s' }),
    verdict(`${what} patches per pod`, result.patchesPerPod, { limit: 1.2 }),
  ];
}

/** None are allowed; those there were are named. */
function writesVerdict(target: string, writes: Record<string, number>): Verdict {
  const all = Object.values(writes).reduce((sum, count) => sum + count, 0);
  const which = Object.entries(writes).map(([what, count]) => `${count} × ${what}`);
  const { measured, ...rest } = verdict(target, all, { limit: 0 });
  return { ...rest, measured: which.length > 0 ? `${measured}: ${which.join(', ')}` : measured };
}
