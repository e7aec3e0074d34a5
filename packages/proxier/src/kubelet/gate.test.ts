import type { IncomingMessage } from 'node:http';
import { expect, test, vi } from 'vitest';
import { createGate } from './gate.ts';

const request = {
  method: 'POST',
  url: '/exec/default/pod/main?command=id',
  socket: { localPort: 15_000 },
} as unknown as IncomingMessage;

/** A gate at which `caller` stands; rights are what `allowed` says. */
function gateFor(caller: { name: string; allowed: boolean }) {
  return createGate({
    trusted: () => true,
    authenticate: async () => ({ name: caller.name, groups: [] }),
    authorize: async () => caller.allowed,
    vnodeOf: () => 'vnode',
  });
}

test('nothing is begun for a caller whose rights are not known, or who was refused since', async () => {
  const caller = { name: 'api-server', allowed: true };
  const gate = gateFor(caller);
  const begun: string[] = [];
  const come = async (step: string) => {
    await gate(request, () => begun.push(step)).catch(() => undefined);
  };
  await come('first');
  await come('second');
  caller.name = 'stranger';
  caller.allowed = false;
  await come('stranger');
  await come('stranger again');
  caller.name = 'api-server';
  await come('withdrawn');
  await come('after');
  expect(begun).toEqual(['second', 'withdrawn']);
});

test('of many callers only some are remembered', async () => {
  const caller = { name: '', allowed: true };
  const gate = gateFor(caller);
  for (let n = 0; n < 250; n++) {
    caller.name = `caller-${n}`;
    await gate(request);
  }
  let remembered = 0;
  for (let n = 249; n >= 0; n--) {
    caller.name = `caller-${n}`;
    caller.allowed = false;
    await gate(request, () => remembered++).catch(() => undefined);
  }
  expect(remembered).toBeGreaterThan(0);
  expect(remembered).toBeLessThanOrEqual(100);
});

test('of a caller without the right few questions are asked at once, and others do not wait for them', async () => {
  const caller = { name: 'stranger' };
  let [asking, most] = [0, 0];
  const held = Promise.withResolvers<void>();
  const gate = createGate({
    trusted: () => true,
    authenticate: async () => ({ name: caller.name, groups: [] }),
    authorize: async ({ name }) => {
      if (name !== 'stranger') return true;
      most = Math.max(most, ++asking);
      await held.promise;
      asking--;
      return false;
    },
    vnodeOf: () => 'vnode',
  });
  const codes = Array.from({ length: 1100 }, () => gate(request).catch(({ code }: { code: number }) => code));
  // All of them stand before the API server, or wait, or were sent away.
  await vi.waitFor(() => expect(asking).toBeGreaterThan(0), { timeout: 10_000 });
  caller.name = 'api-server';
  await gate(request);
  held.resolve();
  const answers = await Promise.all(codes);
  expect(most).toBeLessThanOrEqual(4);
  expect(answers.filter((code) => code === 403)).toHaveLength(1028);
  expect(answers.filter((code) => code === 429)).toHaveLength(72);
});

test('whoever was admitted is not held back', async () => {
  const caller = { name: 'api-server', allowed: true };
  const gate = gateFor(caller);
  await gate(request);
  await expect(Promise.all(Array.from({ length: 500 }, () => gate(request)))).resolves.toHaveLength(500);
});
