/** What somebody takes back on vnodes, again and again. */
import type { Json, KubeObject } from '@kubeocean/shared/kube';
import { beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { fine, nodesWorld } from './controller-fixtures.ts';
import { createUndone, type Part } from './undone.ts';

const vnode: KubeObject = { metadata: { name: 'v', uid: 'u' } };
const labels: Json = { metadata: { uid: 'u', labels: { a: 'b' } } };
let now: number;
let told: string[];
beforeEach(() => void ([now, told] = [0, []]));

function undoneOf() {
  const context = {
    homeEvents: {
      event: (_: unknown, type: string, reason: string, text: string) => told.push(`${type} ${reason}: ${text}`),
    },
    log: { warn: () => undefined },
  } as unknown as SyncerContext;
  return createUndone(context, () => now);
}

/** How often it is written in so many seconds when somebody takes it back `afterMs` after each time. */
function writesIn(seconds: number, afterMs: number, part: Part = 'metadata', stands = false): number {
  const undone = undoneOf();
  let writes = 0;
  while (now < seconds * 1000) {
    const left = undone.left(vnode, part, labels);
    if (left === 0) {
      undone.wrote(vnode, part, labels);
      writes++;
      if (stands) undone.left(vnode, part, undefined);
    }
    now += left || afterMs;
  }
  return writes;
}

test.each<[string, number, number, Part, number]>([
  ['at once, for an hour', 3600, 20, 'metadata', 65],
  ['at once, its labels', 3600, 20, 'whose', 245],
  ['after five seconds, for an hour', 3600, 5000, 'metadata', 65],
  ['after a minute, for an hour', 3600, 60_000, 'metadata', 60],
])('what is taken back %s', (_, seconds, afterMs, part, most) => {
  const writes = writesIn(seconds, afterMs, part);
  expect(writes).toBeLessThanOrEqual(most);
  expect(writes).toBeGreaterThan(most - 7);
  expect(told).toHaveLength(afterMs < 10_000 ? 1 : 0);
});

test('the first time it is put back at once, and anything else is written whatever was taken back before', () => {
  const undone = undoneOf();
  undone.wrote(vnode, 'metadata', labels);
  now = 11_000;
  expect(undone.left(vnode, 'metadata', labels)).toBe(0);
  undone.wrote(vnode, 'metadata', labels);
  now += 10;
  expect(undone.left(vnode, 'metadata', labels)).toBe(990);
  expect(undone.left(vnode, 'status', labels)).toBe(0);
  expect(undone.left(vnode, 'metadata', { metadata: { uid: 'u' }, spec: { taints: [] } })).toBe(0);
  expect(undone.left({ metadata: { name: 'v', uid: 'next' } }, 'metadata', labels)).toBe(0);
});

test('two that take back something else each, by turns, are answered as rarely as one', () => {
  const undone = undoneOf();
  const there = { labels: false, taints: false };
  let writes = 0;
  for (let look = 0; now < 60_000; look++, now += 20) {
    const patch: Json = {
      metadata: { uid: 'u', resourceVersion: `${look}`, ...(!there.labels && { labels: { a: 'b' } }) },
      ...(!there.taints && { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }),
    };
    if (undone.left(vnode, 'metadata', patch) === 0) {
      undone.wrote(vnode, 'metadata', patch);
      Object.assign(there, { labels: true, taints: true });
      writes++;
    }
    there[look % 2 === 0 ? 'labels' : 'taints'] = false;
  }
  expect(writes).toBeLessThan(20);
  expect(told).not.toEqual([]);
});

test('a watch that lags is no quarrel', () => {
  const undone = undoneOf();
  for (let times = 0; times < 10; times++) {
    expect(undone.left(vnode, 'metadata', labels)).toBe(0);
    undone.wrote(vnode, 'metadata', labels);
    expect(undone.left(vnode, 'metadata', labels)).toBe(1000);
    undone.left(vnode, 'metadata', undefined);
    now += 60_000;
  }
  expect(told).toEqual([]);
});

test('what goes along with something else while the watch is behind is no quarrel either', () => {
  const undone = undoneOf();
  for (let cpu = 0; cpu < 10; cpu++, now += 20) {
    const patch: Json = { metadata: { uid: 'u', labels: { a: 'b', cpu: `${cpu}` } } };
    expect(undone.left(vnode, 'metadata', patch)).toBe(0);
    undone.wrote(vnode, 'metadata', patch);
  }
  expect(undone.left(vnode, 'metadata', labels)).toBe(980);
  expect(told).toEqual([]);
});

test('a condition that differs in its times alone is the same', () => {
  const undone = undoneOf();
  const ready = (time: string) => ({
    status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: time }] },
  });
  for (let writes = 0; writes < 5; now += 1) {
    const patch = ready(`${now}`);
    const left = undone.left(vnode, 'status', patch);
    now += left;
    if (left > 0) continue;
    undone.wrote(vnode, 'status', patch);
    writes++;
  }
  expect(now).toBeGreaterThan(14_000);
  expect(told).toEqual([
    expect.stringMatching(/^Warning VnodeContested: somebody takes back .* \(conditions\); .* every 60 s in the end/),
  ]);
});

const world = nodesWorld();

test('a writer that takes labels and taints back at once does not write by turns with us', async () => {
  const { server, there, isLent, start, writes } = world;
  const node = there((made) => {
    delete made.metadata.labels?.['kubeocean.io/physical-node-name'];
    delete (made['spec'] as Json)['taints'];
  });
  const serve = server.answer;
  let version = 1;
  server.answer = (request, response) => {
    serve(request, response);
    if (request.method !== 'PATCH' || request.url?.includes('/leases/')) return;
    response.on('finish', () => {
      const metadata = { ...node.metadata, resourceVersion: `${version++}` };
      world.vnodes.set({ ...node, metadata });
    });
  };
  isLent('node1');
  start(fine);
  const patches = () => writes.filter(({ method, path }) => method === 'PATCH' && path.includes('/nodes/'));
  await vi.waitFor(() => expect(patches().length).toBeGreaterThan(1), { timeout: 10_000 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(patches().length).toBeLessThan(4);
});
