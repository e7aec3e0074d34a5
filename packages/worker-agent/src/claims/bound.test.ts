import { createReflector, KubeClient, type KubeObject, Leases, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ClaimBound } from './bound.ts';

let server: TestServer;
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());

function claim(name: string): KubeObject {
  return { metadata: { namespace: 'w', name, uid: name, resourceVersion: '1' } };
}

it('a tenant that makes claims without end does not fill the agent; those that were there first are kept', () => {
  const full: number[] = [];
  const bound = new ClaimBound((most) => full.push(most));
  const store = new Store<KubeObject>();
  bound.follow(store);
  const made = Array.from({ length: 1500 }, (_, at) => claim(`c${at}`));
  const kept = made.filter((each) => bound.admits(each));
  store.replace(kept);
  expect([kept.length, full]).toEqual([200, [200]]);
  expect(made.filter((each) => bound.admits(each))).toEqual(kept);
  store.remove('w/c0');
  expect([bound.admits(claim('c1499')), bound.admits(claim('c1498'))]).toEqual([true, false]);
});

it('there is room again when all claims that were too many are deleted', async () => {
  const made = Array.from({ length: 450 }, (_, at) => claim(`c${at}`));
  const events = [...made.map((object) => ({ type: 'DELETED', object })), { type: 'ADDED', object: claim('new') }];
  server.answer = (request, response) => {
    if (!request.url?.includes('watch=true')) {
      return response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: made }));
    }
    return response.write(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  };
  const bound = new ClaimBound(() => undefined);
  const reflector = createReflector(new KubeClient(server.transport()), {
    resource: Leases,
    namespace: 'w',
    project: (object) => (bound.admits(object) ? object : undefined),
  });
  bound.follow(reflector.store);
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  await vi.waitFor(() => expect([...reflector.store.keys()]).toEqual(['w/new']), 5000);
  stop.abort();
  await running;
});
