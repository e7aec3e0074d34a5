/**
 * The proxier and peers that do not keep to anything: sessions that are aborted by the thousand, clients that never
 * read, a worker that is gone in the middle of a stream, and requests that are none. The process goes on, and gives
 * back what it took.
 */
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { restartComponent, startComponent, stopComponent } from './clusters/index.ts';
import { startClient } from './clients/client.ts';
import { commandLine } from './clients/kubectls.ts';
import { cleanup, programPath, type RunningProcess, waitFor } from './harness/index.ts';
import { abortMany, execPath } from './proxier/abort.ts';
import { WEBSOCKET } from './proxier/ask.ts';
import type { Caller } from './proxier/callers.ts';
import { attack, request } from './proxier/fuzz.ts';
import { heldBy, INSPECTED } from './proxier/memory.ts';
import { openSessions } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

const pod = 'web';
/** Random requests, each on a connection of its own. */
const FUZZ = 800;
let rig: Rig;
let proxier: RunningProcess;
let admin: Caller;
let target: { host: string; port: number };

const exec = (...command: string[]) => execPath(rig.id, pod, ...command);
async function abort(count: number): Promise<void> {
  await abortMany({ rig, pod, admin, target }, count);
  await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0, { timeoutMs: 60_000 });
}

const descriptors = () => readdirSync(`/proc/${proxier.pid}/fd`).length;
/** Resident memory in MiB. */
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxier.pid}/status`, 'utf8'))?.[1]) / 1024;

beforeAll(async () => {
  rig = await makeRig('hostile', { vnodes: 1 });
  await rig.makePod(pod);
  admin = await rig.admin();
  proxier = await rig.serve({ env: INSPECTED });
  await rig.running(pod);
  target = { host: rig.hostIP, port: rig.portOf(rig.vnodes[0] as string) };
});

describe('what was taken is given back', () => {
  test('after 1,000 aborted sessions: descriptors, sockets and what is in use of memory are back', async () => {
    await abort(100);
    const [files, before] = [descriptors(), await heldBy(proxier)];
    await abort(1000);
    // Kept connections to API servers are a few more or less.
    await waitFor('the descriptors', () => descriptors() <= files + 8, { timeoutMs: 60_000 });
    const after = await waitFor(
      'the sockets',
      async () => {
        const held = await heldBy(proxier);
        if (held.sockets <= before.sockets + 16) return held;
        throw new Error(`${held.sockets} sockets, ${before.sockets} before`);
      },
      { timeoutMs: 60_000 },
    );
    console.log(`before ${JSON.stringify(before)}, after 1,000 aborted sessions ${JSON.stringify(after)} (MiB)`);
    // 16 KiB each would be 16 MiB.
    expect(after.live - before.live).toBeLessThan(16);
    expect((await rig.ask('/healthz', admin)).code).toBe(200);
  }, 400_000);

  test('a client that never reads holds the worker back, not our memory', async () => {
    const before = memory();
    const { promise, resolve } = Promise.withResolvers<Socket>();
    await rig.ask(exec('head', '-c', '500000000', '/dev/zero'), admin, {
      headers: WEBSOCKET,
      onSession: (socket) => resolve(socket.pause()),
    });
    const socket = await promise;
    const logs = await new Promise<IncomingMessage>((resolveLogs) => {
      const path = `/containerLogs/${rig.id}/${pod}/main?follow=true`;
      void rig.ask(path, admin, { onAnswer: (answer) => resolveLogs(answer.pause()) });
    });
    await after(3_000);
    expect(await openSessions(proxier)).toBe(2);
    expect(memory()).toBeLessThan(before + 100);
    socket.destroy();
    logs.destroy();
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0);
  });

  test('a client that stops sending, but reads on, has its session ended before the command and leaves nothing', async () => {
    const closed = Promise.withResolvers<void>();
    await rig.ask(exec('sleep', '600'), admin, {
      headers: WEBSOCKET,
      onSession: (socket) =>
        socket
          .on('close', () => closed.resolve())
          .resume()
          .end(),
    });
    await closed.promise;
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0, { timeoutMs: 90_000 });
  });
});

describe('requests that are none', () => {
  test(`${FUZZ} of them: no crash, no 500, and it answers as before`, async () => {
    const began = descriptors();
    const seed = randomInt(2 ** 31);
    const requests = fc.sample(request(rig.id, pod), { numRuns: FUZZ, seed });
    const codes = new Map<string, number>();
    const bad: string[] = [];
    let asked = 0;
    const worker = async () => {
      for (let one = requests[asked++]; one; one = requests[asked++]) {
        const answer = await attack(target, one, admin);
        const code = answer === '' ? 'none' : (/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? answer.slice(0, 40));
        codes.set(code, (codes.get(code) ?? 0) + 1);
        if (!/^(none|10[01]|2\d\d|4\d\d|50[234])$/.test(code))
          bad.push(`${code}: ${JSON.stringify(String(one.bytes))}`);
      }
    };
    await Promise.all(Array.from({ length: 48 }, worker));
    const what = `seed ${seed}: ${JSON.stringify(Object.fromEntries(codes))}`;
    console.log(what);
    expect(bad, what).toEqual([]);
    expect(proxier.exit, `${what}\n${proxier.tail(3)}`).toBeUndefined();
    // However slow the machine, all were asked, and enough came through to where they are told apart.
    const counted = [...codes.values()].reduce((sum, count) => sum + count, 0);
    expect(counted, what).toBe(FUZZ);
    expect(counted - (codes.get('none') ?? 0), what).toBeGreaterThan(FUZZ / 10);
    expect(codes.size, what).toBeGreaterThan(3);
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0, { timeoutMs: 90_000 });
    await waitFor('the descriptors', () => descriptors() <= began + 8, { timeoutMs: 60_000 });
    expect((await rig.ask('/healthz', admin)).code).toBe(200);
  }, 300_000);
});

describe('a worker that is gone', () => {
  test('in mid-stream: sessions end with words, new ones are told, and all is well when it is back', async () => {
    const start = (...args: string[]) => startClient(commandLine(programPath('kubectl'), rig.id, args));
    const running = start('exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo begun; sleep 600');
    const following = start('logs', '-f', '--tail=1', pod, '-c', 'main');
    // A session is counted before the worker has answered.
    await Promise.all([running.waitOut(/begun/), following.waitOut(/^tick\n/)]);
    expect(await openSessions(proxier)).toBe(2);
    cleanup(async () => {
      await startComponent('worker-1', 'kube-apiserver');
      // It would look again only after its own back-off, of which the next test file knows nothing.
      await restartComponent('worker-1', 'kube-controller-manager');
    });
    await stopComponent('worker-1', 'kube-apiserver');
    const [status] = await Promise.all([running.ended, following.ended]);
    expect(running.err()).toMatch(/the session has ended before its command did: worker/);
    expect(status).toBe(1);
    for (const command of [
      ['logs', pod, '-c', 'main'],
      ['exec', pod, '-c', 'main', '--', 'true'],
    ]) {
      const refused = await rig.kubectl(command);
      expect(refused.stderr).toMatch(/the worker cluster does not answer \(\w+\): try again later/);
      expect(refused.status).toBe(1);
    }
    await startComponent('worker-1', 'kube-apiserver');
    // The API server answers some calls before others.
    for (const command of [
      ['logs', pod, '-c', 'main', '--tail=1'],
      ['exec', pod, '-c', 'main', '--', 'true'],
    ]) {
      const goes = async () => (await rig.kubectl(command)).status === 0;
      await waitFor(`kubectl ${command[0]}`, goes, { timeoutMs: 60_000, everyMs: 1000 });
    }
    // Clients may see the end of a session a moment before it is counted.
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0);
  }, 300_000);
});
