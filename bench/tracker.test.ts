import type { ServerResponse } from 'node:http';
import { KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { latencies } from './generator.ts';
import { track, type Tracker } from './tracker.ts';

let server: TestServer;
let tracker: Tracker | undefined;
/** The open watch. */
let watch: ServerResponse | undefined;
let revision = 100;

beforeEach(async () => {
  server = await TestServer.start();
  watch = undefined;
});
afterEach(async () => {
  await tracker?.stop();
  server.stop();
});

function pod(name: string, uid: string, status: object = {}, annotations?: Record<string, string>): KubeObject {
  const metadata = {
    name,
    namespace: 'ns',
    uid,
    resourceVersion: String(++revision),
    ...(annotations && { annotations }),
  };
  return { metadata, spec: { nodeName: 'n' }, status };
}

const READY = { conditions: [{ type: 'Ready', status: 'True' }] };

/** A tracker that has these pods from its list, and a watch open. */
async function tracking(...items: KubeObject[]): Promise<Tracker> {
  const opened = Promise.withResolvers<void>();
  server.answer = (request, response) => {
    if (!request.url?.includes('watch=true')) {
      response.end(JSON.stringify({ metadata: { resourceVersion: '100' }, items }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watch = response;
    opened.resolve();
  };
  tracker = await track(new KubeClient(server.transport()), 'ns');
  await opened.promise;
  return tracker;
}

function tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void {
  watch?.write(`${JSON.stringify({ type, object })}\n`);
}

describe('following pods', () => {
  it('counts those that the run sent, and no others', async () => {
    const following = await tracking();
    following.begin();
    following.expect(['ns/a', 'ns/b']);
    tell('ADDED', pod('stray', 'u0', READY));
    tell('ADDED', pod('a', 'u1', READY));
    tell('ADDED', pod('b', 'u2'));
    await vi.waitFor(() => expect(following.times.has('ns/b')).toBe(true));
    expect(following.times.get('ns/stray')?.ready).toBeDefined();
    expect(following.readyCount).toBe(1);
    tell('MODIFIED', pod('b', 'u2', READY));
    await vi.waitFor(() => expect(following.readyCount).toBe(2));
  });

  it('counts one that was Ready before it was expected, once', async () => {
    const following = await tracking(pod('a', 'u1', READY));
    following.expect(['ns/a']);
    following.expect(['ns/a']);
    expect(following.readyCount).toBe(1);
  });

  it('takes back what it counted when another pod has the name', async () => {
    const following = await tracking();
    following.begin();
    following.expect(['ns/a']);
    tell('ADDED', pod('a', 'u1', READY));
    await vi.waitFor(() => expect(following.readyCount).toBe(1));
    tell('DELETED', pod('a', 'u1', READY));
    tell('ADDED', pod('a', 'u2'));
    await vi.waitFor(() => expect(following.readyCount).toBe(0));
    // Its latency would be no number: that ends the run instead of looking good.
    expect(() => latencies(new Map([['ns/a', 0]]), following)).toThrow(
      'pod ns/a was Ready, and now nothing tells when',
    );
  });

  it('refuses to begin while pods of an earlier run are there', async () => {
    const following = await tracking(pod('old-1', 'u1'), pod('old-2', 'u2'));
    expect(() => following.begin()).toThrow('pods of an earlier run are still there: ns/old-1 and 1 more');
    tell('DELETED', pod('old-1', 'u1'));
    tell('DELETED', pod('old-2', 'u2'));
    await vi.waitFor(() => expect(following.present).toBe(0));
    expect(following.times.get('ns/old-2')?.gone).toBeDefined();
    following.begin();
    expect(following.times.size).toBe(0);
  });

  it('knows a worker pod by the home pod it stands for', async () => {
    const following = await tracking();
    const annotations = {
      'kubeocean.io/virtual-pod-namespace': 'shop',
      'kubeocean.io/virtual-pod-name': 'web',
    };
    tell('ADDED', pod('web-5e93', 'u1', {}, annotations));
    await vi.waitFor(() => expect([...following.times.keys()]).toEqual(['shop/web']));
  });

  it('counts writes by revisions: a list after a cut watch is none', async () => {
    const following = await tracking();
    const first = pod('a', 'u1');
    tell('ADDED', first);
    tell('MODIFIED', first);
    tell('MODIFIED', pod('a', 'u1', { containerStatuses: [{ restartCount: 3 }, { restartCount: 4 }] }));
    await vi.waitFor(() => expect(following.times.get('ns/a')).toMatchObject({ revisions: 2, restarts: 7 }));
  });

  it('opens a watch that the server cut again', async () => {
    const following = await tracking();
    const cut = watch;
    tell('ADDED', pod('a', 'u1'));
    cut?.end();
    await vi.waitFor(() => expect(watch).not.toBe(cut));
    tell('ADDED', pod('b', 'u2'));
    await vi.waitFor(() => expect(following.present).toBe(2));
    expect(following.watches).toBe(2);
  });
});
