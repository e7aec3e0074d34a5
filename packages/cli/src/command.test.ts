import { OptionError } from '@kubeocean/shared/daemon';
import { describe, expect, test } from 'vitest';
import { readCommandLine } from './command.ts';
import { explainCommand } from './explain/command.ts';
import { runProgram } from './program.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', ''];
  const code = await runProgram(argv, {
    out: (text) => (out += text),
    error: (text) => (error += text),
    env: { HOME: '/nowhere' },
    now: () => new Date('2026-11-20T12:00:00Z'),
  });
  return { code, out, error };
}

test.each([
  [['pod', 'web', '-n', 'shop', '-o', 'json'], { namespace: 'shop', output: 'json' }],
  [['-n=shop', 'pod', '--output=json', 'web'], { namespace: 'shop', output: 'json' }],
  [['pod', '-nshop', '--', 'web'], { namespace: 'shop', output: 'text' }],
])('%j', (argv, options) => {
  expect(readCommandLine(explainCommand, argv)).toMatchObject({ args: ['pod', 'web'], options });
});

test('arguments are counted', () => {
  expect(() => readCommandLine(explainCommand, ['pod'])).toThrow(OptionError);
  expect(() => readCommandLine(explainCommand, ['pod', 'a', 'b'])).toThrow('unexpected argument "b"');
});

describe('exit codes', () => {
  test.each([
    [['--help'], 0, 'windows FILE|NAME'],
    [['explain', '--help'], 0, '--worker-kubeconfig'],
    [[], 2, 'a command is needed'],
    [['lend'], 2, 'unknown command "lend"; there are: windows, explain'],
    [['windows', 'a.yaml', '--day=1'], 2, 'did you mean --days?'],
    [['windows', 'a.yaml', '--time-zone=Mars'], 2, 'time zone "Mars" is not known'],
    [['windows', 'a.yaml', '--from=tomorrow'], 2, '--from takes an RFC 3339 time'],
    [['windows', 'a.yaml', '-o', 'yaml'], 2, '--output takes one of text, json'],
    [['windows', './missing.yaml'], 1, './missing.yaml cannot be read'],
    [['windows', 'name'], 1, 'give --kubeconfig'],
    [['explain', 'lease', 'x'], 2, 'there are: node, pod, policy'],
    [['explain', 'node', 'x'], 1, 'give --kubeconfig'],
    [['explain', 'policy', 'x', '--worker-kubeconfig=/missing'], 1, 'kubeconfig of the worker cluster, /missing'],
  ] as const)('%j → %i', async (argv, code, words) => {
    const result = await run(...argv);
    expect(result.code).toBe(code);
    expect(code === 0 ? result.out : result.error).toContain(words);
    expect(code === 0 ? result.error : result.out).toBe('');
  });
});
