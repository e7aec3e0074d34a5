import { OptionError } from '@kubeocean/shared/daemon';
import { describe, expect, test } from 'vitest';
import { readCommandLine } from './command.ts';
import { explainCommand } from './explain/command.ts';
import { command, listOf, startCluster } from './fake-cluster.ts';
import { runProgram } from './program.ts';

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

test('what nobody thought of is told as such, and is no answer', async () => {
  const cluster = await startCluster();
  cluster.answers = () => listOf({ metadata: { name: 'x' }, spec: { taints: 'none' } });
  const result = await command('explain', 'node', 'x', '--kubeconfig', cluster.kubeconfig);
  cluster.stop();
  expect(result).toMatchObject({ code: 1, out: '' });
  expect(result.error).toContain('kubeocean explain: a mistake of this program, please report it: TypeError');
});

test('an owner of a worker explains a policy with no more than $KUBECONFIG', async () => {
  const cluster = await startCluster();
  cluster.answers = () => listOf();
  let error = '';
  const code = await runProgram(['explain', 'policy', 'x'], {
    out: () => undefined,
    error: (text) => (error += text),
    env: { KUBECONFIG: cluster.kubeconfig },
    now: () => new Date('2026-11-20T12:00:00Z'),
  });
  cluster.stop();
  expect(code).toBe(1);
  expect(error).toContain('there is no ResourceLeasingPolicy x in the worker cluster');
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
    [['windows', 'a.yaml', '--from=2026-02-30T00:00:00Z'], 2, 'there is no such time: 2026-02-30T00:00:00Z'],
    [['windows', ''], 2, 'an argument is empty'],
    [['adopt', ''], 2, 'an argument is empty'],
    [['adopt', '..'], 2, '".." is no name of a ClusterBinding'],
    [['explain', 'pod', ''], 2, 'an argument is empty'],
    [['explain', 'pod', 'a/'], 2, 'the name of the pod is empty'],
    [['explain', 'pod', '/a'], 2, 'the name of the namespace is empty'],
    [['explain', 'pod', 'a', '-n', ''], 2, 'empty'],
    [['explain', 'pod', 'a/b/c'], 2, 'give NAME or NAMESPACE/NAME'],
    [['explain', 'constructor', 'x'], 2, 'there are: node, pod, policy'],
    [['windows', 'a.yaml', '-o', 'yaml'], 2, '--output takes one of text, json'],
    [['windows', './missing.yaml'], 1, './missing.yaml cannot be read'],
    [['windows', 'name'], 1, 'give --kubeconfig'],
    [['explain', 'lease', 'x'], 2, 'there are: node, pod, policy'],
    [['explain', 'node', 'x'], 1, 'give --kubeconfig'],
    [['windows', 'x', '--worker-kubeconfig=y'], 2, 'did you mean --kubeconfig?'],
    [['explain', 'policy', 'x', '--worker-kubeconfig=/missing'], 1, 'kubeconfig of the worker cluster, /missing'],
  ] as const)('%j → %i', async (argv, code, words) => {
    const result = await command(...argv);
    expect(result.code).toBe(code);
    expect(code === 0 ? result.out : result.error).toContain(words);
    expect(code === 0 ? result.error : result.out).toBe('');
  });
});
