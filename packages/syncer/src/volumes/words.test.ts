import type { KubeObject } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import type { Claim } from './types.ts';
import { tellClaim, workerWarnings } from './words.ts';

const claim = (name: string) => ({ metadata: { namespace: 'shop', name, uid: name }, spec: {} }) as Claim;

function pod(name: string, claimName: string): KubeObject {
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName } }];
  return { metadata: { namespace: 'shop', name, uid: name }, spec: { containers: [], volumes } };
}

/** A context whose home has the `pods` of the moment, one a page; what it tells is in `told`. */
function telling(pods: () => KubeObject[]) {
  const told: string[] = [];
  const list = vi.fn(async function* () {
    for (const one of pods()) yield { metadata: {}, items: [one] };
  });
  const homeEvents = {
    event: ({ metadata }: KubeObject, _: string, reason: string, message: string) =>
      told.push(`${metadata.name} ${reason}: ${message}`),
  };
  return { told, list, context: { home: { pages: list }, homeEvents } as unknown as SyncerContext };
}

test('claims of a namespace that fail together ask once which pods wait, and each tells its own', async () => {
  const { told, list, context } = telling(() => [pod('p1', 'a'), pod('p2', 'b'), pod('p3', 'c')]);
  await Promise.all(['a', 'b'].map((name) => tellClaim(context, claim(name), 'ProvisioningFailed', 'full')));
  expect(list).toHaveBeenCalledTimes(1);
  expect(told.toSorted()).toEqual([
    'a ProvisioningFailed: full',
    'b ProvisioningFailed: full',
    'p1 ProvisioningFailed: waiting for the volume of the claim a: full',
    'p2 ProvisioningFailed: waiting for the volume of the claim b: full',
  ]);
});

test('a pod made since the list that is held hears of its claim too, and one list more is asked for', async () => {
  const pods = [pod('p1', 'a')];
  const { told, list, context } = telling(() => [...pods]);
  await tellClaim(context, claim('a'), 'ProvisioningFailed', 'full');
  pods.push(pod('p2', 'b'));
  await tellClaim(context, claim('b'), 'ProvisioningFailed', 'full');
  expect(told).toContain('p2 ProvisioningFailed: waiting for the volume of the claim b: full');
  await tellClaim(context, claim('a'), 'ProvisioningFailed', 'full');
  expect(list).toHaveBeenCalledTimes(2);
});

test('claims that wait for their volumes together ask once for the worker’s warnings, and each finds its own', async () => {
  const about = (uid: string, message: string) => ({
    metadata: { name: `${uid}.${message}` },
    involvedObject: { kind: 'PersistentVolumeClaim', uid },
    reason: 'ProvisioningFailed',
    message,
  });
  let lists = 0;
  async function* pages() {
    lists++;
    yield { metadata: {}, items: [about('a', 'full'), about('b', 'slow')] };
    yield { metadata: {}, items: [about('a', 'full'), about('a', 'no node')] };
  }
  const context = { worker: { pages } } as unknown as SyncerContext;
  const found = await Promise.all(['a', 'b', 'c'].map((name) => workerWarnings(context, claim(name))));
  expect(found).toEqual([
    ['ProvisioningFailed: full', 'ProvisioningFailed: no node'],
    ['ProvisioningFailed: slow'],
    [],
  ]);
  expect(lists).toBe(1);
});

test('a worker whose list of warnings never ends is not followed for ever', async () => {
  let pages = 0;
  async function* endless() {
    for (;;) {
      pages++;
      yield { metadata: {}, items: [] };
    }
  }
  const context = { worker: { pages: endless } } as unknown as SyncerContext;
  expect(await workerWarnings(context, claim('a'))).toEqual([]);
  expect(pages).toBe(20);
});
