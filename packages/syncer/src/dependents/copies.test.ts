/** Copies: what is done when the worker refuses, the watch lags, or pods come and go meanwhile. */
import { Annotation, Label } from '@kubeocean/shared/api';
import { ApiError, type KubeObject } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import {
  atHome,
  bindingUID,
  copyName,
  pathOfCopy,
  pod,
  runs,
  secretName,
  serveClusters,
  watchTells,
} from './copies-fixtures.ts';
import type { Kind } from './kinds.ts';
import { NEVER_COPIED } from './to-worker.ts';

const served = serveClusters();

/** What the worker's server has of the copy. */
function inWorker(kind: Kind = 'configmap') {
  return served.objects.get(pathOfCopy(kind));
}

test.each([
  ['an admission policy, which answers 422', { code: 422, message: "ValidatingAdmissionPolicy 'own' denied request" }],
  ['a webhook', { code: 403, message: 'admission webhook "own" denied the request' }],
  ['a webhook that does not answer', { code: 500, message: 'failed calling webhook "own"' }],
])('a change that is refused by %s leaves the copy as it is, and its users are told once', async (_by, status) => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'old' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  served.refuse = (_method, body) => (body && JSON.stringify(body).includes('new') ? status : undefined);
  atHome(served, w, '2', { data: { MODE: 'new' } });
  served.writes = [];
  for (let n = 0; n < 2; n++)
    await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toMatchObject({ code: status.code });
  expect(served.writes.every((each) => each.startsWith('PUT'))).toBe(true);
  expect(inWorker()).toMatchObject({ data: { MODE: 'old' } });
  expect(w.told).toEqual([
    expect.stringMatching(
      /^FailedUpdate Pod web-0: the ConfigMap conf was changed, but the worker cluster keeps what it had: .*own/,
    ),
    expect.stringMatching(
      /^FailedUpdate ConfigMap conf: pods on vnodes of the ClusterBinding example keep what it said before/,
    ),
  ]);
  // Refused for another reason, then taken.
  served.refuse = () => undefined;
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toMatchObject({ data: { MODE: 'new' } });
});

test('what the worker never took is not told as a change that it does not take', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'new' } });
  runs(w);
  served.refuse = () => ({ code: 403, message: 'exceeded quota: count/configmaps' });
  await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toMatchObject({ code: 403 });
  expect(w.told).toEqual([
    'FailedDependency Pod web-0: the worker cluster does not take the ConfigMap conf, and the pod goes on without it: exceeded quota: count/configmaps',
    'FailedDependency ConfigMap conf: pods on vnodes of the ClusterBinding example go on without it, because the worker cluster does not take it: exceeded quota: count/configmaps',
  ]);
});

test('a Secret of another type takes the place of its predecessor, once it is sure to be taken', async () => {
  const w = served.world();
  atHome(served, w, '1', { type: 'Opaque', data: {} }, 'secret');
  runs(w, 'secret');
  await w.copies.ensure('secret', 'shop', 'conf');
  watchTells(served, w, 'secret');
  const immutable = { details: { causes: [{ field: 'type', message: 'Invalid value: "x": field is immutable' }] } };
  let taken = false;
  served.refuse = (method, body) => {
    if (method === 'PUT') return immutable;
    return method === 'POST' && !taken && body?.['type'] === 'kubernetes.io/tls'
      ? { details: { causes: [] } }
      : undefined;
  };
  atHome(served, w, '2', { type: 'kubernetes.io/tls', data: {} }, 'secret');
  served.writes = [];
  await expect(w.copies.sync(`secret/${secretName}`)).rejects.toMatchObject({ code: 422 });
  expect(served.writes).toEqual([`PUT ${secretName}`, `dry POST ${secretName}`]);
  expect(inWorker('secret')).toMatchObject({ type: 'Opaque' });
  taken = true;
  served.writes = [];
  await w.copies.sync(`secret/${secretName}`);
  expect(served.writes).toEqual([
    `PUT ${secretName}`,
    `dry POST ${secretName}`,
    `DELETE ${secretName}`,
    `POST ${secretName}`,
  ]);
  expect(inWorker('secret')).toMatchObject({ type: 'kubernetes.io/tls' });
});

test('a copy that was just removed is made anew for the next pod, though the watch has not told yet', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  // Nobody has it.
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toBeUndefined();
  expect(w.written.configmap.latest(copyName)).toBeUndefined();
  w.homePods.set(pod());
  expect(await w.copies.ensure('configmap', 'shop', 'conf')).toBeUndefined();
  expect(inWorker()).toMatchObject({ data: { MODE: 'x' } });
  // The watch comes after: first the deletion, then the new one.
  w.stored.configmap.remove(`mount/${copyName}`);
  watchTells(served, w);
  expect(w.written.configmap.latest(copyName)?.metadata.uid).toBe(inWorker()?.metadata.uid);
  expect(served.writes.filter((each) => each.startsWith('POST'))).toHaveLength(2);
});

test('a change that comes while the pod is on its way is not lost; a pod that is not run gets no copy', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'v1' } });
  w.homePods.set(pod());
  await w.copies.sync(`configmap/${copyName}`);
  expect(served.writes).toEqual([]);
  const making = w.copies.ensure('configmap', 'shop', 'conf');
  // Before the answer to our creation is here.
  await Promise.all([making, w.copies.sync(`configmap/${copyName}`)]);
  atHome(served, w, '2', { data: { MODE: 'v2' } });
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toMatchObject({ data: { MODE: 'v2' }, metadata: { labels: { [Label.bindingUID]: bindingUID } } });
  expect(inWorker()?.metadata.annotations?.[Annotation.sourceVersion]).toBe('configmap-uid/2');
});

test('a copy whose removal failed is made again when somebody takes it away later', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  served.objects.delete('/api/v1/namespaces/shop/configmaps/conf');
  w.sources.configmap.remove('shop/conf');
  served.refuse = (method) => (method === 'DELETE' ? { code: 500, message: 'a webhook' } : undefined);
  await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toThrow('a webhook');
  atHome(served, w, '2', { data: { MODE: 'x' } });
  await w.copies.sync(`configmap/${copyName}`);
  watchTells(served, w);
  const previous = inWorker();
  served.objects.delete(pathOfCopy('configmap'));
  watchTells(served, w);
  expect(w.copies.noticed('configmap', { key: `mount/${copyName}`, previous, current: undefined })).toBe(0);
});

test('a copy that we removed and made again is not taken for one that somebody took away', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  const previous = inWorker();
  await w.copies.sync(`configmap/${copyName}`);
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  // Only now does the watch tell, and the copy is needed by then.
  w.stored.configmap.remove(`mount/${copyName}`);
  w.copies.noticed('configmap', { key: `mount/${copyName}`, previous, current: undefined });
  await w.copies.sync(`configmap/${copyName}`);
  atHome(served, w, '2', { data: { MODE: 'y' } });
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toMatchObject({ data: { MODE: 'y' } });
  expect(w.repaired).toEqual([]);
});

test('a copy that somebody takes away again and again is made again every ten seconds, no more', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  function takenAway(): number | undefined {
    const previous = inWorker();
    served.objects.delete(pathOfCopy('configmap'));
    watchTells(served, w);
    return w.copies.noticed('configmap', { key: `mount/${copyName}`, previous, current: undefined });
  }
  expect(takenAway()).toBe(0);
  await w.copies.sync(`configmap/${copyName}`);
  watchTells(served, w);
  expect(w.repaired).toEqual(['configmap missing']);
  w.pass(4000);
  expect(takenAway()).toBe(6000);
  await w.copies.sync(`configmap/${copyName}`);
  watchTells(served, w);
  w.pass(10_000);
  expect(takenAway()).toBe(0);
});

test.each(NEVER_COPIED)('a Secret of the type %s never leaves home, whoever refers to it', async (type) => {
  const w = served.world();
  atHome(served, w, '1', { type, data: { token: 'eA==' } }, 'secret');
  runs(w, 'secret');
  expect(await w.copies.ensure('secret', 'shop', 'conf')).toMatchObject({ absent: false });
  await w.copies.sync(`secret/${secretName}`);
  expect(served.writes).toEqual([]);
  expect(w.told[0]).toContain(`is of type ${type}, which never leaves this cluster`);
});

test.each<[string, Partial<KubeObject['metadata']>]>([
  ['has no label', {}],
  ['is of another binding', { labels: { [Label.bindingUID]: 'another' } }],
])('an object in the place of a copy that %s is left alone, and told', async (_, more) => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  const foreign = { metadata: { name: copyName, namespace: 'mount', uid: 'f', resourceVersion: '1', ...more } };
  served.objects.set(pathOfCopy('configmap'), foreign);
  const message = expect.stringContaining('was not made by Kubeocean') as string;
  expect(await w.copies.ensure('configmap', 'shop', 'conf')).toEqual({ absent: false, message });
  await w.copies.sync(`configmap/${copyName}`);
  expect([inWorker(), w.told[0]]).toEqual([foreign, message]);
});

test('only home’s own word that it has it no more takes a copy away', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  served.writes = [];
  w.sources.configmap.remove('shop/conf');
  const refused = new ApiError(403, { code: 403, message: 'no rights now' }, 'GET', '/');
  vi.spyOn(w.context.home, 'get').mockRejectedValueOnce(refused);
  await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toBe(refused);
  expect(served.writes).toEqual([]);
  served.objects.delete('/api/v1/namespaces/shop/configmaps/conf');
  const previous = inWorker();
  expect(await w.copies.ensure('configmap', 'shop', 'conf')).toEqual({
    absent: true,
    message: 'the ConfigMap shop/conf does not exist',
  });
  expect(served.writes).toEqual([`DELETE ${copyName}`]);
  // Nobody took it away but us.
  expect(w.copies.noticed('configmap', { key: `mount/${copyName}`, previous, current: undefined })).toBeUndefined();
});

test('what somebody else writes of a copy is put right; what they add beside it is theirs', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  const made = inWorker() as KubeObject;
  const change = (resourceVersion: string, more: Partial<KubeObject>, annotations = made.metadata.annotations) => {
    const current = { ...made, ...more, metadata: { ...made.metadata, annotations, resourceVersion } } as KubeObject;
    served.objects.set(pathOfCopy('configmap'), current);
    watchTells(served, w);
    served.writes = [];
    return w.copies.noticed('configmap', { key: `mount/${copyName}`, previous: made, current });
  };
  expect(
    w.copies.noticed('configmap', { key: `mount/${copyName}`, previous: undefined, current: made }),
  ).toBeUndefined();
  expect(change('1001', {}, { ...made.metadata.annotations, theirs: 'x' })).toBe(0);
  for (let n = 0; n < 2; n++) await w.copies.sync(`configmap/${copyName}`);
  expect([served.writes, w.repaired]).toEqual([[], []]);
  expect(
    served.reads.filter((path) => path === pathOfCopy('configmap')),
    'it is looked at once',
  ).toHaveLength(1);
  expect(change('1002', { data: { MODE: 'theirs' } })).toBe(0);
  await w.copies.sync(`configmap/${copyName}`);
  expect([served.writes, w.repaired]).toEqual([[`PUT ${copyName}`], ['configmap content']]);
  expect(inWorker()).toMatchObject({ data: { MODE: 'x' } });
});

test('while writes to the worker are held home is not asked for what is not to be written', async () => {
  const w = served.world();
  atHome(served, w, '1', { data: { MODE: 'x' } });
  runs(w);
  w.stored.configmap.set({
    metadata: { name: copyName, namespace: 'mount', labels: { [Label.bindingUID]: bindingUID } },
  });
  w.context.mayWriteWorker = () => false;
  expect(await w.copies.sync(`configmap/${copyName}`)).toEqual({ againInMs: 5000 });
  expect([served.reads, served.writes, w.told]).toEqual([[], [], []]);
});
