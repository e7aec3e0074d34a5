import { ApiError } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import type { SyncerContext } from './context.ts';
import { isGone, mayBelieveAbsence, mayWriteHome, mayWriteWorker, WritesHeld } from './gate.ts';

function context(claimHeld: boolean, leads = true): SyncerContext {
  return {
    mayWriteWorker: () => claimHeld,
    confirmWorker: () => Promise.resolve(claimHeld),
    leadership: { isCurrent: () => leads },
  } as unknown as SyncerContext;
}

describe('while the claim or leadership is not held', () => {
  test('nothing is written to the worker', () => {
    expect(() => mayWriteWorker(context(false))).toThrow(WritesHeld);
    expect(() => mayWriteWorker(context(false))).toThrow(/no writes to the worker cluster now/);
    expect(() => mayWriteWorker(context(true))).not.toThrow();
  });

  test('nothing is written to home', () => {
    expect(() => mayWriteHome(context(true, false))).toThrow(/no writes to the home cluster now/);
    expect(() => mayWriteHome(context(false, true))).not.toThrow();
  });

  test('what another cluster has not got is not believed to be gone', async () => {
    await expect(mayBelieveAbsence(context(false))).rejects.toThrow(WritesHeld);
    await expect(mayBelieveAbsence(context(true))).resolves.toBeUndefined();
  });
});

test.each<[string, boolean, Error]>([
  ['nothing of that name', true, answered(404)],
  ['a delete that meant another UID', true, answered(409, { message: 'Precondition failed: UID in precondition: a' })],
  ['a patch that meant another UID', true, answered(422, { details: { causes: [{ field: 'metadata.uid' }] } })],
  ['a write that another came before', false, answered(409, { message: 'the object has been modified' })],
  ['a field that is not taken', false, answered(422, { details: { causes: [{ field: 'status.podIP' }] } })],
  ['no right to', false, answered(403)],
  ['no answer', false, new Error('socket hang up')],
])('the object that was meant is gone, by %s: %s', (_, gone, error) => {
  expect(isGone(error)).toBe(gone);
});

function answered(code: number, status: object = {}): ApiError {
  const reason = { 404: 'NotFound', 409: 'Conflict', 422: 'Invalid', 403: 'Forbidden' }[code] ?? '';
  return new ApiError(code, { code, reason, ...status }, 'DELETE', '/api/v1/namespaces/n/pods/p');
}
