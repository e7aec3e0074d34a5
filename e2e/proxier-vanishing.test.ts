/**
 * Clients that vanish without a word, as a host does that loses its power or its cable: no FIN, no RST. Sessions end in
 * bounded time by themselves and leave nothing.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { startChild } from './harness/child.ts';
import { afterTest, cleanup, type RunningProcess, waitFor } from './harness/index.ts';
import { execPath } from './proxier/abort.ts';
import type { Caller } from './proxier/callers.ts';
import { type Island, makeIsland } from './proxier/island.ts';
import { openSessions } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';
import type { Holding } from './proxier/vanishing-client.ts';

const pod = 'web';
/** TCP is asked after 30 s of silence, and given up after ten more seconds without an answer. */
const bounded = { timeoutMs: 120_000, everyMs: 500 };
let rig: Rig;
let proxier: RunningProcess;
let admin: Caller;
let island: Island;

const descriptors = () => readdirSync(`/proc/${proxier.pid}/fd`).length;
const ended = () => proxier.logs().filter((line) => line['audit'] === 'session');

beforeAll(async () => {
  [rig, island] = await Promise.all([makeRig('vanish', { vnodes: 1 }), makeIsland()]);
  await rig.makePod(pod);
  admin = await rig.admin();
  await rig.running(pod);
});

test('a client that vanishes: exec, attach, port-forward and a silent log are ended', async () => {
  proxier = await rig.serve();
  // A second try needs its port.
  afterTest(() => proxier.stop());
  const before = descriptors();
  const holding: Holding = {
    address: { host: rig.hostIP, port: rig.portOf(rig.vnodes[0] as string) },
    caller: admin,
    paths: [
      execPath(rig.id, pod, 'sleep', '1000'),
      `/attach/${rig.id}/${pod}/silent?output=1`,
      `/portForward/${rig.id}/${pod}`,
      `/containerLogs/${rig.id}/${pod}/silent?follow=true`,
    ],
  };
  const program = join(checkout, 'e2e/proxier/vanishing-client.ts');
  const node = join(checkout, 'node_modules/.bin/node');
  const client = startChild([...island.prefix, node, program, JSON.stringify(holding)]);
  cleanup(() => client.kill());
  await waitFor(
    'its sessions',
    () => {
      if (client.lines.includes('all open')) return true;
      throw new Error(client.lines.join('\n'));
    },
    bounded,
  );
  expect(await openSessions(proxier)).toBe(4);
  const known = ended().length;
  await island.link('down');
  try {
    await waitFor('all sessions to end', async () => (await openSessions(proxier)) === 0, bounded);
    await client.kill();
  } finally {
    await island.link('up');
  }
  const lines = ended().slice(known);
  expect(lines.map((line) => String(line['verb'])).toSorted()).toEqual(['attach', 'exec', 'logs', 'portForward']);
  for (const line of lines) expect(Number(line['seconds'])).toBeGreaterThan(20);
  await waitFor('the descriptors', () => descriptors() <= before + 8, bounded);
  expect((await rig.ask('/healthz', admin)).code).toBe(200);
}, 400_000);
