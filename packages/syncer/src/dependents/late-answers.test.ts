/** What the watch tells of a copy comes before the answer to its writing, or that answer does not come at all. */
import { Label, tokenSecretName } from '@kubeocean/shared/api';
import { ConnectionError, type KubeObject } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import type { Pod } from '../pods/types.ts';
import {
  atHome,
  bindingUID,
  copyName,
  pathOfCopy,
  runs,
  serveClusters,
  watchTells,
  workerPod,
} from './copies-fixtures.ts';

const served = serveClusters();

test('a token Secret whose answer got lost was not changed by hand', async () => {
  const w = served.world();
  const home: Pod = {
    metadata: { namespace: 'shop', name: 'web', uid: 'u' },
    spec: {
      containers: [],
      volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
    },
  };
  const name = tokenSecretName(bindingUID, 'shop', 'web', 'u');
  const at = `/api/v1/namespaces/mount/secrets/${name}`;
  w.homePods.set(home);
  w.workerPods.set(workerPod('secret', name));
  const create = w.context.worker.create.bind(w.context.worker);
  vi.spyOn(w.context.worker, 'create').mockImplementation(async (resource, object, options) => {
    const made = await create(resource, object, options);
    if (resource.kind === 'Secret') throw new ConnectionError('https://worker', 'ECONNRESET', 'reset');
    return made;
  });
  await expect(w.tokens.ensure(home)).rejects.toThrow('reset');
  vi.restoreAllMocks();
  watchTells(served, w, 'secret', at);
  served.writes = [];
  const current = served.objects.get(at);
  expect(w.copies.noticed('secret', { key: `mount/${name}`, previous: undefined, current })).toBe(0);
  await w.copies.sync(`secret/${name}`);
  expect([w.repaired, served.writes]).toEqual([[], []]);
});

/** A pod that runs, with a copy that the watch has told of. */
async function copied() {
  const w = served.world();
  const at = pathOfCopy('configmap');
  atHome(served, w, '1', { data: { key: 'one' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(served, w);
  return { w, at };
}

test('a copy that lost its label while it was being written is ours all the same, and gets it back', async () => {
  const { w, at } = await copied();
  atHome(served, w, '2', { data: { key: 'two' } });
  const replace = w.context.worker.replace.bind(w.context.worker);
  vi.spyOn(w.context.worker, 'replace').mockImplementationOnce(async (resource, object, options) => {
    const answer = await replace(resource, object, options);
    const previous = served.objects.get(at) as KubeObject;
    const resourceVersion = String(Number(previous.metadata.resourceVersion) + 1);
    const metadata = { ...previous.metadata, resourceVersion };
    served.objects.set(at, { ...previous, metadata: { ...metadata, labels: {} } });
    w.stored.configmap.remove(`mount/${copyName}`, { metadata });
    w.copies.noticed('configmap', { key: `mount/${copyName}`, previous, current: undefined });
    return answer;
  });
  await w.copies.ensure('configmap', 'shop', 'conf');
  expect(w.written.configmap.latest(copyName)).toBeUndefined();
  await w.copies.sync(`configmap/${copyName}`);
  vi.restoreAllMocks();
  expect(served.objects.get(at)?.metadata.labels?.[Label.bindingUID]).toBe(bindingUID);
  expect(w.told).toEqual([]);
});

test('a copy whose removal was not answered was not taken away by somebody', async () => {
  const { w, at } = await copied();
  const previous = served.objects.get(at) as KubeObject;
  served.objects.delete('/api/v1/namespaces/shop/configmaps/conf');
  w.sources.configmap.remove('shop/conf');
  const remove = w.context.worker.delete.bind(w.context.worker);
  vi.spyOn(w.context.worker, 'delete').mockImplementationOnce(async (...given) => {
    await remove(...given);
    throw new ConnectionError('https://worker', 'ECONNRESET', 'reset');
  });
  await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toThrow('reset');
  vi.restoreAllMocks();
  watchTells(served, w);
  const change = { key: `mount/${copyName}`, previous, current: undefined };
  expect(w.copies.noticed('configmap', change)).toBeUndefined();
  atHome(served, w, '2', { data: { key: 'two' } });
  await w.copies.sync(`configmap/${copyName}`);
  expect([served.objects.get(at)?.['data'], w.repaired]).toEqual([{ key: 'two' }, []]);
});
