import { expect, test } from 'vitest';
import { COMMON_OPTIONS, helpText, OptionError, parseOptions } from './options.ts';

const TABLE = {
  name: { type: 'string', required: true, description: 'name of the binding' },
  note: { type: 'string', description: 'a note' },
  mode: { type: 'string', default: 'a', choices: ['a', 'b'], description: 'the mode' },
  zone: { type: 'string', default: 'UTC', pattern: /^[A-Z]+$/, form: 'capital letters', description: 'the zone' },
  period: { type: 'integer', default: 10, min: 1, max: 60, unit: 'seconds', description: 'between renewals' },
  count: { type: 'integer', default: 0, description: 'how many' },
  elect: { type: 'boolean', default: true, description: 'lead' },
} as const;

test('defaults, both forms of a value, and bare booleans', () => {
  expect(parseOptions(TABLE, ['--name', 'x'])).toEqual({
    name: 'x',
    note: undefined,
    mode: 'a',
    zone: 'UTC',
    period: 10,
    count: 0,
    elect: true,
  });
  expect(parseOptions(TABLE, ['--name=a=b', '--period', '60', '--elect=false', '--mode=b', '--note='])).toMatchObject({
    name: 'a=b',
    period: 60,
    elect: false,
    mode: 'b',
    note: '',
  });
  expect(parseOptions(TABLE, ['--name=x', '--elect', '--count=5'])).toMatchObject({ elect: true, count: 5 });
});

test('a value may begin with dashes only after an equals sign or as the next word', () => {
  expect(parseOptions(TABLE, ['--name', '--period', '--note=--x'])).toMatchObject({ name: '--period', note: '--x' });
});

test('--help and -h win over everything after them', () => {
  expect(parseOptions(TABLE, ['--help', '--nonsense'])).toBe('help');
  expect(parseOptions(TABLE, ['--name=x', '-h'])).toBe('help');
});

test.each([
  { argv: [], message: '--name is required: name of the binding' },
  { argv: ['--name='], message: '--name must not be empty: name of the binding' },
  { argv: ['--name'], message: '--name needs a value: name of the binding' },
  { argv: ['--name=x', '--name=y'], message: '--name is given twice' },
  { argv: ['x'], message: 'unexpected argument "x"; see --help' },
  { argv: ['-n', 'x'], message: 'unexpected argument "-n"; see --help' },
  { argv: ['--colour=x'], message: 'unknown flag --colour; see --help' },
  { argv: ['--perod=1'], message: 'unknown flag --perod (did you mean --period?); see --help' },
  { argv: ['--name=x', '--mode=c'], message: '--mode takes one of a, b, not "c"' },
  { argv: ['--name=x', '--zone=utc'], message: '--zone takes capital letters, not "utc"' },
  { argv: ['--name=x', '--elect=yes'], message: '--elect takes true or false, not "yes"' },
  { argv: ['--name=x', '--period=0'], message: '--period takes a whole number from 1 to 60 (seconds), not "0"' },
  { argv: ['--name=x', '--period=61'], message: '--period takes a whole number from 1 to 60 (seconds), not "61"' },
  { argv: ['--name=x', '--period=1.5'], message: '--period takes a whole number from 1 to 60 (seconds), not "1.5"' },
  { argv: ['--name=x', '--count=-1'], message: '--count takes a whole number of at least 0, not "-1"' },
  { argv: ['--name=x', '--count=1e3'], message: '--count takes a whole number of at least 0, not "1e3"' },
  { argv: ['--name=x', '--count='], message: '--count takes a whole number of at least 0, not ""' },
])('refuses $argv', ({ argv, message }) => {
  expect(() => parseOptions(TABLE, argv)).toThrow(new OptionError(message));
});

test.each(['--__proto__=x', '--constructor=x', '--toString'])('%s is an unknown flag like any other', (flag) => {
  expect(() => parseOptions(TABLE, ['--name=x', flag])).toThrow(/^unknown flag/);
});

test.each([
  [':8080', true],
  ['127.0.0.1:0', true],
  ['[::1]:8081', true],
  ['8080', false],
  ['host:port', false],
  ['::1:80', false],
  [':70000', false],
])('address %s is taken: %s', (address, taken) => {
  const parse = () => parseOptions(COMMON_OPTIONS, [`--metrics-bind-address=${address}`]);
  if (taken) expect(parse()).toMatchObject({ 'metrics-bind-address': address });
  else expect(parse).toThrow(/--metrics-bind-address takes an address such as :8080/);
});

test('the help names every flag with its default, unit and whether it is required', () => {
  const text = helpText('kubeocean-x', 'does things', TABLE);
  expect(text).toContain('kubeocean-x: does things');
  expect(text).toMatch(/--name TEXT +name of the binding \(required\)/);
  expect(text).toMatch(/--mode a\|b +the mode \(default a\)/);
  expect(text).toMatch(/--period N +between renewals \(default 10 seconds\)/);
  expect(text).toMatch(/--elect=true\|false +lead \(default true\)/);
  expect(text).toMatch(/--help +print this/);
});
