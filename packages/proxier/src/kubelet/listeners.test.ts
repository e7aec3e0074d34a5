import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { Label } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { createListeners, planPorts, portsProblem, saysAlike } from './listeners.ts';

function node(name: string, port: string | undefined, uid = 'u', created = '2026-01-01T00:00:00Z'): KubeObject {
  const labels = { [Label.bindingUID]: uid, ...(port !== undefined && { [Label.proxierPort]: port }) };
  return { metadata: { name, creationTimestamp: created, labels } };
}

describe('ports of vnodes', () => {
  it('are those of this binding’s UID, in our range, the older first', () => {
    const plan = planPorts(
      [
        node('younger', '15000', 'u', '2026-01-02T00:00:00Z'),
        node('older', '15000'),
        node('other-binding', '15001', 'v'),
        node('no-port-yet', undefined),
        node('privileged', '443'),
        node('too-high', '30000'),
        node('text', '15002x'),
        node('last', '29999'),
      ],
      'u',
    );
    expect(plan.ports).toEqual(
      new Map([
        [15000, 'older'],
        [29999, 'last'],
      ]),
    );
    expect(plan.refused.map(({ vnode }) => vnode).toSorted()).toEqual(['privileged', 'text', 'too-high', 'younger']);
  });
});

describe('a change of a Node', () => {
  const before = node('v', '15000');
  const labelled = (labels: Record<string, string>): KubeObject => ({
    metadata: { ...before.metadata, labels: { ...before.metadata.labels, ...labels } },
  });

  it.each<[string, KubeObject | undefined, KubeObject | undefined, boolean]>([
    ['that comes', undefined, before, false],
    ['that goes', before, undefined, false],
    ['that is another of its name', before, { metadata: { ...before.metadata, uid: 'other' } }, false],
    ['with another port', before, labelled({ [Label.proxierPort]: '15001' }), false],
    ['that was given to another binding', before, labelled({ [Label.bindingUID]: 'w' }), false],
    ['whose lease closes at another time', before, labelled({ [Label.leaseCloses]: '1800000000' }), true],
  ])('%s is no reason to plan anew: %#', (_, previous, current, alike) => {
    expect(saysAlike(previous, current)).toBe(alike);
  });
});

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function reach(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('listeners', () => {
  const gone: string[] = [];
  const told: string[] = [];
  const log = createLogger('test', 'error', { write: (line) => void told.push(line) });
  const make = () =>
    createListeners({
      address: '127.0.0.1',
      accept: (socket) => socket.destroy(),
      onGone: (vnode) => gone.push(vnode),
      log,
      retryMs: 20,
    });

  it('open, move and close with the vnodes', async () => {
    const listeners = make();
    const [one, two] = [await freePort(), await freePort()];
    listeners.want(new Map([[one, 'a']]));
    await until(() => listeners.listening === 1);
    expect(await reach(one)).toBe(true);
    expect(listeners.vnodeOf(one)).toBe('a');
    listeners.want(
      new Map([
        [one, 'b'],
        [two, 'a'],
      ]),
    );
    await until(() => listeners.listening === 2);
    expect([listeners.vnodeOf(one), listeners.vnodeOf(two), gone]).toEqual(['b', 'a', []]);
    listeners.want(new Map([[two, 'a']]));
    await until(async () => !(await reach(one)));
    expect([listeners.vnodeOf(one), listeners.vnodeOf(undefined), gone]).toEqual([undefined, undefined, ['b']]);
    listeners.close();
    await until(async () => !(await reach(two)));
  });

  it('a port in use is told once, and opened once it is free', async () => {
    const listeners = make();
    told.length = 0;
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    listeners.want(new Map([[port, 'a']]));
    await until(() => told.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect([listeners.listening, told.length]).toEqual([0, 1]);
    await new Promise((resolve) => taken.close(resolve));
    await until(() => listeners.listening === 1);
    listeners.close();
  });

  it('say so while not one port of those wanted is open', async () => {
    const listeners = make();
    expect(portsProblem(listeners)).toBeUndefined();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    listeners.want(new Map([[port, 'a']]));
    expect(portsProblem(listeners)).toBe('none of the ports of 1 vnodes could be opened');
    const free = await freePort();
    listeners.want(
      new Map([
        [port, 'a'],
        [free, 'b'],
      ]),
    );
    await until(() => portsProblem(listeners) === undefined);
    expect(listeners.listening).toBe(1);
    listeners.close();
    taken.close();
  });
});
