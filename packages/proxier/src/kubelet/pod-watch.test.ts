/** Watching the pods of sessions, with a home whose watch says that a pod is gone. */
import { ApiError, type KubeClient, type KubeList } from '@kubeocean/shared/kube';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createPodWatch } from './pod-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** @param code of what home answers when it is asked for the pod; 200: it is there */
function watchWith(code: () => number) {
  async function* pages(): AsyncGenerator<KubeList> {
    yield { items: [], metadata: { resourceVersion: '1' } };
  }
  const get = vi.fn(async () => {
    const answer = code();
    if (answer !== 200) throw new ApiError(answer, { message: 'no' }, 'GET', '/');
    return { metadata: { name: 'p', namespace: 'a', uid: 'u' } };
  });
  const transport = { stream: () => new Promise(() => undefined) };
  const failing: string[] = [];
  const home = { pages, get, transport } as unknown as KubeClient;
  const { watch } = createPodWatch(home, { onError: (_, vnode) => failing.push(vnode) });
  const gone = vi.fn();
  const stop = watch({ vnode: 'v', namespace: 'a', pod: 'p', uid: 'u' }, gone);
  return { get, gone, stop, failing };
}

it('asks again about a pod that is gone when home could not say at first, and only then ends the session', async () => {
  let asked = 0;
  const { gone, failing } = watchWith(() => (++asked < 3 ? 500 : 404));
  await vi.advanceTimersByTimeAsync(15_000);
  expect([gone.mock.calls.length, failing]).toEqual([0, ['v', 'v']]);
  await vi.advanceTimersByTimeAsync(15_000);
  expect([gone.mock.calls.length, failing]).toEqual([1, ['v', 'v']]);
});

it('ends the session of a pod that came and went while the watch was away, which it never tells of', async () => {
  let asked = 0;
  const { get, gone, failing } = watchWith(() => (++asked < 2 ? 200 : 404));
  await vi.advanceTimersByTimeAsync(5_000);
  expect([get.mock.calls.length, gone.mock.calls.length]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(15_000);
  expect([get.mock.calls.length, gone.mock.calls.length, failing]).toEqual([2, 1, []]);
});

it('asks no more once the session has ended, be it while it asks', async () => {
  for (const duringIt of [false, true]) {
    const { get, gone, stop } = watchWith(() => {
      if (duringIt) stop();
      return 500;
    });
    await vi.advanceTimersByTimeAsync(15_000);
    if (!duringIt) stop();
    const { length } = get.mock.calls;
    await vi.advanceTimersByTimeAsync(100_000);
    expect([get.mock.calls.length, gone.mock.calls.length]).toEqual([length, 0]);
  }
});

it('asks home for the pods of one vnode, which etcd has no index for, from its cache', async () => {
  const asked: unknown[] = [];
  async function* pages(_: unknown, selection: object): AsyncGenerator<KubeList> {
    asked.push(selection);
    yield { items: [], metadata: { resourceVersion: '7' } };
  }
  const queries: unknown[] = [];
  async function stream({ query }: { query: { resourceVersion: string } }): Promise<never> {
    queries.push(query.resourceVersion);
    throw new Error('the connection broke');
  }
  const list = vi.fn();
  const home = { pages, list, get: () => new Promise(() => undefined), transport: { stream } } as unknown as KubeClient;
  const podWatch = createPodWatch(home, { onError: () => undefined });
  podWatch.watch({ vnode: 'v', namespace: 'a', pod: 'p', uid: 'u' }, () => undefined);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toMatchObject([{ fieldSelector: 'spec.nodeName=v', resourceVersion: '0' }]);
  // A watch that breaks is resumed where it was, and nothing is compared.
  expect(queries.length).toBeGreaterThan(1);
  expect(new Set(queries)).toEqual(new Set(['7']));
  expect(list).not.toHaveBeenCalled();
  podWatch.close();
});
