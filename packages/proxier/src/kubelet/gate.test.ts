import type { IncomingMessage } from 'node:http';
import { expect, test, vi } from 'vitest';
import { createGate, type GateOptions } from './gate.ts';

const asking = (url: string) => ({ method: 'POST', url, socket: { localPort: 15_000 } }) as unknown as IncomingMessage;
const request = asking('/exec/default/pod/main?command=id');

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

const none: GateOptions = {
  trusted: () => false,
  authenticate: () => Promise.reject(new Error('no answer')),
  authorize: () => Promise.reject(new Error('no answer')),
  vnodeOf: () => undefined,
};
const trusted: GateOptions = { ...none, trusted: () => true };
const known: GateOptions = { ...trusted, authenticate: async () => ({ name: 'u', groups: ['g'] }) };
const served: GateOptions = { ...known, vnodeOf: (port) => (port === 15_000 ? 'vnode' : undefined) };

test.each<[number, GateOptions, string, string]>([
  [503, none, '/exec/default/pod/main', 'client CA'],
  [503, trusted, '/exec/default/pod/main', 'cannot authenticate: no answer'],
  [401, { ...served, authenticate: async () => undefined }, '/exec/default/pod/main', 'Unauthorized'],
  [400, known, '/exec/%zz/pod/main', 'malformed path'],
  [404, known, '/exec/default/pod/main', 'no vnode is served on this port'],
  [500, served, '/exec/default/pod/main', 'Authorization error (user=u): no answer'],
  [403, { ...served, authorize: async () => false }, '/exec/default/pod/main', 'Forbidden (user=u, verb=create'],
])('whoever may not pass is told %i', async (code, options, url, words) => {
  const begun = vi.fn<() => void>();
  await expect(createGate(options)(asking(url), begun)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(words) as string,
  });
  expect(begun).not.toHaveBeenCalled();
});

test('what passes is asked about for the vnode of its port, and known by it', async () => {
  const authorize = vi.fn(async () => true);
  const gate = createGate({ ...served, authorize });
  const user = { name: 'u', groups: ['g'] };
  const admitted = {
    user,
    vnode: 'vnode',
    route: { kind: 'exec', namespace: 'default', pod: 'pod', container: 'main' },
  };
  expect(await gate(request)).toMatchObject(admitted);
  const begun = vi.fn<() => void>();
  await gate(request, begun);
  expect(begun).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(admitted));
  expect(authorize).toHaveBeenLastCalledWith(user, 'vnode', expect.objectContaining({ verb: 'create' }));
});
