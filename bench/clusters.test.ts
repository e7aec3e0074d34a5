/** What is judged of a cluster's objects before and after runs, and the clearing of the load on a peer of our own. */
import { KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOpen } from './bindings.ts';
import { olderThan } from './charts.ts';
import { UsageError } from './flags.ts';
import { clearLoad } from './namespaces.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { foreignPods, needMountNamespace, needSecret } from './preflight.ts';
import type { Sides } from './sides.ts';

function options(): BenchOptions {
  const parsed = parseOptions([], { files: false });
  if (parsed === 'help') throw new Error('help was not asked for');
  return parsed;
}

function named(name: string, more: object = {}): KubeObject {
  return { metadata: { name, ...more } };
}

describe('a vnode takes pods', () => {
  const node = (taints: object[], ready = 'True') =>
    ({
      metadata: { name: 'v' },
      spec: { taints },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    }) as KubeObject;

  it.each([
    ['with no taint', node([]), true],
    ['with the usual ones', node([{ key: 'kubeocean.io/vnode', effect: 'NoSchedule' }]), true],
    ['with a wish only', node([{ key: 'mine', effect: 'PreferNoSchedule' }]), true],
    ['but not with another taint', node([{ key: 'mine', effect: 'NoSchedule' }]), false],
    ['but not with one that ends pods', node([{ key: 'mine', effect: 'NoExecute' }]), false],
    ['but not while it is not Ready', node([], 'False'), false],
  ])('%s', (_, vnode, open) => expect(isOpen(vnode)).toBe(open));
});

describe('pods that run older code than was imported', () => {
  it('are those that were there by then, to the second', () => {
    const pods = ['2026-01-01T00:00:09Z', '2026-01-01T00:00:10Z', '2026-01-01T00:00:11Z'].map((creationTimestamp, at) =>
      named(`p${at}`, { creationTimestamp }),
    );
    const imagesAt = Date.parse('2026-01-01T00:00:10.400Z');
    expect(olderThan(pods, imagesAt).map(({ metadata }) => metadata.name)).toEqual(['p0', 'p1']);
  });
});

describe('clusters that answer', () => {
  let server: TestServer;
  let sides: Sides;
  /** Objects of a path; deleting it empties it unless it is held. */
  let lists: Map<string, KubeObject[]>;
  let deletions: string[];

  beforeEach(async () => {
    server = await TestServer.start();
    sides = {
      computing: new KubeClient(server.transport('/home')),
      worker: new KubeClient(server.transport('/worker')),
    };
    lists = new Map();
    deletions = [];
    server.answer = (request, response) => {
      const path = request.url?.split('?')[0] ?? '';
      if (request.method === 'DELETE') deletions.push(path);
      const items = lists.get(path) ?? [];
      if (/secrets\//.test(path)) response.writeHead(404).end(JSON.stringify({ kind: 'Status', code: 404 }));
      else response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
    };
  });
  afterEach(() => server.stop());

  it('are refused when others use the mount namespace', async () => {
    const mount = '/worker/api/v1/namespaces/kubeocean-worker/pods';
    const ours = named('bench-pod', { annotations: { 'kubeocean.io/virtual-pod-namespace': 'kubeocean-bench' } });
    lists.set(mount, [ours]);
    await needMountNamespace(options(), sides);
    lists.set(mount, [ours, named('shop-1'), named('shop-2')]);
    await expect(needMountNamespace(options(), sides)).rejects.toThrow(UsageError);
    await expect(needMountNamespace(options(), sides)).rejects.toThrow(
      "namespace kubeocean-worker of the worker has pods that are not the bench's: shop-1 and 1 more",
    );
    const tenant = named('t', { annotations: { 'kubeocean.io/virtual-pod-namespace': 'kubeocean-bench-tenant-3' } });
    expect(foreignPods([tenant])).toEqual([]);
  });

  it('are refused without a way to the worker', async () => {
    await expect(needSecret(options(), sides)).rejects.toThrow('name yours by --secret');
  });

  it('are cleared of the load, its tenants too, again and again until worker pods are gone as well', async () => {
    const mount = '/worker/api/v1/namespaces/kubeocean-worker/pods';
    lists.set(mount, [named('late')]);
    const answer = server.answer;
    server.answer = (request, response) => {
      // The second deletion gets what came after the first.
      if (deletions.length > 20) lists.clear();
      answer(request, response);
    };
    await clearLoad(sides, 'kubeocean-worker', { againMs: 0, lookMs: 0 });
    expect(deletions.length).toBeGreaterThan(20);
    expect(new Set(deletions)).toEqual(
      new Set([
        '/home/api/v1/namespaces/kubeocean-bench/pods',
        '/worker/api/v1/namespaces/kubeocean-bench/pods',
        ...Array.from({ length: 10 }, (_, n) => `/home/api/v1/namespaces/kubeocean-bench-tenant-${n}/pods`),
      ]),
    );
  });

  it('that keep a pod of the load are told of', async () => {
    lists.set('/home/api/v1/namespaces/kubeocean-bench/pods', [named('stuck')]);
    await expect(clearLoad(sides, 'kubeocean-worker', { mostMs: 0, lookMs: 0 })).rejects.toThrow(
      'pods of the load are still there, such as kubeocean-bench/stuck in the computing cluster',
    );
  });
});
