import { expect, test } from 'vitest';
import { failedTests, retriedTests, secondsByFile, type VitestReport } from './vitest-report.ts';

const calls = '\n    at /checkout/e2e/pods.test.ts:3:45\n    at new Promise (<anonymous>)';
const report: VitestReport = {
  numPassedTests: 2,
  numFailedTests: 1,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [
    {
      name: '/checkout/e2e/pods.test.ts',
      status: 'failed',
      message: '',
      startTime: 1000,
      endTime: 3500,
      assertionResults: [
        { fullName: 'a pod runs', status: 'passed', failureMessages: [] },
        { fullName: 'a pod ends', status: 'passed', failureMessages: [`Error: no answer\nfrom the kubelet${calls}`] },
        {
          fullName: 'a pod fails',
          status: 'failed',
          failureMessages: [`Error: first${calls}`, `Error: second${calls}`],
        },
      ],
    },
    {
      name: '/checkout/scripts/broken.test.ts',
      status: 'failed',
      message: `SyntaxError: Unexpected token${calls}`,
      startTime: 1000,
      endTime: 10_000,
      assertionResults: [],
    },
  ],
};

test('tests that failed are told with the error of their first try, files that could not be loaded with theirs', () => {
  expect(failedTests(report, '/checkout')).toEqual([
    { test: 'scripts/broken.test.ts', why: 'SyntaxError: Unexpected token' },
    { test: 'e2e/pods.test.ts: a pod fails', why: 'Error: first' },
  ]);
});

test('tests that passed at their second try are told apart', () => {
  expect(retriedTests(report, '/checkout')).toEqual([
    { test: 'e2e/pods.test.ts: a pod ends', why: 'Error: no answer\nfrom the kubelet' },
  ]);
});

test('files are told by how long they took', () => {
  expect(secondsByFile(report, '/checkout')).toEqual([
    ['scripts/broken.test.ts', 9],
    ['e2e/pods.test.ts', 2.5],
  ]);
});
