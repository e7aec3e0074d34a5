import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from './flags.ts';
import { help } from './help.ts';
import { type BenchOptions, parseOptions } from './options.ts';

function parse(...argv: string[]): BenchOptions {
  const options = parseOptions(argv, { files: false });
  if (options === 'help') throw new Error('help was not asked for');
  return options;
}

describe('the command line', () => {
  it('has usual values', () => {
    expect(parse()).toMatchObject({
      cases: [
        { pods: 100, nodes: 10, bindings: 1 },
        { pods: 1000, nodes: 10, bindings: 1 },
      ],
      runs: 3,
      modes: ['direct', 'twin', 'through'],
      creators: 20,
      idleSeconds: 120,
      quick: false,
      directScheduling: false,
    });
  });

  it('crosses the lists of sizes', () => {
    const { cases } = parse('--pods', '10,20', '--nodes=4,8', '--bindings=1,4');
    expect(cases).toHaveLength(8);
    expect(cases).toContainEqual({ pods: 20, nodes: 4, bindings: 4 });
  });

  it('takes cases one by one', () => {
    expect(parse('--cases', '1000x100x4,5x1x1').cases).toEqual([
      { pods: 1000, nodes: 100, bindings: 4 },
      { pods: 5, nodes: 1, bindings: 1 },
    ]);
  });

  it('makes bindings that go past the scheduler when asked to', () => {
    expect(parse('--direct-scheduling').directScheduling).toBe(true);
    expect(() => parse('--direct-scheduling=yes')).toThrow(UsageError);
  });

  it('has a short form and a full one', () => {
    expect(parse('--quick')).toMatchObject({ quick: true, runs: 1, scenarios: ['load', 'restart'] });
    expect(parse('--quick', '--pods', '50').cases).toEqual([{ pods: 50, nodes: 10, bindings: 1 }]);
    expect(parse('--full').cases.map(({ pods }) => pods)).toContain(10_000);
  });

  it.each([
    [['--quick', '--continue'], '--continue does not go with it'],
    [['--pods', 'many'], '--pods wants a whole number, not "many"'],
    [['--pods', '0'], '--pods must be from 1 to 20000, not 0'],
    [['--pods', '20001'], '--pods must be from 1 to 20000, not 20001'],
    [['--pods', '1,,2'], 'has an empty place'],
    [['--pods', '5,5'], '--pods names 5 twice'],
    [['--nodes', '501'], '--nodes must be from 1 to 500'],
    [['--bindings', '9'], '--bindings must be from 1 to 8'],
    [['--nodes', '2', '--bindings', '4'], '4 bindings cannot share 2 node(s)'],
    [['--cases', '1000'], '--cases wants PODSxNODESxBINDINGS'],
    [['--cases', '1000x0x1'], '--cases must be from 1 to 500, not 0'],
    [['--cases', '10x10x1', '--pods', '5'], '--cases replaces --pods'],
    [['--full', '--pods', '5'], '--full has its own sizes'],
    [['--full', '--quick'], 'exclude each other'],
    [['--runs', '1.5'], '--runs wants a whole number'],
    [['--modes', 'sideways'], '--modes takes direct, twin, through, not "sideways"'],
    [['--scenarios', 'rain'], '--scenarios takes load, single'],
    [['--quick', '--modes', 'direct'], '--modes must name both'],
    [['--system', 'magic'], '--system is charts or installed'],
    [['--secret', 'justaname'], '--secret wants two names parted by "/"'],
    [['--processes', 'one'], '--processes wants two names parted by ","'],
    [['--binding-prefix', 'Not_A_Name'], '--binding-prefix wants a name'],
    [['--binding-prefix', 'b'.repeat(21)], '--binding-prefix wants a name of at most 20'],
    [['--mount-namespace', 'n'.repeat(64)], '--mount-namespace wants a name of at most 63'],
    [['--mount-namespace', 'a.b'], '--mount-namespace wants a name'],
    [['--restart-selector', ''], 'an empty one would select every pod'],
    [['--restart-selector', ' '], 'an empty one would select every pod'],
    [['--quick', '--scenarios', 'load'], '--quick judges load and restart: --scenarios must name both'],
    [['--quick', '--scenarios', 'restart'], '--quick judges load and restart'],
    [['--quick', '--profile-seconds', '5'], '--quick judges runs that count, and profiled ones do not'],
    [['--profile-seconds', '5', '--modes', 'direct,twin'], '--modes must name through'],
    [['--profile-seconds', '5', '--scenarios', 'idle'], '--scenarios load'],
    [['--keep', '--nodes', '10,20'], '--keep leaves one set of nodes and bindings: give one number of each, not 2'],
    [['--keep', '--full'], '--keep leaves one set'],
    [['--idle-seconds', '1'], '--idle-seconds must be from 5 to 3600'],
    [['--creators', '0'], '--creators must be from 1 to 200'],
    [['--frobnicate'], 'see --help'],
    [['stray'], 'see --help'],
  ])('refuses %j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError);
    expect(() => parse(...argv)).toThrow(message);
  });

  it('takes names as long as Kubernetes does, and several sizes with --keep', () => {
    expect(parse('--mount-namespace', 'n'.repeat(63)).mountNamespace).toHaveLength(63);
    expect(parse('--keep', '--pods', '10,20').keep).toBe(true);
    expect(parse().kwok).toBeUndefined();
  });

  it('refuses one cluster for two, by whatever name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeocean-options-'));
    try {
      const file = join(folder, 'a');
      writeFileSync(file, '');
      symlinkSync(file, join(folder, 'b'));
      const read = () => parseOptions(['--computing', file, '--worker', join(folder, 'b')]);
      expect(read).toThrow('--computing and --worker are the same file');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses files that do not exist, saying how they come', () => {
    expect(() => parseOptions(['--worker', '/no/such/file', '--computing', '/dev/null'])).toThrow(
      '--worker: there is no file /no/such/file; "npm run cluster -- up --nodes 1" makes it',
    );
    expect(() => parseOptions(['--worker', '/dev/null', '--computing', '/dev/zero', '--kwok', '/no/kwok'])).toThrow(
      '--kwok: there is no file /no/kwok',
    );
  });

  it('explains every flag', () => {
    expect(parseOptions(['--help'])).toBe('help');
    for (const flag of ['quick', 'full', 'pods', 'cases', 'scenarios', 'computing', 'processes', 'kwok', 'keep']) {
      expect(help).toContain(`--${flag}`);
    }
  });
});
