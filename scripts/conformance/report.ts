/** Ginkgo's JSON report → which cases passed and which failed, and why. Pure. */

interface SpecReport {
  LeafNodeType: string;
  LeafNodeText: string;
  ContainerHierarchyTexts: string[] | null;
  State: string;
  Failure?: { Message?: string };
}

/** One suite's report, as `--ginkgo.json-report` writes it. */
export interface SuiteReport {
  SpecReports: SpecReport[] | null;
}

export interface Failed {
  name: string;
  /** First line of what the case said. */
  message: string;
}

export interface Outcome {
  passed: string[];
  failed: Failed[];
  /** Cases for which the time was too short. */
  notRun: string[];
  /** Cases that left themselves out while they ran, with their reason. */
  skipped: Failed[];
  /** What went wrong outside the cases: before or after all of them. */
  broken: Failed[];
}

/** Ginkgo's words for a case that ran when the time of all cases was over: they say nothing of the case. */
const SUITE_TIMEOUT = 'A suite timeout occurred';

export function outcomeOf(suites: readonly SuiteReport[]): Outcome {
  const outcome: Outcome = { passed: [], failed: [], notRun: [], skipped: [], broken: [] };
  for (const spec of suites.flatMap(({ SpecReports }) => SpecReports ?? [])) {
    const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].filter(Boolean).join(' ');
    const message = spec.Failure?.Message?.split('\n').find((line) => line.trim() !== '') ?? '';
    if (spec.LeafNodeType !== 'It') {
      if (spec.State !== 'passed') outcome.broken.push({ name: name || spec.LeafNodeType, message });
    } else if (spec.State === 'passed') outcome.passed.push(name);
    // One that focus and skip left out says nothing.
    else if (spec.State === 'skipped') {
      if (message !== '') outcome.skipped.push({ name, message });
    } else if (spec.State === 'timedout' && message.startsWith(SUITE_TIMEOUT)) outcome.notRun.push(name);
    else if (spec.State !== 'pending') outcome.failed.push({ name, message });
  }
  for (const list of [outcome.failed, outcome.skipped]) list.sort((a, b) => (a.name < b.name ? -1 : 1));
  outcome.passed.sort();
  return outcome;
}

/** The same, with what of `chosen` the reports say nothing of. */
export function withNotRun(outcome: Outcome, chosen: readonly string[]): Outcome {
  const ran = new Set([...outcome.passed, ...[...outcome.failed, ...outcome.skipped].map(({ name }) => name)]);
  return { ...outcome, notRun: chosen.filter((name) => !ran.has(name)) };
}

/** The closing lines. */
export function summary({ passed, failed, notRun, skipped, broken }: Outcome): string {
  const line = ({ name, message }: Failed) => `  ${name}${message ? `\n      ${message}` : ''}`;
  return [
    ...(skipped.length > 0 ? [`left themselves out:`, ...skipped.map(line)] : []),
    ...(notRun.length > 0 ? [`not run:`, ...notRun.map((name) => `  ${name}`)] : []),
    ...(broken.length > 0 ? [`not a case of its own, but broken:`, ...broken.map(line)] : []),
    ...(failed.length > 0 ? ['failed:', ...failed.map(line)] : []),
    `${passed.length} passed, ${failed.length} failed${notRun.length > 0 ? `, ${notRun.length} not run` : ''}`,
  ].join('\n');
}
