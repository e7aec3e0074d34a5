import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readOptions } from './options.ts';

const defaults = { kubeconfig: 'admin', pods: 5000, sizes: [1, 50], step: 'all' };
const choices = { step: ['all', 'prepare'] };

test.each([
  [[], defaults],
  [['--pods', '7', '--kubeconfig=mine'], { ...defaults, pods: 7, kubeconfig: 'mine' }],
  [['--sizes', '1,500'], { ...defaults, sizes: [1, 500] }],
  [['--step=prepare'], { ...defaults, step: 'prepare' }],
])('%j', (argv, expected) => expect(readOptions(argv, defaults, choices)).toEqual(expected));

test.each([
  [['--pods', '0'], '--pods takes whole numbers from 1 to 9999999, not "0"'],
  [['--pods', '1e3'], 'not "1e3"'],
  [['--sizes', '1,,2'], '--sizes takes whole numbers from 1 to 9999999, not ""'],
  [['--step', 'other'], '--step takes one of all, prepare, not "other"'],
  [['--kubeconfig='], '--kubeconfig is empty'],
  [['--podz', '1'], "Unknown option '--podz'; the options are --kubeconfig, --pods, --sizes, --step"],
  [['stray'], 'Unexpected argument'],
])('%j is refused', (argv, words) => expect(() => readOptions(argv, defaults, choices)).toThrow(words));

function runScript(name: string, ...argv: string[]) {
  const script = resolve(import.meta.dirname, `../${name}.ts`);
  return spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8', timeout: 60_000 });
}

test.each([
  ['reclaim-time', '--pods N,N,... (default 1,50)'],
  ['agent-cost', '--step all|prepare|measure|clear (default all)'],
  ['pod-latency', '--pods N (default 10)'],
  ['list-cost', '--rounds N (default 3)'],
  ['store-memory', '--pods N (default 5000)'],
  ['proxier-figures', '[--execs N]'],
])('%s says what its options are, with no clusters either', (name, words) => {
  expect(runScript(name, '--help')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining(words) });
});

describe('scripts/agent-look.ts', () => {
  const run = (...argv: string[]) => runScript('agent-look', ...argv);

  test('says what its options are', () => {
    const { status, stdout } = run('--help');
    expect([status, stdout]).toEqual([0, expect.stringContaining('--pods N    pods that are there at once')]);
  });

  test.each([
    [['--nodes', 'ten'], '--nodes takes whole numbers from 1 to 9999999, not "ten"'],
    [['--lent', '101'], '--lent takes a percentage from 1 to 100, not 101'],
    [['--loops', '1'], "Unknown option '--loops'; the options are --pods, --nodes, --lent, --looks, --rate"],
  ])('%j is refused', (argv, words) => {
    const { status, stderr } = run(...argv);
    expect([status, stderr.trim()]).toEqual([2, words]);
  });

  test('a small cluster comes, rests and goes without a needless write', () => {
    const { status, stdout, stderr } = run('--pods', '40', '--nodes', '3', '--lent', '50', '--looks', '2');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/a look at pods that did not change: [\d.]+ ms, [\d.]+ us a pod/);
    expect(stdout).toMatch(/a minute in which nothing happens: .* for which 0 looks are asked/);
    expect(stdout).toMatch(/a whole life, 60 pods a second: [\d.]+ ms a pod in \d+ looks; .* in 240 events/);
  });
});
