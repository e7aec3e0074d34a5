/** Deletions of worker pods: which pod is meant, with how much grace, and how often that is asked for. */
import { ApiError } from '@kubeocean/shared/kube';
import { beforeEach, describe, expect, test } from 'vitest';
import { workerPod } from '../ending/ending-fixtures.ts';
import type { PodState } from '../state.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import { deleteWorker, isEnding, releaseWorker } from './worker.ts';

let asked: object[];
let refusal: ApiError | undefined;
let state: PodState;

beforeEach(() => {
  [asked, refusal] = [[], undefined];
  const worker = {
    delete(_: unknown, __: string, ___: string, options: object) {
      asked.push(options);
      return refusal ? Promise.reject(refusal) : Promise.resolve({});
    },
  };
  state = { context: { worker, mayWriteWorker: () => true }, deleted: new Map() } as unknown as PodState;
});

const pod = (more: object = {}) => workerPod({ resourceVersion: '7', ...more });
const going = (grace: number) => pod({ deletionTimestamp: THEN, deletionGracePeriodSeconds: grace });
const answer = (code: number, reason: string, message = reason) =>
  new ApiError(code, { code, reason, message }, 'DELETE', '/');

test('the pod that was looked at is deleted, with its own grace or the one that is asked for', async () => {
  await deleteWorker(state, pod());
  expect(asked).toEqual([{ metadataOnly: true, uid: 'worker-uid' }]);
  expect(isEnding(state, pod())).toBe(true);
  await deleteWorker(state, pod(), { gracePeriodSeconds: 0 });
  expect(asked[1]).toEqual({ metadataOnly: true, uid: 'worker-uid', gracePeriodSeconds: 0 });
});

test('one that may have changed is deleted only as it was looked at, which is no failure', async () => {
  refusal = answer(409, 'Conflict', 'Precondition failed: ResourceVersion in precondition');
  await deleteWorker(state, pod(), { unchanged: true });
  expect(asked).toEqual([{ metadataOnly: true, uid: 'worker-uid', resourceVersion: '7' }]);
  expect(isEnding(state, pod())).toBe(false);
  await expect(deleteWorker(state, pod())).rejects.toBe(refusal);
});

test.each<[number, number | undefined, boolean]>([
  [30, undefined, false],
  [30, 30, false],
  [30, 60, false],
  [30, 29, true],
  [0, 0, false],
])('one that goes within %i s is asked for within %s: %s', async (left, gracePeriodSeconds, again) => {
  await deleteWorker(state, going(left), { gracePeriodSeconds });
  expect(asked).toHaveLength(again ? 1 : 0);
  // The watch has not told of it.
  await deleteWorker(state, going(left), { gracePeriodSeconds });
  expect(asked).toHaveLength(again ? 1 : 0);
});

test('one that is gone or another by now counts as deleted; one that is refused does not', async () => {
  for (const gone of [answer(404, 'NotFound'), answer(409, 'Conflict', 'Precondition failed: UID in precondition')]) {
    state.deleted.clear();
    refusal = gone;
    await deleteWorker(state, pod());
    expect(isEnding(state, pod())).toBe(true);
  }
  state.deleted.clear();
  refusal = answer(403, 'Forbidden');
  await expect(deleteWorker(state, pod())).rejects.toBe(refusal);
  expect(isEnding(state, pod())).toBe(false);
});

describe('a worker pod that is let go', () => {
  /** What is remembered when the worker has answered that; the watch may have told before that the pod is gone. */
  async function remembered(error?: ApiError, isTold = false): Promise<string[]> {
    const released = new Set<string>();
    async function patch(): Promise<object> {
      if (isTold) released.delete('worker-uid');
      if (error) throw error;
      return {};
    }
    const worker = { patch };
    const its = { context: { worker, mayWriteWorker: () => true }, released } as unknown as PodState;
    const letGo = releaseWorker(its, pod());
    if (error?.code === 403) await expect(letGo).rejects.toBe(error);
    else await letGo;
    return [...released];
  }

  test('is remembered until the watch tells that it is gone', async () => {
    expect(await remembered()).toEqual(['worker-uid']);
    expect(await remembered(answer(404, 'NotFound'))).toEqual(['worker-uid']);
    expect(await remembered(answer(403, 'Forbidden'))).toEqual([]);
  });

  test('is not remembered for ever when the watch is faster than the answer', async () => {
    expect(await remembered(undefined, true)).toEqual([]);
  });
});
