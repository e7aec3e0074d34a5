import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
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
