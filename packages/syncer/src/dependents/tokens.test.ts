import { Annotation, tokenSecretName } from '@kubeocean/shared/api';
import { ApiError, ConnectionError, type KubeObject, Store } from '@kubeocean/shared/kube';
import { describe, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { WritesHeld } from '../gate.ts';
import type { Pod } from '../pods/types.ts';
import { atHome, bindingUID, runs, serveClusters, watchTells, workerPod, type World } from './copies-fixtures.ts';
import { createTokens, isForNoPod } from './tokens.ts';
import type { Written } from './written.ts';

const path = '/api/v1/namespaces/shop/serviceaccounts/default/token';

describe('home gives no token because the pod is gone', () => {
  test.each([
    ['the pod is not there', 404, { kind: 'pods', name: 'web' }, path, true],
    ['another pod has its name', 409, undefined, path, true],
    ['the ServiceAccount is not there', 404, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['tokens are not ours to ask for', 403, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['something else is not there', 404, { kind: 'pods' }, '/api/v1/namespaces/worker/secrets', false],
  ])('%s', (_, code, details, at, expected) => {
    expect(isForNoPod(new ApiError(code, { code, ...(details && { details }) }, 'POST', at))).toBe(expected);
  });

  test('no answer says nothing', () => {
    expect(isForNoPod(new ConnectionError('https://home', 'ETIMEDOUT', 'no answer in time'))).toBe(false);
  });
});

test('a pod without a token is looked at once, not for ever', async () => {
  vi.useFakeTimers();
  const homePods = new Store<KubeObject>();
  homePods.set({ metadata: { namespace: 'shop', name: 'web', uid: 'u' }, spec: { containers: [] } });
  let looks = 0;
  const queue = (name: string) => ({ name, observe: () => void looks++ });
  const context = { stores: { homePods }, queue, now: () => new Date() } as unknown as SyncerContext;
  const tokens = createTokens(context, {} as Written);
  tokens.follow('shop/web');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks).toBe(1);
  await tokens.stop();
  vi.useRealTimers();
});

describe('while the worker must not be written to', () => {
  const served = serveClusters();

  test('home is asked for no token, however often it is tried', async () => {
    const w = served.world();
    w.context.mayWriteWorker = () => false;
    const tokens = [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
    const metadata = { namespace: 'shop', name: 'web', uid: 'u' };
    const home: Pod = { metadata, spec: { containers: [], volumes: tokens } };
    for (let n = 0; n < 3; n++) await expect(w.tokens.ensure(home)).rejects.toThrow(WritesHeld);
    expect(served.writes).toEqual([]);
    w.context.mayWriteWorker = () => true;
    await w.tokens.ensure(home);
    expect(served.writes).toHaveLength(2);
  });

  test('a copy that is out of date is not read at home', async () => {
    const w = served.world();
    atHome(served, w, '1', { data: { key: 'one' } });
    runs(w);
    w.context.mayWriteWorker = () => false;
    await expect(w.copies.ensure('configmap', 'shop', 'conf')).rejects.toThrow(WritesHeld);
    expect(served.reads).toEqual([]);
  });
});

describe('a token Secret that somebody else', () => {
  const served = serveClusters();
  const home: Pod = {
    metadata: { namespace: 'shop', name: 'web', uid: 'u' },
    spec: {
      containers: [],
      volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
    },
  };
  const name = tokenSecretName(bindingUID, 'shop', 'web', 'u');
  const at = `/api/v1/namespaces/mount/secrets/${name}`;

  /** Tokens that are there, and then written by somebody else. */
  async function changed(change: (secret: KubeObject) => KubeObject): Promise<World> {
    const w = served.world();
    w.homePods.set(home);
    w.workerPods.set(workerPod('secret', name));
    await w.tokens.ensure(home);
    watchTells(served, w, 'secret', at);
    rewrite(w, change);
    served.writes = [];
    return w;
  }

  function rewrite(w: World, change: (secret: KubeObject) => KubeObject): void {
    const secret = served.objects.get(at) as KubeObject;
    const changedOne = change(structuredClone(secret));
    changedOne.metadata.resourceVersion = String(Number(secret.metadata.resourceVersion) + 1000);
    served.objects.set(at, changedOne);
    watchTells(served, w, 'secret', at);
    expect(w.copies.noticed('secret', { key: `mount/${name}`, previous: secret, current: changedOne })).toBe(0);
  }

  const note = ({ metadata, ...rest }: KubeObject) => ({
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, 'backup.example/done': 'yes' } },
  });
  const forge = (secret: KubeObject) => ({ ...secret, data: { 'token.0': 'Zm9yZ2Vk' } });

  test('only gave an annotation of their own keeps its tokens: they would do it again and again', async () => {
    const w = await changed(note);
    await w.copies.sync(`secret/${name}`);
    expect(served.writes).toEqual([]);
    expect(w.repaired).toEqual([]);
    const { current, key } = { current: served.objects.get(at), key: `mount/${name}` };
    expect(w.copies.noticed('secret', { key, previous: current, current })).toBeUndefined();
  });

  test.each<[what: string, change: (secret: KubeObject) => KubeObject]>([
    ['changed', forge],
    [
      'gave another time of renewal',
      (secret) => {
        secret.metadata.annotations = {
          ...secret.metadata.annotations,
          [Annotation.tokenRenewAt]: '2040-01-01T00:00:00Z',
        };
        return secret;
      },
    ],
  ])('%s gets new tokens', async (_, change) => {
    const w = await changed(change);
    await w.copies.sync(`secret/${name}`);
    expect(served.writes).toEqual(['POST default', `PUT ${name}`]);
    expect(w.repaired).toEqual(['secret content']);
  });

  test('changed gets new tokens also when home does not answer at first', async () => {
    const w = await changed(forge);
    served.refuse = () => ({ code: 500, message: 'home is busy' });
    await expect(w.copies.sync(`secret/${name}`)).rejects.toThrow('home is busy');
    served.refuse = () => undefined;
    await w.copies.sync(`secret/${name}`);
    expect(w.repaired).toEqual(['secret content']);
  });

  test('took away is made again also when home does not answer at first', async () => {
    const w = await changed(note);
    const previous = served.objects.get(at);
    served.objects.delete(at);
    watchTells(served, w, 'secret', at);
    w.copies.noticed('secret', { key: `mount/${name}`, previous, current: undefined });
    served.refuse = () => ({ code: 500, message: 'home is busy' });
    await expect(w.copies.sync(`secret/${name}`)).rejects.toThrow('home is busy');
    served.refuse = () => undefined;
    await w.copies.sync(`secret/${name}`);
    expect(served.objects.has(at)).toBe(true);
    expect(w.repaired).toEqual(['secret missing']);
  });
});

test('the tokens of a pod of the same name are renewed when they are due, not when its predecessor’s were', async () => {
  vi.useFakeTimers();
  const homePods = new Store<KubeObject>();
  const pod = (uid: string) => ({
    metadata: { namespace: 'shop', name: 'web-0', uid },
    spec: {
      containers: [],
      volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
    },
  });
  const renewAt: Record<string, number> = { old: 2_880_000, young: 480_000 };
  const looked: string[] = [];
  const written = {
    alone: (_: string, work: () => Promise<unknown>) => work(),
    latest: (name: string) => {
      const uid = ['old', 'young'].find((each) => tokenSecretName('b', 'shop', 'web-0', each) === name) ?? '';
      looked.push(uid);
      const annotations = { [Annotation.tokenRenewAt]: new Date(renewAt[uid] ?? 0).toISOString() };
      return { metadata: { name, annotations } };
    },
  } as unknown as Written;
  const context = {
    bindingUID: 'b',
    stores: { homePods },
    now: () => new Date(0),
    queue: () => ({}),
  } as unknown as SyncerContext;
  const tokens = createTokens(context, written);
  for (const uid of ['old', 'young']) {
    homePods.set(pod(uid));
    for (let n = 0; n < 2; n++) tokens.follow('shop/web-0');
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(looked).toContain('young');
  const before = looked.length;
  await vi.advanceTimersByTimeAsync(480_000);
  expect(looked.length).toBeGreaterThan(before);
  await tokens.stop();
  vi.useRealTimers();
});

describe('tokens', () => {
  const served = serveClusters();
  const source = (path: string, more: object = {}) => ({ serviceAccountToken: { path, ...more } });
  const projected = { sources: [source('token'), source('vault', { audience: 'vault', expirationSeconds: 1200 })] };
  const home = (serviceAccountName?: string): Pod => ({
    metadata: { namespace: 'shop', name: 'web', uid: 'u' },
    spec: { containers: [], volumes: [{ name: 'v', projected }], ...(serviceAccountName && { serviceAccountName }) },
  });
  const secret = () =>
    served.objects.get(`/api/v1/namespaces/mount/secrets/${tokenSecretName(bindingUID, 'shop', 'web', 'u')}`);

  test.each([
    ['default', undefined],
    ['cart', 'cart'],
  ])('are of the pod’s own account %s, each for its audience, and end with the pod', async (account, named) => {
    const w = served.world();
    const asked: unknown[] = [];
    const create = w.context.home.create.bind(w.context.home);
    vi.spyOn(w.context.home, 'create').mockImplementation((resource, object, options) => {
      if (resource.kind === 'ServiceAccount') asked.push(object);
      return create(resource, object, options) as never;
    });
    await w.tokens.ensure(home(named));
    const request = (spec: object) => ({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: account, namespace: 'shop' },
      spec: { ...spec, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u' } },
    });
    expect(asked).toEqual([
      request({ expirationSeconds: 3600 }),
      request({ expirationSeconds: 1200, audiences: ['vault'] }),
    ]);
    const tokens = Object.values(secret()?.['data'] as Record<string, string>);
    expect(tokens.map((text) => Buffer.from(text, 'base64').toString())).toEqual([
      expect.stringMatching(/^token \d+$/),
      expect.stringMatching(/^token \d+$/),
    ]);
    expect(new Set(tokens).size).toBe(2);
  });

  test('are not kept when home gives none', async () => {
    const w = served.world();
    vi.spyOn(w.context.home, 'create').mockResolvedValue({ metadata: { name: 'default' } });
    await expect(w.tokens.ensure(home())).rejects.toThrow('gave no token for shop/web');
    expect(secret()).toBeUndefined();
  });

  test('are asked for again once they are due, and not before', async () => {
    const w = served.world();
    const made = () => served.writes.filter((call) => call === 'POST default').length;
    await w.tokens.ensure(home());
    expect([made(), w.tokens.willAsk(home())]).toEqual([2, false]);
    await w.tokens.ensure(home());
    expect(made()).toBe(2);
    w.context.now = () => new Date(3_600_000);
    expect(w.tokens.willAsk(home())).toBe(true);
    await w.tokens.ensure(home());
    expect(made()).toBe(4);
  });

  test('of a pod that is followed are made without anybody asking for them', async () => {
    const w = served.world();
    w.homePods.set(home());
    w.tokens.follow('shop/web');
    await vi.waitFor(() => expect(secret()).toBeDefined(), 20_000);
    await w.tokens.stop();
  });

  test('are of no concern to a pod that has none', async () => {
    const w = served.world();
    const none: Pod = { metadata: home().metadata, spec: { containers: [] } };
    expect(w.tokens.willAsk(none)).toBe(false);
    await w.tokens.ensure(none);
    expect(served.writes).toEqual([]);
  });
});
