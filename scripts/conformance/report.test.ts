import { expect, it } from 'vitest';
import { outcomeOf, summary, withNotRun } from './report.ts';

const spec = (LeafNodeText: string, State: string, Message?: string, LeafNodeType = 'It') => ({
  LeafNodeType,
  LeafNodeText,
  ContainerHierarchyTexts: LeafNodeType === 'It' ? ['[sig-node] Pods'] : null,
  State,
  ...(Message !== undefined && { Failure: { Message } }),
});

it('tells cases that passed, failed, left themselves out, and those that were not asked for', () => {
  const outcome = outcomeOf([
    {
      SpecReports: [
        spec('', 'passed', undefined, 'SynchronizedBeforeSuite'),
        spec('b runs', 'passed'),
        spec('a runs', 'passed'),
        spec('breaks', 'failed', '\nexpected pod\nto run'),
        spec('hangs', 'timedout', 'A node timeout occurred'),
        spec('was cut off', 'timedout', 'A suite timeout occurred'),
        spec('is for clouds', 'skipped', 'Only for providers [gce]'),
        spec('was not asked for', 'skipped'),
        spec('is not written', 'pending'),
      ],
    },
    { SpecReports: null },
  ]);
  expect(outcome).toEqual({
    passed: ['[sig-node] Pods a runs', '[sig-node] Pods b runs'],
    failed: [
      { name: '[sig-node] Pods breaks', message: 'expected pod' },
      { name: '[sig-node] Pods hangs', message: 'A node timeout occurred' },
    ],
    skipped: [{ name: '[sig-node] Pods is for clouds', message: 'Only for providers [gce]' }],
    notRun: ['[sig-node] Pods was cut off'],
    broken: [],
  });
  expect(summary(outcome).split('\n').at(-1)).toBe('2 passed, 2 failed, 1 not run');
  expect(summary(outcome)).toContain('  [sig-node] Pods breaks\n      expected pod');
});

it('does not hide what broke before the first case', () => {
  const outcome = outcomeOf([{ SpecReports: [spec('', 'failed', 'no schedulable node', 'SynchronizedBeforeSuite')] }]);
  expect(outcome.broken).toEqual([{ name: 'SynchronizedBeforeSuite', message: 'no schedulable node' }]);
  expect(summary(outcome)).toContain('no schedulable node');
});

it('tells what the time was too short for', () => {
  const outcome = outcomeOf([{ SpecReports: [spec('runs', 'passed'), spec('is late', 'skipped')] }]);
  const whole = withNotRun(outcome, ['[sig-node] Pods runs', '[sig-node] Pods is late']);
  expect(whole.notRun).toEqual(['[sig-node] Pods is late']);
  expect(summary(whole)).toBe('not run:\n  [sig-node] Pods is late\n1 passed, 0 failed, 1 not run');
});
