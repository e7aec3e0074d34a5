/** What the JSON report of a vitest run says, as far as `npm test` tells it. Pure. */

export interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: TestFile[];
}

interface TestFile {
  /** The file's whole path. */
  name: string;
  status: string;
  /** Why the file could not be loaded; empty when it could. */
  message?: string;
  /** Milliseconds since 1970. */
  startTime: number;
  endTime: number;
  assertionResults: {
    fullName: string;
    status: string;
    /** Of every try that failed, also when a later one passed. */
    failureMessages: string[];
  }[];
}

/** A test that did not pass at its first try. */
export interface Trouble {
  /** `e2e/pods.test.ts: a pod runs` */
  test: string;
  /** The error of the first try, without the calls that led to it. */
  why: string;
}

/** Tests that failed, and files that could not be loaded. @param root of the checkout */
export function failedTests(report: VitestReport, root: string): Trouble[] {
  const unloaded = report.testResults
    .filter(isUnloaded)
    .map((file) => ({ test: pathOf(file, root), why: withoutCalls(file.message ?? '') }));
  return [...unloaded, ...troubles(report, root, 'failed')];
}

/** Tests that passed at a second try only. @param root of the checkout */
export function retriedTests(report: VitestReport, root: string): Trouble[] {
  return troubles(report, root, 'passed');
}

/** Seconds that each file took, the longest first, by its path in the checkout. @param root of the checkout */
export function secondsByFile(report: VitestReport, root: string): [path: string, seconds: number][] {
  return report.testResults
    .map((file): [string, number] => [pathOf(file, root), (file.endTime - file.startTime) / 1000])
    .sort(([, one], [, other]) => other - one);
}

function troubles(report: VitestReport, root: string, status: string): Trouble[] {
  return report.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status === status && (status === 'failed' || test.failureMessages.length > 0))
      .map(({ fullName, failureMessages }) => ({
        test: `${pathOf(file, root)}: ${fullName}`,
        why: withoutCalls(failureMessages[0] ?? ''),
      })),
  );
}

function isUnloaded(file: TestFile): boolean {
  return file.status === 'failed' && file.assertionResults.length === 0;
}

function pathOf({ name }: TestFile, root: string): string {
  return name.replace(`${root}/`, '');
}

function withoutCalls(message: string): string {
  const lines = message.split('\n');
  const calls = lines.findIndex((line) => /^\s+at /.test(line));
  return lines
    .slice(0, calls < 0 ? undefined : calls)
    .join('\n')
    .trim();
}
