import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BenchOptions, parseOptions, UsageError } from './options.ts';
import { beginSession, save } from './session.ts';
import type { Sides } from './system.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeocean-session-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

// No cluster is asked for anything here.
const nowhere = {} as Sides;

function options(...argv: string[]): BenchOptions {
  const parsed = parseOptions(['--output', folder, ...argv], { files: false });
  if (parsed === 'help') throw new Error('help was not asked for');
  return parsed;
}

describe('a long table in several goes', () => {
  it('goes on from what the folder has', () => {
    const first = beginSession(options(), nowhere);
    first.problems.push('the first go had one');
    first.scenarios.push({ scenario: 'storm', pods: 5, nodes: 1, bindings: 1 } as never);
    save(first);
    const second = beginSession(options('--continue'), nowhere);
    expect(second).toMatchObject({ runs: [], scenarios: first.scenarios, problems: first.problems });
    second.problems.push('the second, too');
    save(second);
    expect(JSON.parse(readFileSync(join(folder, 'details.json'), 'utf8'))).toMatchObject({
      problems: ['the first go had one', 'the second, too'],
    });
  });

  it('begins anew without the flag', () => {
    const first = beginSession(options(), nowhere);
    first.problems.push('old');
    save(first);
    expect(beginSession(options(), nowhere).problems).toEqual([]);
  });

  it.each([
    ['no file', undefined, [], 'cannot be read'],
    ['no JSON', '{', [], 'cannot be read'],
    ['something else', '{"runs": 3}', [], 'is not what the bench writes'],
    ['null', 'null', [], 'is not what the bench writes'],
    [
      'other bindings',
      '{"runs":[],"scenarios":[],"problems":[],"directScheduling":true}',
      [],
      'was measured with --direct-scheduling',
    ],
    [
      'other bindings, the other way',
      '{"runs":[],"scenarios":[],"problems":[]}',
      ['--direct-scheduling'],
      'was measured without --direct-scheduling',
    ],
  ])('refuses %s', (_, text, flags, words) => {
    if (text !== undefined) writeFileSync(join(folder, 'details.json'), text);
    const begin = () => beginSession(options('--continue', ...flags), nowhere);
    expect(begin).toThrow(UsageError);
    expect(begin).toThrow(words);
  });
});
