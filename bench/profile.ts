/**
 * A CPU profile of a Node process that runs in a pod, by its inspector: SIGUSR1 opens it on the loopback of the pod's
 * network, where a helper in that network talks to it. `node bench/profile.ts <pid> <seconds> <file>` inside nsenter.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type CpuProfile, flameGraph, WAITING } from './flame.ts';
import { quantile } from './statistics.ts';

/** What the helper has beyond the time it profiles, before it counts as stuck. */
const PATIENCE_MS = 30_000;

/**
 * Profiles the process for so many seconds into `file`; resolves when it is written.
 * @throws Error in the helper's words when it failed, and when `signal` ended it
 */
export function profileProcess(pid: number, seconds: number, file: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const argv = [
    'nsenter',
    '-t',
    String(pid),
    '-n',
    process.execPath,
    import.meta.filename,
    String(pid),
    String(seconds),
    file,
  ];
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1000 + PATIENCE_MS,
    signal,
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('error', reject);
  child.on('close', (code, killed) => {
    if (code === 0) return resolve();
    const words = Buffer.concat(chunks).toString().trim().split('\n').at(-1) ?? '';
    reject(new Error(`the profiler ended with ${killed ?? code}: ${words}`));
  });
  return promise;
}

/** The functions with the most time of their own: milliseconds by `name (file:line)`, the greatest first. */
export function selfTimes(profile: CpuProfile): [string, number][] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'}${url ? ` (${url.split('/').at(-1)}:${lineNumber + 1})` : ''}`,
    ]),
  );
  const times = new Map<string, number>();
  for (const [at, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '?';
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[at] ?? 0) / 1000);
  }
  return [...times].toSorted((a, b) => b[1] - a[1]);
}

async function record(pid: number, seconds: number, file: string): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  let list: { webSocketDebuggerUrl: string }[] | undefined;
  for (let attempt = 0; attempt < 50 && !list; attempt++) {
    await new Promise((wait) => setTimeout(wait, 100));
    list = await fetch('http://127.0.0.1:9229/json/list')
      .then(async (response) => (await response.json()) as { webSocketDebuggerUrl: string }[])
      .catch(() => undefined);
  }
  const url = list?.[0]?.webSocketDebuggerUrl;
  if (!url) throw new Error(`the inspector of ${pid} does not answer`);
  const socket = new WebSocket(url);
  await new Promise((opened, failed) => {
    socket.addEventListener('open', opened);
    socket.addEventListener('error', failed);
  });
  let id = 0;
  const call = (method: string, params = {}): Promise<Record<string, unknown>> => {
    const mine = ++id;
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as { id: number; result: Record<string, unknown> };
      if (answer.id === mine) resolve(answer.result);
    });
    socket.send(JSON.stringify({ id: mine, method, params }));
    return promise;
  };
  await call('Profiler.enable');
  await call('Profiler.setSamplingInterval', { interval: 500 });
  await call('Profiler.start');
  await new Promise((wait) => setTimeout(wait, seconds * 1000));
  const { profile } = await call('Profiler.stop');
  writeFileSync(file, JSON.stringify(profile));
  socket.close();
}

/** The table for people, and a flame graph if it is asked for. */
function show(file: string, picture: string | undefined): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  if (picture) writeFileSync(picture, flameGraph(profile, `Where ${basename(file)} spends its time`));
  const times = selfTimes(profile);
  const isWaiting = ([name]: [string, number]) => WAITING.includes(name.replace(/ \(.*/, ''));
  const busy = times.filter((one) => !isWaiting(one));
  const all = busy.reduce((sum, [, ms]) => sum + ms, 0);
  const idle = times.filter(isWaiting).reduce((sum, [, ms]) => sum + ms, 0);
  console.log(`busy ${(all / 1000).toFixed(1)} s, idle ${(idle / 1000).toFixed(1)} s`);
  for (const [name, ms] of busy.slice(0, 40)) {
    console.log(`${((100 * ms) / all).toFixed(1).padStart(5)} %  ${ms.toFixed(0).padStart(6)} ms  ${name}`);
  }
}

if (import.meta.main) {
  const [first = '', second = '', file = ''] = process.argv.slice(2);
  if (first.endsWith('.cpuprofile')) show(first, second || undefined);
  else if (Number.isFinite(quantile([Number(first), Number(second)], 1)) && file) {
    await record(Number(first), Number(second), file);
    process.exit(0);
  } else {
    console.error(
      'usage: node bench/profile.ts FILE.cpuprofile [PICTURE.svg]\n       node bench/profile.ts PID SECONDS FILE.cpuprofile',
    );
    process.exit(2);
  }
}
