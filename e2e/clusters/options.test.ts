import { describe, expect, it } from 'vitest';

import { parseCommandLine, settleSizes, UsageError } from './options.ts';

describe('command lines taken', () => {
  it.each([
    [['up'], { command: 'up', options: { provider: 'local' } }],
    [
      ['up', '--workers', '8', '--nodes=1', '--hollow', '1000'],
      { command: 'up', options: { provider: 'local', workers: 8, nodes: 1, hollow: 1000 } },
    ],
    [['up', '--storage'], { command: 'up', options: { provider: 'local', storage: true } }],
    [['up', '--hollow', '0'], { command: 'up', options: { provider: 'local', hollow: 0 } }],
    [['up', '--provider', 'kind'], { command: 'up', options: { provider: 'kind' } }],
    [['--workers', '2', 'up'], { command: 'up', options: { provider: 'local', workers: 2 } }],
    [['down'], { command: 'down', provider: 'local' }],
    [['status'], { command: 'status', provider: 'local' }],
    [['logs'], { command: 'logs', provider: 'local', cluster: undefined, component: undefined, lines: 40 }],
    [
      ['logs', 'worker-1', 'etcd', '--lines', '5'],
      { command: 'logs', provider: 'local', cluster: 'worker-1', component: 'etcd', lines: 5 },
    ],
    [['--help'], { command: 'help' }],
    [['up', '-h'], { command: 'help' }],
    [['help'], { command: 'help' }],
  ])('%j', (argv, expected) => {
    expect(parseCommandLine(argv)).toEqual(expected);
  });
});

describe('command lines refused, and what is said', () => {
  it.each([
    [[], /no command given: up, down, status or logs/],
    [['start'], /unknown command "start": up, down, status or logs/],
    [['toString'], /unknown command "toString"/],
    [['up', 'now'], /"up" does not take "now"/],
    [['down', 'worker-1'], /"down" does not take "worker-1"/],
    [['logs', 'a', 'b', 'c'], /"logs" does not take "c"/],
    [['up', '--worker', '1'], /Unknown option '--worker'/],
    [['up', '--workers'], /--workers.*argument missing/],
    [['up', '--workers', 'two'], /--workers wants a whole number, not "two"/],
    [['up', '--workers', ''], /--workers wants a whole number, not ""/],
    [['up', '--workers', '1.5'], /--workers wants a whole number, not "1.5"/],
    [['up', '--workers', '1e1'], /--workers wants a whole number, not "1e1"/],
    [['up', '--workers', '0'], /--workers must be from 1 to 8, not 0/],
    [['up', '--workers', '9'], /--workers must be from 1 to 8, not 9/],
    [['up', '--nodes', '-1'], /--nodes must be from 1 to 8, not -1/],
    [['up', '--nodes=-1'], /--nodes must be from 1 to 8, not -1/],
    [['up', '--nodes', '9'], /--nodes must be from 1 to 8, not 9/],
    [['down', '--storage'], /--storage does not belong to "down"/],
    [['up', '--hollow', '1001'], /--hollow must be from 0 to 1000, not 1001/],
    [['up', '--hollow', '-5'], /--hollow must be from 0 to 1000, not -5/],
    [['up', '--provider', 'k3d'], /--provider must be local or kind, not "k3d"/],
    [['up', '--lines', '3'], /--lines does not belong to "up"/],
    [['down', '--workers', '1'], /--workers does not belong to "down"/],
    [['logs', '--lines', '0'], /--lines must be from 1 to 100000, not 0/],
  ])('%j', (argv, message) => {
    expect(() => parseCommandLine(argv)).toThrow(UsageError);
    expect(() => parseCommandLine(argv)).toThrow(message);
  });
});

describe('sizes', () => {
  const running = { workers: 2, nodes: 3, hollow: 10 };

  it('are the usual ones when nothing is asked and nothing runs', () => {
    expect(settleSizes({}, undefined)).toEqual({ workers: 1, nodes: 2, hollow: 0 });
  });

  it('stay as they run when nothing is asked', () => {
    expect(settleSizes({}, running)).toEqual(running);
  });

  it('grow', () => {
    expect(settleSizes({ workers: 3 }, running)).toEqual({ workers: 3, nodes: 3, hollow: 10 });
  });

  it('do not shrink without a down', () => {
    expect(() => settleSizes({ nodes: 2 }, running)).toThrow(/3 nodes run already and cannot become 2: .* down/);
  });

  it('given by a program are checked as those of the command line', () => {
    expect(() => settleSizes({ nodes: 1.5 }, undefined)).toThrow(/nodes must be a whole number from 1 to 8/);
  });
});
