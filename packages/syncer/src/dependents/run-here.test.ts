/** What a hostile worker gets by making pods and copies that look like ours. */
import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import {
  atHome,
  bindingUID,
  pathOfCopy,
  pod,
  secretName,
  serveClusters,
  watchTells,
  workerPod,
} from './copies-fixtures.ts';
import type { World } from './copies-fixtures.ts';
import type { Pod } from '../pods/types.ts';

const served = serveClusters();
const PASSWORD = { type: 'Opaque', data: { password: 'aG9tZQ==' } };
const AT_HOME = '/api/v1/namespaces/shop/secrets/conf';

/** Labels, annotations and name of a copy of `shop/conf` and a pod that mounts it: all of that is known in the worker. */
function forge(w: World): void {
  const forged: KubeObject = {
    metadata: {
      namespace: 'mount',
      name: secretName,
      uid: 'forged',
      resourceVersion: '7',
      labels: { [Label.bindingUID]: bindingUID },
      annotations: { [Annotation.virtualNamespace]: 'shop', [Annotation.virtualName]: 'conf' },
    },
  };
  served.objects.set(pathOfCopy('secret'), forged);
  w.workerPods.set(workerPod('secret', secretName));
  watchTells(served, w, 'secret');
  w.copies.noticed('secret', { key: `mount/${secretName}`, previous: undefined, current: forged });
}

test('a Secret that no home pod refers to is not even read', async () => {
  const w = served.world();
  expect(secretName).toBe(workerName(bindingUID, 'shop', 'conf', 'secret'));
  atHome(served, w, '1', PASSWORD, 'secret');
  forge(w);
  await w.copies.sync(`secret/${secretName}`);
  expect(served.writes).toEqual([]);
  expect(served.reads).not.toContain(AT_HOME);
});

describe('a Secret of a home pod that', () => {
  function changed(change: { spec?: object; status?: NonNullable<Pod['status']>; metadata?: object }): Pod {
    const home = pod('secret');
    return {
      ...home,
      metadata: { ...home.metadata, ...change.metadata },
      spec: { ...home.spec, ...change.spec },
      ...(change.status && { status: change.status }),
    };
  }
  const daemon = { metadata: { ownerReferences: [{ kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }] } };
  const started = { status: { startTime: '2026-01-01T00:00:00Z' } };
  const selector = { matchLabels: { lend: 'yes' } };

  test.each<[what: string, brought: boolean, home: Pod, selector?: object]>([
    ['is on another binding’s vnode', false, changed({ spec: { nodeName: 'vnode-cls-b-node1' }, ...started })],
    ['is of a DaemonSet and not run', false, changed(daemon)],
    ['is of a namespace that the binding does not admit', false, changed({}), selector],
    ['has ended', false, changed({ status: { phase: 'Succeeded' } })],
    ['is about to run', true, changed({})],
    ['runs', true, changed(started)],
    ['runs, although the binding does not admit its namespace any more', true, changed(started), selector],
  ])('%s: brought %s', async (_, brought, home, namespaceSelector) => {
    const w = served.world();
    served.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels: { lend: 'no' } } });
    if (namespaceSelector) w.context.binding().spec.namespaceSelector = namespaceSelector;
    atHome(served, w, '1', PASSWORD, 'secret');
    w.homePods.set(home);
    forge(w);
    await w.copies.sync(`secret/${secretName}`);
    expect(served.objects.get(pathOfCopy('secret'))?.['data']).toEqual(brought ? PASSWORD.data : undefined);
    expect(served.writes).toHaveLength(brought ? 1 : 0);
  });

  test('has ended is removed when home has it no more', async () => {
    const w = served.world();
    w.homePods.set(changed({ status: { phase: 'Succeeded' } }));
    forge(w);
    await w.copies.sync(`secret/${secretName}`);
    expect(served.writes).toEqual([`DELETE ${secretName}`]);
  });
});
