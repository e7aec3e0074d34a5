import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lifePeakMiB, meter, parseStat, parseStatus, podUidIn, type Proc, sidesWithout } from './processes.ts';

describe('what /proc tells of a process', () => {
  it.each([
    ['0::/kubepods/burstable/pod0f1e2d3c-1111-2222-3333-444455556666/abc', '0f1e2d3c-1111-2222-3333-444455556666'],
    [
      '0::/kubepods.slice/kubepods-pod0f1e2d3c_1111_2222_3333_444455556666.slice/cri-containerd-abc.scope',
      '0f1e2d3c-1111-2222-3333-444455556666',
    ],
    ['0::/user.slice/session-1.scope', undefined],
    ['', undefined],
  ])('finds the pod in %s', (cgroup, uid) => expect(podUidIn(cgroup)).toBe(uid));

  it('reads times behind a name with blanks and brackets', () => {
    const fields = ['S', ...Array.from({ length: 10 }, () => '0'), '250', '50', '0', '0', '20', '0', '11', '0', '987'];
    expect(parseStat(`42 (a (b) c) ${fields.join(' ')} 1 2`)).toEqual({ cpuSeconds: 3, started: 987 });
  });

  it('reads its own', () => {
    const own = parseStat(readFileSync('/proc/self/stat', 'latin1'));
    expect(own?.cpuSeconds).toBeGreaterThan(0);
    expect(own?.started).toBeGreaterThan(0);
  });

  it('says nothing of one that is gone, rather than 0', () => expect(parseStat('')).toBeUndefined());

  it.each([
    ['NSpid:\t4711\t1', true],
    ['NSpid:\t4711\t37', false],
    ['NSpid:\t4711', true],
    ['', true],
  ])("tells a container's own process by %j: %s", (line, main) => {
    expect(parseStatus(`Name:\tnode\nVmHWM:\t  2048 kB\n${line}\n`)).toEqual({ peakMiB: 2, main });
  });
});

function proc(pid: number, started: number, main = true): Proc {
  return { pid, pod: 'syncer-1', component: 'syncer', main, started };
}

describe('measuring processes', () => {
  it('tells of one that ended, and of another that took its number', async () => {
    const child = spawn('sleep', ['60']);
    const { pid = 0 } = child;
    const started = parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.started ?? 0;
    const of = (one: Proc) => meter({ computing: [one], worker: [] });
    const same = of(proc(pid, started));
    const other = of(proc(pid, started + 1));
    const helper = of(proc(pid, started, false));
    expect(same()[0]).toMatchObject({ pod: 'syncer-1', ended: false });
    expect(same()[0]?.peakMiB).toBeGreaterThan(0);
    expect(other()[0]).toMatchObject({ ended: true, cpuSeconds: 0, peakMiB: 0 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(same()[0]).toMatchObject({ ended: true });
    // What a kubelet runs in a container comes and goes.
    expect(helper()[0]).toMatchObject({ ended: false });
  });

  it('reads a peak without beginning it anew', () => {
    const before = parseStatus(readFileSync('/proc/self/status', 'latin1')).peakMiB;
    expect(lifePeakMiB([{ pid: process.pid }])).toBeGreaterThanOrEqual(before);
    expect(() => lifePeakMiB([])).toThrow('none of them is there');
  });

  it('names the sides without any', () => {
    expect(sidesWithout({ computing: [proc(1, 1)], worker: [] })).toEqual(['worker']);
    expect(sidesWithout({ computing: [], worker: [] })).toEqual(['computing', 'worker']);
  });
});
