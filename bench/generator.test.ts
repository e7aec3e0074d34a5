import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPods, deletePods, latencies, loopMeter, type Target } from './generator.ts';
import type { Times, Tracker } from './tracker.ts';

let server: TestServer;
/** `METHOD path`, in the order they came. */
let calls: string[];
/** Code for each call. */
let code: (call: string) => number;

beforeEach(async () => {
  server = await TestServer.start();
  calls = [];
  code = () => 200;
  server.answer = (request, response) => {
    const call = `${request.method} ${request.url?.split('?')[0]}`;
    calls.push(call);
    response.statusCode = code(call);
    response.end(JSON.stringify({ kind: response.statusCode === 200 ? 'Pod' : 'Status' }));
  };
});
afterEach(() => server.stop());

const never = new AbortController().signal;

function target(expected: string[]): Target {
  const tracker = { expect: (keys: Iterable<string>) => expected.push(...keys) } as unknown as Tracker;
  return { client: new KubeClient(server.transport()), tracker, place: () => 'hollow' };
}

describe('making pods', () => {
  it('tells the tracker which ones, and when each was sent', async () => {
    const expected: string[] = [];
    const sent = await createPods(target(expected), ['a', 'b'], 1, { signal: never });
    expect(expected).toEqual(['kubeocean-bench/a', 'kubeocean-bench/b']);
    expect([...sent.keys()]).toEqual(expected);
    expect(calls).toHaveLength(2);
  });

  it('makes no more of them once one failed', async () => {
    code = () => (calls.length > 2 ? 403 : 200);
    const names = Array.from({ length: 50 }, (_, n) => `p${n}`);
    await expect(createPods(target([]), names, 1, { signal: never })).rejects.toThrow('HTTP 403');
    expect(calls).toHaveLength(3);
  });

  it('makes none when the bench is to end', async () => {
    const stopped = AbortSignal.abort(new Error('Ctrl-C'));
    await expect(createPods(target([]), ['a'], 1, { signal: stopped })).rejects.toThrow('Ctrl-C');
    expect(calls).toEqual([]);
  });
});

describe('deleting pods', () => {
  it('takes one that is gone for deleted', async () => {
    code = () => 404;
    await deletePods(new KubeClient(server.transport()), ['a', 'b'], 2, { signal: never });
    expect(calls.toSorted()).toEqual(
      ['a', 'b'].map((name) => `DELETE /api/v1/namespaces/kubeocean-bench/pods/${name}`),
    );
  });

  it('fails for anything else', async () => {
    code = () => 403;
    const client = new KubeClient(server.transport());
    await expect(deletePods(client, ['a'], 2, { signal: never })).rejects.toThrow('HTTP 403');
  });
});

describe('latencies', () => {
  const times = new Map([['ns/a', { ready: 3500 } as Times]]);

  it('are from sending to Ready, in seconds', () =>
    expect(latencies(new Map([['ns/a', 1000]]), { times })).toEqual([2.5]));

  it('of a pod that nothing is known of end the run', () =>
    expect(() => latencies(new Map([['ns/b', 1000]]), { times })).toThrow('pod ns/b'));
});

describe('how busy the generator is', () => {
  it('is told of the time up to the mark only', async () => {
    const meter = loopMeter();
    expect(meter.busy).toBe(0);
    const end = performance.now() + 20;
    while (performance.now() < end);
    meter.mark();
    const { busy } = meter;
    expect(busy).toBeGreaterThan(0);
    expect(busy).toBeLessThanOrEqual(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(meter.busy).toBe(busy);
  });
});
