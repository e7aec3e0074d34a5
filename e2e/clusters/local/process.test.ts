import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { commandHash, type Component, isAlive, logTail, parseRecord, parseStartTime, stopProcess } from './process.ts';

const folder = mkdtempSync(join(tmpdir(), 'process-'));
afterAll(() => rmSync(folder, { recursive: true }));

function stat(pid: number, name: string, state: string, startTime: string): string {
  return `${pid} (${name}) ${state} 1 ${'0 '.repeat(17)}${startTime} 0 0\n`;
}

describe('parseStartTime', () => {
  it.each(['sh', 'a b', 'a) R 1 2', '((('])('is not misled by the name %j', (name) => {
    expect(parseStartTime(stat(7, name, 'S', '4242'))).toBe('4242');
  });

  it('reads this process', () => {
    expect(Number(parseStartTime(readFileSync('/proc/self/stat', 'utf8')))).toBeGreaterThan(0);
  });
});

describe('parseRecord', () => {
  it('reads what the start script writes', () => {
    expect(parseRecord('12 345 0a1b\n')).toEqual({ pid: 12, startTime: '345', hash: '0a1b' });
  });

  it.each(['', '12', '12 345 0a1b', '12 345\n', 'x 1 a\n'])('takes no half record %j', (text) => {
    expect(parseRecord(text)).toBeUndefined();
  });
});

describe('isAlive', () => {
  const proc = join(folder, 'proc');
  mkdirSync(join(proc, '7'), { recursive: true });

  it.each([
    ['the process itself', 'S', '100', true],
    ['another process with its id', 'S', '101', false],
    ['a zombie', 'Z', '100', false],
  ])('%s', (_, state, startTime, alive) => {
    writeFileSync(join(proc, '7/stat'), stat(7, 'x', state, startTime));
    expect(isAlive({ pid: 7, startTime: '100', hash: 'a' }, proc)).toBe(alive);
  });

  it('no process with that id', () => {
    expect(isAlive({ pid: 8, startTime: '100', hash: 'a' }, proc)).toBe(false);
  });
});

describe('stopProcess', () => {
  it('insists when asking does not help', async () => {
    const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do read x; done'], { stdio: 'pipe' });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const startTime = parseStartTime(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))!;
    const record = { pid: child.pid!, startTime, hash: 'a' };
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    await stopProcess(record, 100);
    expect(isAlive(record)).toBe(false);
    expect(await ended).toBe('SIGKILL');
  });

  it('leaves another process with the same id alone', async () => {
    await stopProcess({ pid: process.pid, startTime: '1', hash: 'a' });
    expect(process.pid).toBeGreaterThan(0); // Still here.
  });
});

describe('commandHash', () => {
  const component: Component = { name: 'etcd', cluster: 'computing', netns: 'n', argv: ['a', 'b'] };

  it('changes with arguments, environment, namespace and inputs', () => {
    const changed: Component[] = [
      { ...component, argv: ['a b'] },
      { ...component, env: { A: '1' } },
      { ...component, netns: 'm' },
      { ...component, inputs: ['x'] },
    ];
    const hashes = [component, ...changed].map(commandHash);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(commandHash({ ...component })).toBe(hashes[0]);
  });
});

describe('logTail', () => {
  it('gives the last lines, or says that there is no log', () => {
    writeFileSync(join(folder, 'log'), 'a\nb\nc\n');
    expect(logTail(join(folder, 'log'), 2)).toBe('b\nc');
    expect(logTail(join(folder, 'none'), 2)).toBe('(no log)');
  });
});
