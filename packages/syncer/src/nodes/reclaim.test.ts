import type { LeasedNode } from '@kubeocean/shared/api';
import { ApiError, type KubeObject, Store } from '@kubeocean/shared/kube';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createReclaim, stepFor } from './reclaim.ts';

const owner = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }];
const annotations = { 'kubeocean.io/virtual-pod-uid': 'p' };
const counterpart: KubeObject = { metadata: { name: 'w', annotations } };
const ending: KubeObject = { metadata: { name: 'w', annotations, deletionTimestamp: '2026-11-21T18:00:00Z' } };
const notRun = [{ type: 'kubeocean.io/NotRun', status: 'True' }];
const evicted = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
const goes = { deletionTimestamp: '2026-11-21T18:00:00Z' };

test.each<[string, Partial<KubeObject['metadata']>, Record<string, unknown>, KubeObject[], string | undefined]>([
  ['a running pod', {}, { phase: 'Running' }, [counterpart], 'evict'],
  ['a pod that waits', {}, { phase: 'Pending' }, [], 'evict'],
  ['a pod that succeeded', {}, { phase: 'Succeeded' }, [counterpart], undefined],
  ['a pod that failed', {}, { phase: 'Failed' }, [], undefined],
  ['a pod that the worker ends already', {}, { phase: 'Running' }, [ending], undefined],
  ['a pod that its user deletes', goes, { phase: 'Running' }, [counterpart], undefined],
  ['a pod that was evicted without words', goes, { phase: 'Running', conditions: evicted }, [ending], 'explain'],
  [
    'a pod that was evicted and says why',
    { ...goes, annotations: { 'kubeocean.io/lease-closed': 'policy p: closed' } },
    { phase: 'Running', conditions: evicted },
    [ending],
    undefined,
  ],
  ['a pod that is not run', {}, { phase: 'Pending', conditions: notRun }, [], undefined],
  ["a DaemonSet's pod without a counterpart", { ownerReferences: owner }, { phase: 'Pending' }, [], undefined],
  ["a DaemonSet's pod that runs", { ownerReferences: owner }, { phase: 'Running' }, [counterpart], 'evict'],
])('a lease is taken back from %s', (_what, metadata, status, workerPods, expected) => {
  expect(stepFor({ metadata: { name: 'p', uid: 'p', ...metadata }, status }, workerPods)).toBe(expected);
});

const BUDGET = { code: 429, details: { causes: [{ reason: 'DisruptionBudget', message: 'b' }] } };
const WORDS = 'policy day: window closed';

describe('the pods of a vnode whose lease closes', () => {
  let now: number;
  let leads: boolean;
  let calls: string[];
  let told: string[];
  /** What is answered, by call. */
  let answers: Record<string, { code: number; reason?: string; message?: string; details?: object }>;
  let patches: object[];
  let homePods: Store<KubeObject>;
  let workerPods: Store<KubeObject>;

  beforeEach(() => {
    [now, leads, calls, told, answers, patches] = [0, true, [], [], {}, []];
    homePods = new Store<KubeObject>({ node: () => ['v'] });
    workerPods = new Store<KubeObject>({ vnode: () => ['v'] });
    put('p');
  });

  function put(name: string, more: Partial<KubeObject['metadata']> = {}, status: object = { phase: 'Running' }): void {
    homePods.set({ metadata: { namespace: 'shop', name, uid: name, ...more }, spec: { nodeName: 'v' }, status });
  }

  async function answer(call: string): Promise<object> {
    calls.push(call);
    const status = answers[call];
    if (status) throw new ApiError(status.code, status, 'POST', '/');
    return { metadata: {} };
  }

  function reclaimOf() {
    const context = {
      home: {
        create: (_: unknown, { metadata: { name } }: KubeObject) => answer(`evict ${name}`),
        patch(_: unknown, namespace: string, name: string, patch: object, { subresource }: { subresource: string }) {
          patches.push(patch);
          return answer(`patch ${namespace}/${name}/${subresource}`);
        },
      },
      stores: { homePods, workerPods, vnodes: new Store() },
      leadership: { isCurrent: () => leads },
      now: () => new Date(0),
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
      homeEvents: {
        event: ({ metadata: { name } }: KubeObject, _: string, reason: string, text: string) =>
          told.push(`${name} ${reason}: ${text}`),
      },
    } as unknown as SyncerContext;
    return createReclaim(context, () => now);
  }

  const record = (status: object = {}) =>
    ({
      spec: { nodeName: 'n', policy: 'day' },
      status: { phase: 'Closing', reclaimStage: 'Evicting', message: 'window closed', ...status },
    }) as unknown as LeasedNode;

  test('are asked to go, say why, and are told once; asked again when nothing comes of it', async () => {
    const reclaim = reclaimOf();
    for (; now < 10_000; now += 1000) expect(await reclaim.step('v', record())).toEqual({ againInMs: 5000 });
    expect(calls).toEqual(['evict p', 'patch shop/p/status', 'evict p', 'patch shop/p/status']);
    const condition = { type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed', message: WORDS };
    expect(patches[0]).toEqual({
      metadata: { uid: 'p', annotations: { 'kubeocean.io/lease-closed': WORDS } },
      status: { conditions: [{ ...condition, lastTransitionTime: '1970-01-01T00:00:00Z' }] },
    });
    expect(told).toEqual([`p LeaseClosed: evicted: the lease of the worker node n is taken back (${WORDS})`]);
    // Another of its name.
    reclaim.forget('p');
    await reclaim.step('v', record());
    expect(told).toHaveLength(2);
  });

  test('that a disruption budget keeps are asked every five seconds, however often the record changes', async () => {
    answers['evict p'] = BUDGET;
    const reclaim = reclaimOf();
    for (; now < 10_000; now += 500) expect(await reclaim.step('v', record())).toEqual({ againInMs: 5000 });
    expect(calls).toEqual(['evict p', 'evict p']);
    expect(told).toEqual([]);
  });

  test('that budgets keep cost no look at all worker pods for each of them', async () => {
    let looks = 0;
    const names = Array.from({ length: 50 }, (_, at) => `p${at}`);
    homePods.remove('shop/p');
    for (const uid of names) {
      put(uid);
      answers[`evict ${uid}`] = BUDGET;
      const metadata = { name: uid, uid: `w-${uid}`, annotations: { 'kubeocean.io/virtual-pod-uid': uid } };
      workerPods.set({
        get metadata() {
          looks++;
          return metadata;
        },
      });
    }
    looks = 0;
    await reclaimOf().step('v', record());
    expect(calls).toHaveLength(names.length);
    expect(looks).toBeLessThan(5 * names.length);
  });

  test('that were evicted without words are only told why', async () => {
    put('p', goes, { phase: 'Running', conditions: evicted });
    await reclaimOf().step('v', record());
    expect(calls).toEqual(['patch shop/p/status']);
  });

  test.each<[string, object, object]>([
    [
      'the user’s own deletion',
      goes,
      { phase: 'Running', conditions: [{ type: 'DisruptionTarget', status: 'False' }] },
    ],
    ['another condition', goes, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }],
    ['having ended', {}, { phase: 'Succeeded' }],
  ])('are not asked after %s', async (_, metadata, status) => {
    put('p', metadata, status);
    expect(await reclaimOf().step('v', record())).toBeUndefined();
    expect(calls).toEqual([]);
  });

  test.each([
    ['has yet to be taken back', { reclaimStage: undefined }],
    ['is open', { phase: 'Active' }],
    ['is over: it is drained', { phase: 'Closed' }],
  ])('are not asked while the lease %s', async (_, status) => {
    expect(await reclaimOf().step('v', record(status))).toBeUndefined();
    expect(calls).toEqual([]);
  });

  test('are asked by nobody who leads no more', async () => {
    leads = false;
    expect(await reclaimOf().step('v', record())).toEqual({ againInMs: 1000 });
    expect(calls).toEqual([]);
  });

  test('go, though one cannot be asked, which is told', async () => {
    put('q');
    answers['evict p'] = { code: 500, message: 'two budgets' };
    await expect(reclaimOf().step('v', record())).rejects.toThrow('two budgets');
    expect(calls).toEqual(['evict p', 'evict q', 'patch shop/q/status']);
    expect(told.map((text) => text.split(':')[0])).toEqual(['p EvictionFailed', 'v EvictionFailed', 'q LeaseClosed']);
  });

  test('are left for later by a home that has too much to do', async () => {
    put('q');
    answers['evict p'] = { code: 429, message: 'too many requests' };
    await expect(reclaimOf().step('v', record())).rejects.toThrow('too many requests');
    expect([calls, told]).toEqual([['evict p'], []]);
  });

  test('whose annotations are full are told by the condition alone, and no failure of it', async () => {
    const details = { causes: [{ field: 'metadata.annotations', message: 'may not be more than 262144 bytes' }] };
    const full = { code: 422, reason: 'Invalid', details };
    Object.defineProperty(answers, 'patch shop/p/status', { get: () => (patches.length === 1 ? full : undefined) });
    expect(await reclaimOf().step('v', record())).toEqual({ againInMs: 5000 });
    expect(patches).toHaveLength(2);
    expect(patches[1]).toMatchObject({ metadata: { uid: 'p' }, status: { conditions: [{ reason: 'LeaseClosed' }] } });
    expect(patches[1]).not.toHaveProperty('metadata.annotations');
    expect(told.map((text) => text.split(':')[0])).toEqual(['p LeaseClosed']);
  });

  test('whose annotations are full are told once while they go, and again when there is something else to tell', async () => {
    put('p', goes, { phase: 'Running', conditions: evicted });
    const reclaim = reclaimOf();
    for (; now < 60_000; now += 5000) expect(await reclaim.step('v', record())).toEqual({ againInMs: 5000 });
    expect(calls).toEqual(['patch shop/p/status']);
    await reclaim.step('v', record({ message: 'the policy is gone' }));
    expect(calls).toHaveLength(2);
    reclaim.forget('p');
    await reclaim.step('v', record({ message: 'the policy is gone' }));
    expect(calls).toHaveLength(3);
  });

  test('that others wrote at the same moment are told at the next look', async () => {
    put('p', goes, { phase: 'Running', conditions: evicted });
    const reclaim = reclaimOf();
    answers['patch shop/p/status'] = { code: 409, reason: 'Conflict', message: 'the object has been modified' };
    expect(await reclaim.step('v', record())).toEqual({ againInMs: 5000 });
    answers = {};
    for (let looks = 0; looks < 3; looks++) await reclaim.step('v', record());
    expect(calls).toEqual(['patch shop/p/status', 'patch shop/p/status']);
  });

  test('that went, or were deleted by their users, while others were asked are let be', async () => {
    for (const name of ['q', 'r', 's']) put(name);
    Object.defineProperty(answers, 'patch shop/p/status', {
      get() {
        homePods.remove('shop/q');
        put('r', { uid: 'another' });
        put('s', goes);
      },
    });
    await reclaimOf().step('v', record());
    expect(calls).toEqual(['evict p', 'patch shop/p/status']);
    expect(told.map((text) => text.split(':')[0])).toEqual(['p LeaseClosed']);
  });

  test('that went while they were asked are not remembered', async () => {
    const reclaim = reclaimOf();
    Object.defineProperty(answers, 'evict p', {
      get() {
        homePods.remove('shop/p');
        reclaim.forget('p');
      },
    });
    await reclaim.step('v', record());
    put('p');
    await reclaim.step('v', record());
    expect(calls).toEqual(['evict p', 'evict p']);
    expect(told).toEqual([]);
  });

  test.each([
    [404, 'NotFound'],
    [409, 'Conflict'],
  ])('may be gone or others before they say why (%i)', async (code, reason) => {
    answers['patch shop/p/status'] = { code, reason };
    expect(await reclaimOf().step('v', record())).toEqual({ againInMs: 5000 });
  });
});
