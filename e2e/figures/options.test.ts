import { expect, test } from 'vitest';
import { figureOptions } from './options.ts';

test('numbers have defaults and are taken from the command line', () => {
  expect(figureOptions([])).toMatchObject({ execs: 200, concurrent: 200, megabytes: 300, roundTrips: 500 });
  expect(figureOptions(['--execs', '5', '--round-trips=7'])).toMatchObject({ execs: 5, roundTrips: 7 });
});

test('all rows are measured, or those that are named, in the order of the table', () => {
  expect(figureOptions([]).rows).toEqual(['logs', 'exec', 'concurrent', 'idle', 'output', 'forward']);
  expect(figureOptions(['--rows', 'output,logs']).rows).toEqual(['logs', 'output']);
});

test.each([
  [['--execs', '0'], '--execs takes a whole number from 1 to 10000, not "0"'],
  [['--execs', '1.5'], '--execs takes'],
  [['--idle', '201'], '--idle takes a whole number from 1 to 200, not "201"'],
  [['--idle', ''], '--idle takes'],
  [['--logs=x'], '--logs takes'],
  [['--rows', 'logs,speed'], '--rows takes some of logs,exec,concurrent,idle,output,forward, not "speed"'],
  [['--rows', ''], '--rows takes some of'],
  [['--nothing'], '--nothing'],
  [['word'], 'word'],
])('%j is refused', (args, words) => {
  expect(() => figureOptions(args)).toThrow(words);
});
