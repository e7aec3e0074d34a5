import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from './flags.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { sampleRestart, sampleRun } from './samples.ts';
import { beginSession, needOutput, report, save } from './session.ts';
import type { Settings } from './settings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeocean-session-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings: Settings = {
  system: 'charts',
  version: '0.1.0',
  computing: 'https://10.0.0.1',
  worker: 'https://10.0.0.2',
  secret: 's/s https://10.0.0.2',
  creators: 20,
  directScheduling: false,
  processes: 'a,b',
  mountNamespace: 'w',
};

function options(...argv: string[]): BenchOptions {
  const parsed = parseOptions(['--output', folder, ...argv], { files: false });
  if (parsed === 'help') throw new Error('help was not asked for');
  return parsed;
}

function json(file: string): unknown {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

describe('a long table in several goes', () => {
  it('goes on from what the folder has', () => {
    const first = beginSession(options(), settings);
    first.problems.push('the first go had one');
    first.scenarios.push(sampleRestart);
    first.runs.push(sampleRun('twin', 1), sampleRun('through', 2, { flaws: ['profiled'] }));
    save(first);
    const second = beginSession(options('--continue'), settings);
    expect(second).toMatchObject({ runs: first.runs, scenarios: first.scenarios, problems: first.problems });
    second.problems.push('the second, too');
    save(second);
    expect(json('details.json')).toMatchObject({ problems: ['the first go had one', 'the second, too'] });
    expect(json('latest.json')).toEqual([expect.objectContaining({ mode: 'twin', p99: 1 })]);
  });

  it('begins anew without the flag', () => {
    const first = beginSession(options(), settings);
    first.problems.push('old');
    save(first);
    expect(beginSession(options(), settings).problems).toEqual([]);
  });

  it.each(Object.entries({ ...settings, creators: 5, directScheduling: true, system: 'installed', version: 'other' }))(
    'refuses what was measured with another %s',
    (key, value) => {
      const other = value === settings[key as keyof Settings] ? `${value}x` : value;
      save(beginSession(options(), { ...settings, [key]: other }));
      const begin = () => beginSession(options('--continue'), settings);
      expect(begin).toThrow(UsageError);
      expect(begin).toThrow(`${key} was "${other}" and is "${settings[key as keyof Settings]}"`);
    },
  );

  const good = { settings, runs: [sampleRun('twin', 1)], scenarios: [sampleRestart], problems: ['p'] };

  it.each([
    ['no file', undefined, 'cannot be read'],
    ['no JSON', '{', 'cannot be read'],
    ['something else', '{"runs": 3}', 'is not what this bench writes'],
    ['null', 'null', 'is not what this bench writes'],
    ['no settings', JSON.stringify({ ...good, settings: undefined }), 'is not what this bench writes'],
    ['a run that is none', JSON.stringify({ ...good, runs: [{ mode: 'twin' }] }), 'is not what this bench writes'],
    [
      'a run without a p99',
      JSON.stringify({ ...good, runs: [{ ...good.runs[0], p99: null }] }),
      'is not what this bench writes',
    ],
    [
      'another scenario',
      JSON.stringify({ ...good, scenarios: [{ scenario: 'rain' }] }),
      'is not what this bench writes',
    ],
    ['a problem without words', JSON.stringify({ ...good, problems: [3] }), 'is not what this bench writes'],
  ])('refuses %s', (_, text, words) => {
    if (text !== undefined) writeFileSync(join(folder, 'details.json'), text);
    const begin = () => beginSession(options('--continue'), settings);
    expect(begin).toThrow(UsageError);
    expect(begin).toThrow(words);
  });

  it('takes what is whole', () => {
    writeFileSync(join(folder, 'details.json'), JSON.stringify(good));
    expect(beginSession(options('--continue'), settings).runs).toHaveLength(1);
  });
});

describe('the results on disk', () => {
  it('of an earlier session stay when no run counts', () => {
    writeFileSync(join(folder, 'latest.json'), '["earlier"]');
    const session = beginSession(options(), settings);
    session.runs.push(sampleRun('twin', 1, { flaws: ['profiled'] }));
    save(session);
    expect(json('latest.json')).toEqual(['earlier']);
    expect(json('details.json')).toMatchObject({ runs: [{ flaws: ['profiled'] }] });
    session.runs.push(sampleRun('twin', 2));
    save(session);
    expect(json('latest.json')).toEqual([expect.objectContaining({ p99: 2 })]);
  });

  it('that cannot be written are a problem, told once, and nothing is thrown', () => {
    const session = beginSession(options(), settings);
    mkdirSync(join(folder, 'details.json'));
    save(session);
    save(session);
    expect(session.problems).toEqual([expect.stringContaining('the results cannot be saved')]);
  });

  it('need a folder that can be made', () => {
    needOutput(join(folder, 'a', 'b'));
    expect(existsSync(join(folder, 'a', 'b'))).toBe(true);
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => needOutput(join(file, 'below'))).toThrow(UsageError);
    expect(() => needOutput(join(file, 'below'))).toThrow(`--output: ${join(file, 'below')} cannot be written to`);
  });
});

describe('the end', () => {
  function ended(argv: string[], work: (session: ReturnType<typeof beginSession>) => void) {
    const session = beginSession(options(...argv), settings);
    work(session);
    const lines: string[] = [];
    const code = report(session, (line) => lines.push(line));
    return { code, text: lines.join('\n') };
  }

  it('of the short form says that it passed', () => {
    const { code, text } = ended(['--quick'], ({ runs, scenarios }) => {
      runs.push(sampleRun('twin', 1), sampleRun('through', 2));
      scenarios.push(sampleRestart);
    });
    expect(code).toBe(0);
    expect(text).toContain('bench --quick: passed');
  });

  it('of the short form has a code of its own when only p99 was missed, but not with a problem', () => {
    const slow = (session: ReturnType<typeof beginSession>) => {
      session.runs.push(sampleRun('twin', 1), sampleRun('through', 9));
      session.scenarios.push(sampleRestart);
    };
    expect(ended(['--quick'], slow).code).toBe(3);
    const both = ended(['--quick'], (session) => {
      slow(session);
      session.problems.push('something else');
    });
    expect(both.code).toBe(1);
    expect(both.text).toContain('FAILED: something else');
  });

  it('tells problems, and that nothing counts', () => {
    const { code, text } = ended([], ({ runs, problems }) => {
      runs.push(sampleRun('twin', 1, { flaws: ['profiled'] }));
      problems.push('left out');
    });
    expect(code).toBe(1);
    expect(text).toContain('problem: left out');
    expect(text).toContain('no run counts');
  });
});
