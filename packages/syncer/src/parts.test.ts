import { ApiError, ConnectionError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { WritesHeld } from './gate.ts';
import { createParts, soonest } from './parts.ts';

const refused = new ApiError(403, { message: 'no' }, 'PATCH', '/x');

test.each<[string, Error, boolean]>([
  ['what the server refused', refused, true],
  ['what cannot be done', new TypeError('x'), true],
  ['a server that does not answer', new ConnectionError('worker', 'ECONNRESET', 'x'), false],
  ['writes that are held', new WritesHeld('worker'), false],
])('the rest is done after a failure: %s', async (_, error, goesOn) => {
  const parts = createParts();
  expect(await parts.run(() => Promise.reject(error))).toBeUndefined();
  expect(await parts.run(() => Promise.resolve('done'))).toBe(goesOn ? 'done' : undefined);
  await parts.run(() => Promise.reject(new Error('later')));
  expect(parts.failure).toBe(error);
});

test('a failure that was caught elsewhere counts', async () => {
  const parts = createParts();
  parts.failed(undefined);
  expect(await parts.run(() => Promise.resolve('done'))).toBe('done');
  expect(parts.failure).toBeUndefined();
  parts.failed(refused);
  expect(parts.failure).toBe(refused);
});

test('the first look that one of them wants is the next', () => {
  expect(soonest({ againInMs: 700 }, undefined, {}, { againInMs: 20 }, { againInMs: undefined })).toEqual({
    againInMs: 20,
  });
  expect(soonest(undefined, {})).toBeUndefined();
});
