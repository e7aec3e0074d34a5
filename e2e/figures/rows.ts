/**
 * What is measured of a vnode beside a real kubelet. Both are asked in turns, so that what else the machine does falls
 * on both alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pathOf, Pods } from '@kubeocean/shared/kube';
import type { FigureOptions, RowName } from './options.ts';
import { exec, type Exec, idle, type PodRef, roundTrips } from './session.ts';
import { quantile, type Row } from './statistics.ts';

export const ECHO_PORT = 7000;
/** Less than the 10 MiB at which kubelets begin a new file. */
export const LOG_LINES = 9000;
export const LOG_LINE = 1000;

/** One of the two places: a pod, and the process that serves its sessions. */
export interface Lane extends PodRef {
  /** Resident bytes of that process. */
  memory(): Promise<number>;
  /** Seconds of processor time it has used. */
  processor(): Promise<number>;
}

export interface Lanes {
  vnode: Lane;
  kubelet: Lane;
}

type Side = keyof Lanes;
const SIDES: readonly Side[] = ['kubelet', 'vnode'];

/** A line of the table that some figure of many tries goes into. */
function line(what: string, unit: string, values: Record<Side, number[]>, share: number, target?: Row['target']): Row {
  const { vnode, kubelet } = values;
  return { what, unit, vnode: quantile(vnode, share), kubelet: quantile(kubelet, share), ...(target && { target }) };
}

async function inTurns(times: number, measure: (lane: Lane, i: number) => Promise<number>, lanes: Lanes) {
  const values: Record<Side, number[]> = { vnode: [], kubelet: [] };
  for (let i = 0; i < times; i++) for (const side of SIDES) values[side].push(await measure(lanes[side], i));
  return values;
}

/** Reads a pod's log to its end. */
export async function readLog({ client, namespace, name }: PodRef): Promise<{ bytes: number; seconds: number }> {
  const started = performance.now();
  const response = await client.transport.stream({
    method: 'GET',
    path: pathOf(Pods, namespace, name, 'log'),
    headers: { accept: '*/*' },
  });
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return { bytes, seconds: (performance.now() - started) / 1000 };
}

async function logs(lanes: Lanes, { logs: times }: FigureOptions): Promise<Row[]> {
  const speed = async (lane: Lane) => {
    const { bytes, seconds } = await readLog(lane);
    if (bytes !== LOG_LINES * LOG_LINE) throw new Error(`${lane.name}: ${bytes} bytes of log`);
    return bytes / 1e6 / seconds;
  };
  // The first of each fills caches.
  for (const side of SIDES) await speed(lanes[side]);
  const what = `log of ${(LOG_LINES * LOG_LINE) / 1e6} MB, median of ${times}`;
  const target = { text: '≥ 0.5×', met: (vnode: number, kubelet: number) => vnode >= kubelet / 2 };
  return [line(what, 'MB/s', await inTurns(times, speed, lanes), 0.5, target)];
}

async function execs(lanes: Lanes, { execs: times }: FigureOptions): Promise<Row[]> {
  const first = async (lane: Lane) => (await exec(lane, ['echo', 'here'])).firstByteMs;
  await inTurns(5, first, lanes);
  const used = async () => ({ vnode: await lanes.vnode.processor(), kubelet: await lanes.kubelet.processor() });
  const before = await used();
  const values = await inTurns(times, first, lanes);
  const after = await used();
  const perExec = (side: Side) => ((after[side] - before[side]) * 1000) / times;
  const processor: Row = {
    what: 'processor time of an exec, in the proxier or the kubelet',
    unit: 'ms',
    vnode: perExec('vnode'),
    kubelet: perExec('kubelet'),
  };
  const waited = (
    [
      [0.5, 15],
      [0.99, 50],
    ] as const
  ).map(([share, most]) =>
    line(`exec until its first byte, p${share * 100} of ${times}`, 'ms', values, share, {
      text: `≤ +${most} ms`,
      met: (vnode, kubelet) => vnode <= kubelet + most,
    }),
  );
  return [...waited, processor];
}

/** What an `echo here` has come to, when that is not what it should be. */
function wrongWith(one: Exec | Error): string | undefined {
  if (one instanceof Error) return one.message;
  if (!one.succeeded) return one.told;
  return one.bytes === 5 ? undefined : `${one.bytes} of 5 bytes`;
}

async function concurrent(lanes: Lanes, { concurrent: count }: FigureOptions): Promise<Row[]> {
  const first: Record<Side, number[]> = { vnode: [], kubelet: [] };
  const last: Record<Side, number[]> = { vnode: [], kubelet: [] };
  const good: Record<Side, number[]> = { vnode: [], kubelet: [] };
  for (const side of SIDES) {
    const started = performance.now();
    const { name } = lanes[side];
    const bad = new Map<string, number>();
    let ended = 0;
    const done = await Promise.all(
      Array.from({ length: count }, async () => {
        const one = await exec(lanes[side], ['echo', 'here']).catch((error: Error) => error);
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        if (++ended % 25 === 0) console.error(`  ${name}: ${ended} of ${count} after ${seconds} s`);
        const wrong = wrongWith(one);
        if (wrong === undefined) return one as Exec;
        bad.set(wrong, (bad.get(wrong) ?? 0) + 1);
        return undefined;
      }),
    );
    for (const [wrong, times] of bad) console.error(`  ${name}: ${times} times ${wrong}`);
    const whole = done.filter((one) => one !== undefined);
    first[side] = whole.map(({ firstByteMs }) => firstByteMs / 1000);
    last[side] = [(performance.now() - started) / 1000];
    good[side] = [whole.length];
  }
  const target = { text: `all ${count}`, met: (vnode: number) => vnode === count };
  return [
    line(`${count} execs at once: how many were good`, '', good, 0.5, target),
    line(`${count} execs at once, until the last has ended`, 's', last, 0.5),
    line(`${count} execs at once, until the first byte, p50`, 's', first, 0.5),
  ];
}

async function idleMemory(lanes: Lanes, { idle: count }: FigureOptions): Promise<Row[]> {
  const target = { text: '≤ 200 KB', met: (vnode: number) => vnode <= 200 };
  const values = await inTurns(1, (lane) => memoryOfIdle(lane, count), lanes);
  return [line(`memory of an idle session, of ${count}`, 'KB', values, 0.5, target)];
}

/** Sessions that are open before the first look: what a process takes once, for its first ones, is no session's. */
const FIRST_IDLE = 40;

/** Kilobytes that the serving process grows by for each of `count` more open sessions. */
async function memoryOfIdle(lane: Lane, count: number): Promise<number> {
  const sessions: { close(): void }[] = [];
  async function memoryWith(open: number): Promise<number> {
    // Twenty at a time: what counts is memory held, not the heap of a rush.
    while (sessions.length < open) {
      const next = Math.min(20, open - sessions.length);
      sessions.push(...(await Promise.all(Array.from({ length: next }, () => idle(lane)))));
    }
    // A process's own figures are some seconds old.
    await sleep(3000);
    return lane.memory();
  }
  try {
    const before = await memoryWith(FIRST_IDLE);
    return Math.max(0, ((await memoryWith(FIRST_IDLE + count)) - before) / 1024 / count);
  } finally {
    for (const session of sessions) session.close();
  }
}

async function output(lanes: Lanes, { megabytes }: FigureOptions): Promise<Row[]> {
  const seconds = async (lane: Lane) => {
    const { bytes, totalMs } = await exec(lane, ['head', '-c', String(megabytes * 1e6), '/dev/zero']);
    if (bytes !== megabytes * 1e6) throw new Error(`${lane.name}: ${bytes} bytes of ${megabytes} MB`);
    return totalMs / 1000;
  };
  const values = await inTurns(3, seconds, lanes);
  return [line(`${megabytes} MB of output, complete, median of 3`, 's', values, 0.5)];
}

async function forward(lanes: Lanes, { roundTrips: count }: FigureOptions): Promise<Row[]> {
  const values: Record<Side, number[]> = { vnode: [], kubelet: [] };
  // In two halves each, as a machine has better and worse moments.
  for (const part of [Math.ceil(count / 2), Math.floor(count / 2)]) {
    if (part === 0) continue;
    for (const side of SIDES) values[side].push(...(await roundTrips(lanes[side], ECHO_PORT, part)));
  }
  return [0.5, 0.99].map((share) =>
    line(`port-forward, a byte and back, p${share * 100} of ${count}`, 'ms', values, share),
  );
}

/** How each row is measured. @throws Error (rejects) when an answer is not what it should be, which is no figure. */
export const MEASURES: Record<RowName, (lanes: Lanes, options: FigureOptions) => Promise<Row[]>> = {
  logs,
  exec: execs,
  concurrent,
  idle: idleMemory,
  output,
  forward,
};
