/** How many vnodes are made, and what is told of the nodes that get none. */
import { expect, test, vi } from 'vitest';
import { binding, DEADLINE, fine, nameOf, nodesWorld } from './controller-fixtures.ts';

const world = nodesWorld();
const { isLent, made, start, told, worked } = world;

test('no more vnodes are made than --max-vnodes allows while the watch lags behind', async () => {
  world.untold = [];
  for (let n = 0; n < 40; n++) isLent(`n${n}`);
  start(fine, 10);
  await vi.waitFor(() => expect([told.length, made().length]).toEqual([5, 10]), DEADLINE);
  expect(world.running?.count).toBe(10);
  // Each counts once, whether the watch has told or not.
  for (const node of world.untold.splice(0, 5)) world.vnodes.set(node);
  for (let n = 0; n < 2; n++) isLent(`also-${n}`);
  await vi.waitFor(() => expect(told.at(-1)).toMatch(/^TooManyVnodes: 32 nodes get no vnode, /), DEADLINE);
  expect(made()).toHaveLength(10);
});

test('thirty nodes that get no vnode are told of five times, and none of them by itself', async () => {
  for (let n = 10; n < 40; n++) isLent(`n${n}`);
  start(fine, 0);
  await vi.waitFor(() => expect(worked).toHaveLength(30), DEADLINE);
  expect(told).toEqual([
    'TooManyVnodes: node n10 gets no vnode: --max-vnodes is 0',
    'TooManyVnodes: 2 nodes get no vnode, n10, n11: --max-vnodes is 0',
    'TooManyVnodes: 4 nodes get no vnode, n10, n11, n12 and 1 more: --max-vnodes is 0',
    'TooManyVnodes: 8 nodes get no vnode, n10, n11, n12 and 5 more: --max-vnodes is 0',
    'TooManyVnodes: 16 nodes get no vnode, n10, n11, n12 and 13 more: --max-vnodes is 0',
  ]);
});

test('no more vnodes are made than --max-vnodes allows, and the binding is told of the rest', async () => {
  for (const nodeName of ['n1', 'n2', 'n3']) isLent(nodeName);
  start(fine, 2);
  const two = ['n1', 'n2'].map(nameOf);
  await vi.waitFor(() => expect(made()).toEqual(two), DEADLINE);
  expect(told).toEqual(['TooManyVnodes: node n3 gets no vnode: --max-vnodes is 2']);
  // Also when those that there are were made long ago.
  await vi.waitFor(() => expect(world.vnodes.size).toBe(2), DEADLINE);
  isLent('n4');
  const both = 'TooManyVnodes: 2 nodes get no vnode, n3, n4: --max-vnodes is 2';
  await vi.waitFor(() => expect(told.slice(1)).toEqual([both]), DEADLINE);
  expect(made()).toEqual(two);
  // Those that have none are counted anew when there was none of them.
  for (const nodeName of ['n3', 'n4'])
    world.records.remove(`${binding.spec.mountNamespace}/${binding.metadata.name}.${nodeName}`);
  isLent('n5');
  await vi.waitFor(
    () => expect(told.slice(2)).toEqual(['TooManyVnodes: node n5 gets no vnode: --max-vnodes is 2']),
    DEADLINE,
  );
});
