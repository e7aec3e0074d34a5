import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../testing/api-server.ts';
import { Busyness } from './coalescing.ts';

const OPTIONS = { calls: 3, eventsPerSecond: 100, restMs: 10 };

test('rests while as many calls wait for their answers as it was told, and no longer', () => {
  const busyness = new Busyness(OPTIONS, 0);
  const seen = [busyness.rests(1)];
  for (let n = 0; n < 3; n++) {
    busyness.callBegan();
    seen.push(busyness.rests(1));
  }
  busyness.callEnded();
  seen.push(busyness.rests(1));
  expect(seen).toEqual([false, false, false, true, false]);
});

test('rests while there are as many events a second as it was told, judged four times a second', () => {
  const busyness = new Busyness(OPTIONS, 1000);
  for (let n = 0; n < 25; n++) busyness.eventCame();
  expect(busyness.rests(1249)).toBe(false);
  expect(busyness.rests(1250)).toBe(true);
  for (let n = 0; n < 24; n++) busyness.eventCame();
  expect(busyness.rests(1499)).toBe(true);
  expect(busyness.rests(1500)).toBe(false);
});

test('events of a burst do not count for the silence after it', () => {
  const busyness = new Busyness(OPTIONS, 0);
  for (let n = 0; n < 1000; n++) busyness.eventCame();
  expect(busyness.rests(300)).toBe(true);
  busyness.eventCame();
  expect(busyness.rests(60_000)).toBe(false);
});

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-coalescing-'));
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => {
  server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What a process takes for 20 calls by each of `callers` at the same time: turns of the event loop, rests between them. */
async function takes(callers: number, coalescing: string): Promise<{ turns: number; rests: number }> {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const file = join(folder, `${crypto.randomUUID()}.ts`);
  writeFileSync(
    file,
    `import { coalesceWakeUps } from ${module('./coalescing.ts')};
    import { fixedCredentials } from ${module('./credentials.ts')};
    import { Transport } from ${module('./transport.ts')};
    ${coalescing}
    let rests = 0;
    const wait = Atomics.wait;
    Atomics.wait = (...args) => { rests++; return wait(...args); };
    const transport = new Transport(fixedCredentials(${JSON.stringify(server.access())}));
    const call = () => transport.call({ method: 'GET', path: '/' });
    const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount;
    await Promise.all(Array.from({ length: ${callers} }, call));
    const before = turns();
    await Promise.all(Array.from({ length: ${callers} }, async () => {
      for (let n = 0; n < 20; n++) await call();
    }));
    console.log(JSON.stringify({ turns: turns() - before, rests }));
    transport.close();`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 });
  return JSON.parse(await text(child.stdout)) as { turns: number; rests: number };
}

const coalescing = 'coalesceWakeUps({ calls: 4, eventsPerSecond: 1000, restMs: 10 });';

test('a busy process takes the answers of several calls in one turn', async () => {
  const { turns, rests } = await takes(16, coalescing);
  expect(rests).toBeGreaterThan(0);
  // There were 320; twenty rounds of 16 would be the least. Without rests there are some 280 on a machine that is not busy.
  expect(turns).toBeLessThan(160);
});

test('a process that did not ask for it never rests', async () => {
  expect((await takes(16, '')).rests).toBe(0);
});

test('one call after the other is not held up', async () => {
  expect((await takes(1, coalescing)).rests).toBe(0);
});
