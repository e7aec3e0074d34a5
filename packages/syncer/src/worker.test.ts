import { ApiError, ConnectionError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { createReachability, unreachableMessage } from './worker.ts';

const silent = new ConnectionError('https://worker', 'ETIMEDOUT', 'no answer in time');
const revoked = new ApiError(401, { code: 401, message: 'Unauthorized' }, 'GET', '/');

test('a worker is unreachable after 30 s in which nothing came from it', () => {
  const worker = createReachability(0);
  expect([worker.unreachable(30_000), worker.unreachable(30_001)]).toEqual([undefined, true]);
  worker.contact(40_000);
  worker.failed(silent);
  expect([worker.unreachable(70_000), worker.unreachable(70_001)]).toEqual([false, true]);
  worker.contact(71_000);
  expect(worker.unreachable(72_000)).toBe(false);
});

test('what a watch goes on telling does not count once the credential was refused, until a call is answered', () => {
  const worker = createReachability(0);
  worker.accepted(1000);
  worker.failed(revoked);
  for (let at = 2000; at <= 40_000; at += 1000) worker.contact(at);
  expect([worker.unreachable(31_000), worker.unreachable(31_001)]).toEqual([false, true]);
  expect(worker.error).toBe(revoked);
  worker.accepted(41_000);
  worker.contact(50_000);
  expect(worker.unreachable(80_000)).toBe(false);
});

test.each([
  [
    'refused the credential',
    revoked,
    /^the worker cluster has refused the credential .* for 30 s \(.*Unauthorized.*scripts\/kubeconfig\.sh/,
  ],
  [
    'not answered',
    silent,
    /^the worker cluster has not answered for 30 s: .*no answer in time\. Pods that run there go on;/,
  ],
])('a worker that has %s is told of as such', (_, error, words) => {
  expect(unreachableMessage(error, 30, false)).toMatch(words);
});
