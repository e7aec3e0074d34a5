import { expect, test } from 'vitest';
import {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isCertificateError,
  isConflict,
  isExpired,
  isNotFound,
  isTooLargeResourceVersion,
  mayBeDone,
  messageOf,
  type Status,
  unlessMissing,
} from './errors.ts';

const checks = { isAlreadyExists, isCertificateError, isConflict, isExpired, isNotFound, isTooLargeResourceVersion };

function api(code: number, status: Status = {}): ApiError {
  return new ApiError(code, status, 'GET', '/x');
}

const cases: { name: string; error: unknown; is: (keyof typeof checks)[] }[] = [
  { name: '404', error: api(404), is: ['isNotFound'] },
  { name: '409 Conflict', error: api(409, { reason: 'Conflict' }), is: ['isConflict'] },
  { name: '409 AlreadyExists', error: api(409, { reason: 'AlreadyExists' }), is: ['isAlreadyExists'] },
  {
    name: '422 about the UID',
    error: api(422, {
      reason: 'Invalid',
      details: { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }] },
    }),
    is: ['isConflict'],
  },
  {
    name: '422 about something else',
    error: api(422, { reason: 'Invalid', details: { causes: [{ field: 'spec.x' }] } }),
    is: [],
  },
  { name: '410', error: api(410, { reason: 'Expired' }), is: ['isExpired'] },
  {
    name: '504 about a revision of the future',
    error: api(504, { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
    is: ['isTooLargeResourceVersion'],
  },
  {
    name: 'a 422 and a 504 with causes that no API server writes',
    error: api(422, { reason: 'Timeout', details: { causes: { field: 'metadata.uid' } as never } }),
    is: [],
  },
  { name: 'the same in a list', error: api(422, { reason: 'Timeout', details: { causes: [null] as never } }), is: [] },
  { name: '504 of another cause', error: api(504, { reason: 'Timeout' }), is: [] },
  {
    name: 'an expired certificate',
    error: new ConnectionError('s', 'CERT_HAS_EXPIRED', 'm'),
    is: ['isCertificateError'],
  },
  { name: 'a reset', error: new ConnectionError('s', 'ECONNRESET', 'm'), is: [] },
  { name: 'anything else', error: new Error('404'), is: [] },
  { name: 'nothing', error: undefined, is: [] },
];

test.each(cases)('$name', ({ error, is }) => {
  const found = Object.entries(checks).flatMap(([name, check]) => (check(error) ? [name] : []));
  expect(found).toEqual(is);
});

test.each([
  ['no answer', new ConnectionError('s', 'ECONNRESET', 'm'), true],
  ['a gateway', api(504), true],
  ['an etcd that did not answer', api(500, { message: 'etcdserver: request timed out' }), true],
  ['a webhook that cannot be called', api(500, { reason: 'InternalError', message: 'failed calling webhook' }), false],
  ['a webhook that failed itself', api(500, { message: 'admission webhook "own" denied the request: no' }), false],
  ['a refusal', api(409, { reason: 'Conflict' }), false],
  ['anything else', new Error('no'), false],
])('after %s a write may be done all the same, or not', (_what, error, may) => {
  expect(mayBeDone(error)).toBe(may);
});

test('the message is the server’s, or says what was asked and the code', () => {
  expect(api(403, { message: 'pods is forbidden' }).message).toBe('pods is forbidden');
  expect(api(502).message).toBe('GET /x: HTTP 502');
  expect(api(500, { message: 7 as unknown as string }).message).toBe('GET /x: HTTP 500');
  expect(new ConnectionError('https://h', 'ECONNREFUSED', 'refused').message).toBe('https://h: refused');
  expect(messageOf('text')).toBe('text');
});

test('of a message of megabytes so much is kept as may stand in a line of a log', () => {
  expect(api(500, { message: 'x'.repeat(1_000_000) }).message).toBe('x'.repeat(65_536));
});

test('what is missing is undefined; a path that is not served, and everything else, is an error', async () => {
  async function call(problem?: Error): Promise<string> {
    if (problem) throw problem;
    return 'found';
  }
  expect(await unlessMissing(call())).toBe('found');
  expect(await unlessMissing(call(api(404, { kind: 'Status', reason: 'NotFound' })))).toBeUndefined();
  for (const problem of [api(404, { reason: 'NotServed' }), api(403), new Error('no')]) {
    await expect(unlessMissing(call(problem))).rejects.toBe(problem);
  }
});
