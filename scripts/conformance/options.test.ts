import { expect, it } from 'vitest';
import { DEFAULT_FOCUS, parseOptions, UsageError } from './options.ts';

it('takes the node conformance cases unless told otherwise', () => {
  expect(parseOptions([])).toEqual({
    focus: DEFAULT_FOCUS,
    skip: undefined,
    plain: false,
    procs: 4,
    minutes: undefined,
    prepared: false,
  });
  expect(
    parseOptions([
      '--focus',
      'Pods.*exec',
      '--skip=Serial|Slow',
      '--plain',
      '--procs',
      '16',
      '--minutes=5',
      '--prepared',
    ]),
  ).toEqual({
    focus: 'Pods.*exec',
    skip: 'Serial|Slow',
    plain: true,
    procs: 16,
    minutes: 5,
    prepared: true,
  });
  expect(parseOptions(['--focus', '(?i)secrets'])?.focus).toBe('(?i)secrets');
  expect(parseOptions(['--help'])).toBeUndefined();
});

it.each([
  [['--focus', '['], /--focus is no regular expression/],
  [['--skip', '(a'], /--skip is no regular expression/],
  [['--focus', ''], /--focus wants a regular expression/],
  [['--focus', '(?=a)'], /no look-around/],
  [['--skip', '(a)\\1'], /no back-references/],
  [['--focus'], /see --help/],
  [['--procs', '0'], /--procs 0: a whole number from 1 to 16/],
  [['--procs', '17'], /a whole number from 1 to 16/],
  [['--procs', 'all'], /a whole number from 1 to 16/],
  [['--minutes', '0'], /--minutes 0: a whole number from 1 to 1440/],
  [['--minutes', '1441'], /from 1 to 1440/],
  [['--minutes', 'soon'], /from 1 to 1440/],
  [['--nodes', '4'], /see --help/],
  [['Pods'], /see --help/],
])('refuses %j', (argv, message) => {
  expect(() => parseOptions(argv)).toThrow(UsageError);
  expect(() => parseOptions(argv)).toThrow(message);
});
