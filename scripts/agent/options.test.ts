import { expect, test } from 'vitest';
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
