import { expect, test } from 'vitest';
import { ApiError, ConnectionError } from './errors.ts';
import { retryDelayMs } from './retry.ts';

function api(code: number, retryAfterSeconds?: number, reason = ''): ApiError {
  return new ApiError(code, { reason, ...(retryAfterSeconds && { details: { retryAfterSeconds } }) }, 'GET', '/x');
}

function connection(code: string): ConnectionError {
  return new ConnectionError('https://h', code, 'broke');
}

const cases: { name: string; error: unknown; method: string; attempt?: number; delay: number | undefined }[] = [
  { name: '429 with Retry-After, any verb', error: api(429, 3), method: 'POST', delay: 3000 },
  { name: '429 with one that is an hour', error: api(429, 3600), method: 'GET', delay: undefined },
  { name: '503 with one that is an hour', error: api(503, 3600), method: 'GET', delay: undefined },
  { name: '429 without one waits at least a second', error: api(429), method: 'POST', delay: 1000 },
  { name: '429 without one, later', error: api(429), method: 'GET', attempt: 6, delay: 3200 },
  { name: '500 on a GET', error: api(500), method: 'GET', delay: 100 },
  { name: '500 on a GET, third try', error: api(500), method: 'GET', attempt: 3, delay: 400 },
  { name: '503 with Retry-After on a GET', error: api(503, 2), method: 'GET', delay: 2000 },
  { name: '500 on a write', error: api(500), method: 'PATCH', delay: undefined },
  { name: '503 on a write', error: api(503, 1), method: 'DELETE', delay: undefined },
  { name: '504 about a revision', error: api(504, 1, 'Timeout'), method: 'GET', delay: undefined },
  { name: '404', error: api(404), method: 'GET', delay: undefined },
  { name: '409', error: api(409), method: 'PUT', delay: undefined },
  { name: 'reset on a GET', error: connection('ECONNRESET'), method: 'GET', delay: 100 },
  { name: 'reset on a write', error: connection('ECONNRESET'), method: 'POST', delay: undefined },
  { name: 'a name server that does not answer', error: connection('EAI_AGAIN'), method: 'GET', delay: 100 },
  { name: 'certificate', error: connection('CERT_HAS_EXPIRED'), method: 'GET', delay: undefined },
  { name: 'self-signed', error: connection('DEPTH_ZERO_SELF_SIGNED_CERT'), method: 'GET', delay: undefined },
  { name: 'ended by us', error: connection('ABORTED'), method: 'GET', delay: undefined },
  { name: 'a bug', error: new TypeError('x'), method: 'GET', delay: undefined },
];

test.each(cases)('$name', ({ error, method, attempt = 1, delay }) => {
  expect(retryDelayMs(error, method, attempt, () => 0.5)).toBe(delay);
});

test('the back-off is spread by a quarter each way', () => {
  expect(retryDelayMs(api(500), 'GET', 1, () => 0)).toBe(75);
  expect(retryDelayMs(api(500), 'GET', 1, () => 0.999_999)).toBeCloseTo(125, 2);
});
