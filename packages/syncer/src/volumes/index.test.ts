/** What makes claims be looked at again, and how little of them. */
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type PodVolumes, startVolumes } from './index.ts';
import { Peer } from './peer.ts';
import { facts, homeClaim, storageClass } from './samples.ts';
import { recordOf, testState, type TestState, VNODE, vnodeOf, waitingClaim } from './test-state.ts';
import { toWorkerClaim } from './to-worker.ts';
import { Claims, StorageClasses } from './types.ts';

let home: Peer;
let worker: Peer;
let at: TestState;
let stop: AbortController;
let running: PodVolumes | undefined;

beforeAll(async () => {
  [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
});
beforeEach(() => {
  at = testState(home, worker);
  stop = new AbortController();
  home.put(StorageClasses, storageClass());
});
afterEach(async () => {
  stop.abort();
  await running?.stop();
  home.reset();
  worker.reset();
});
afterAll(() => {
  home.stop();
  worker.stop();
});

function start(onAppeared: (homeKey: string) => void = () => undefined): void {
  running = startVolumes(at.context, { signal: stop.signal, ready: Promise.resolve(), onAppeared });
}

test('a claim that changes wakes the pods that use it, and costs no look at the others', async () => {
  const claim = { ...waitingClaim(), metadata: { ...waitingClaim().metadata, uid: 'c', resourceVersion: '1' } };
  const { namespace = '', name } = claim.metadata;
  const server = await TestServer.start();
  let tell: (event: object) => void = () => undefined;
  server.answer = ({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'https://server');
    const isOfClaims = pathname.endsWith('/persistentvolumeclaims');
    if (!searchParams.has('watch')) {
      return response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: isOfClaims ? [claim] : [] }));
    }
    if (isOfClaims) tell = (event) => void response.write(`${JSON.stringify(event)}\n`);
    return response.flushHeaders();
  };
  at.context.home = new KubeClient(server.transport());
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: name } }];
  at.stores.homePods.set({ metadata: { namespace, name: 'user', uid: 'user' }, spec: { volumes } });
  at.stores.homePods.set({ metadata: { namespace: 'elsewhere', name: 'user', uid: 'other' }, spec: { volumes } });
  at.stores.homePods.set({ metadata: { namespace, name: 'without', uid: 'without' }, spec: {} });
  const woken: string[] = [];
  start((homeKey) => void woken.push(homeKey));
  await vi.waitFor(() => expect(woken).toEqual([`${namespace}/user`, 'elsewhere/user']), { timeout: 10_000 });
  const looks = vi.spyOn(at.stores.homePods, 'values');
  const changed = { ...claim, metadata: { ...claim.metadata, resourceVersion: '2' } };
  await vi.waitFor(
    () => {
      tell({ type: 'MODIFIED', object: changed });
      expect(woken.at(-1)).toBe(`${namespace}/user`);
    },
    { timeout: 10_000 },
  );
  expect(looks).not.toHaveBeenCalled();
  stop.abort();
  server.stop();
});

test('a claim whose vnode comes later is provisioned when it comes', async () => {
  home.put(Claims, waitingClaim());
  start();
  await vi.waitFor(() => expect(home.reads).toContain(VNODE));
  expect(worker.writes).toEqual([]);
  at.stores.records.set(recordOf('node1'));
  at.stores.vnodes.set(vnodeOf('node1'));
  await vi.waitFor(() => expect(worker.all(Claims)).toHaveLength(1), { timeout: 2500 });
});

test('a claim whose vnode goes is looked at again, and so is one whose lease ends', async () => {
  home.put(Claims, waitingClaim());
  at.stores.records.set(recordOf('node1'));
  at.stores.vnodes.set(vnodeOf('node1'));
  start();
  await vi.waitFor(() => expect(worker.all(Claims)).toHaveLength(1));
  expect(home.reads).not.toContain(VNODE);
  at.stores.vnodes.remove(VNODE);
  await vi.waitFor(() => expect(home.reads).toContain(VNODE), { timeout: 2500 });
  at.stores.vnodes.set(vnodeOf('node1'));
  at.stores.records.set(recordOf('node1', 'Closed'));
  await vi.waitFor(() => expect(worker.all(Claims)).toEqual([]), { timeout: 2500 });
});

test('many claims of both clusters are looked through in no time', async () => {
  // As many pairs as took seconds without a pause: leadership is lost after ten.
  for (let n = 0; n < 1000; n++) {
    const other = homeClaim({ storageClassName: 'of-others', volumeName: `v${n}` });
    home.put(Claims, { ...other, metadata: { ...other.metadata, name: `other-${n}`, uid: crypto.randomUUID() } });
    const of = homeClaim({ volumeName: `pvc-${n}` });
    const own = { ...of, metadata: { ...of.metadata, name: `own-${n}`, uid: `own-${n}` } };
    home.put(Claims, own);
    const made = toWorkerClaim(own, { ...facts, node: 'node1' });
    const annotations = { ...made.metadata.annotations, 'kubeocean.io/home-volume': 'pvc' };
    worker.put(Claims, { ...made, metadata: { ...made.metadata, annotations } });
  }
  let longestMs = 0;
  let last = performance.now();
  const pulse = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 5);
  const known = vi.fn();
  at.context.log.info = known;
  start();
  await vi.waitFor(() => expect(known).toHaveBeenCalledWith('volumes are known'), { timeout: 20_000, interval: 20 });
  await new Promise((resolve) => setImmediate(resolve));
  clearInterval(pulse);
  expect(longestMs).toBeLessThan(2000);
  expect(worker.writes).toEqual([]);
});
