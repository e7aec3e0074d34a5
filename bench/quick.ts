/** What the short form fails for: wide limits only, so that a busy machine does not matter. Pure. */
import { EXIT } from './exit.ts';
import { counts, type LoadResult, onlySaturated } from './load.ts';
import type { Case, Mode } from './options.ts';
import { medians, sameSize, sizeText } from './records.ts';
import type { RestartResult } from './scenarios/restart.ts';
import { rounded } from './statistics.ts';
import type { ScenarioResult } from './verdicts.ts';

/** Above so many times the twin's p99. */
const P99_RATIO = 3;

/** Writes a pod that the short form allows on each side: those of an ordinary pod and a margin for what Kubernetes adds. */
const QUICK_WRITES = { computing: 8, worker: 12 };

export interface QuickJudgement {
  failures: string[];
  /** Misses that one moment of a busy machine can make: another try may go well. */
  slow: string[];
}

export function exitCodeOf({ failures, slow }: QuickJudgement): number {
  if (failures.length > 0) return EXIT.failed;
  return slow.length > 0 ? EXIT.slow : EXIT.fine;
}

/** Writes a pod on pods and what they refer to; those on nodes and bindings grow with time, not with pods. */
function podWrites({ writes, pods }: LoadResult, side: 'computing' | 'worker'): number {
  let sum = 0;
  for (const [what, count] of Object.entries(writes[side])) {
    if (/^[A-Z]+ (?:pods|secrets|configmaps|serviceaccounts)(?:\/|$)/.test(what) && what !== 'POST pods/binding')
      sum += count;
  }
  return rounded(sum / pods - (side === 'computing' ? 2 : 0), 2);
}

/** What is missing, and why: a generator that got too little of the machine is that moment's fault, the rest is not. */
function missing(mode: Mode, size: Case, runs: readonly LoadResult[]): QuickJudgement {
  const mine = runs.filter((run) => run.mode === mode && sameSize(run, size));
  const why = mine.length > 0 ? ` (${mine.flatMap(({ flaws }) => flaws).join('; ')})` : '';
  const words = [`${sizeText(size)}: there is no run of ${mode} that counts${why}`];
  const slow = mine.length > 0 && mine.every(onlySaturated);
  return slow ? { failures: [], slow: words } : { failures: words, slow: [] };
}

function judgeLoad(size: Case, runs: readonly LoadResult[]): QuickJudgement {
  const middle = medians(runs).filter((record) => sameSize(record, size));
  const through = middle.find(({ mode }) => mode === 'through');
  const twin = middle.find(({ mode }) => mode === 'twin');
  const without = [
    ...(twin ? [] : [missing('twin', size, runs)]),
    ...(through ? [] : [missing('through', size, runs)]),
  ];
  const judgement = together(without);
  if (twin && through && through.p99 > P99_RATIO * twin.p99) {
    judgement.slow.push(`${sizeText(size)}: p99 ${through.p99} s is more than ${P99_RATIO} × twin (${twin.p99} s)`);
  }
  for (const run of runs.filter((each) => counts(each) && each.mode === 'through' && sameSize(each, size))) {
    for (const side of ['computing', 'worker'] as const) {
      const writes = podWrites(run, side);
      if (writes <= QUICK_WRITES[side]) continue;
      judgement.failures.push(
        `${sizeText(size)}: ${writes} writes a pod in the ${side} cluster, more than ${QUICK_WRITES[side]}`,
      );
    }
  }
  return judgement;
}

function together(judgements: readonly QuickJudgement[]): QuickJudgement {
  return {
    failures: judgements.flatMap(({ failures }) => failures),
    slow: judgements.flatMap(({ slow }) => slow),
  };
}

function judgeRestart(size: Case, scenarios: readonly ScenarioResult[]): string[] {
  const mine = scenarios.filter((each): each is RestartResult => each.scenario === 'restart' && sameSize(each, size));
  if (mine.length === 0) return [`${sizeText(size)}: the restart scenario has no result`];
  return mine.flatMap(({ deletions, recreations }) => [
    ...(deletions > 0 ? [`${sizeText(size)}: a restart deleted ${deletions} pod(s)`] : []),
    ...(recreations > 0 ? [`${sizeText(size)}: a restart made ${recreations} pod(s) anew`] : []),
  ]);
}

/** Every size that was asked for is judged by its own runs; one that has none fails. */
export function judgeQuick(
  sizes: readonly Case[],
  runs: readonly LoadResult[],
  scenarios: readonly ScenarioResult[],
): QuickJudgement {
  const loads = together(sizes.map((size) => judgeLoad(size, runs)));
  return {
    failures: [...loads.failures, ...sizes.flatMap((size) => judgeRestart(size, scenarios))],
    slow: loads.slow,
  };
}
