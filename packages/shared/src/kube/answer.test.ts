import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readBody, toApiError, toConnectionError } from './answer.ts';
import { isAlreadyExists, isConflict, isForbidden, isNotFound } from './errors.ts';
import { retryDelayMs } from './retry.ts';

function pieces(...texts: (string | Buffer | Error)[]): Readable {
  async function* each(): AsyncGenerator<Buffer> {
    for (const text of texts) {
      if (text instanceof Error) throw text;
      yield Buffer.from(text);
    }
  }
  return Readable.from(each(), { objectMode: false });
}

const open = new AbortController().signal;

test('a body is put together, also where a character was cut in two', async () => {
  const bytes = Buffer.from('für');
  expect(await readBody(pieces(bytes.subarray(0, 2), bytes.subarray(2)), 's', open)).toBe('für');
});

test('a body that is too long is not read to its end, and not asked for again', async () => {
  await expect(readBody(pieces('xxxx', 'xxxx', 'xxxx'), 's', open, 7)).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'TOO_LONG',
    message: 's: the answer broke off: longer than 7 bytes',
  });
});

test('a body that breaks off is an error of the connection, with the cause', async () => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  await expect(readBody(pieces('{', reset), 's', open)).rejects.toMatchObject({
    code: 'ECONNRESET',
    message: 's: the answer broke off: socket hang up',
    cause: reset,
  });
  await expect(readBody(pieces('{', reset), 's', AbortSignal.abort())).rejects.toMatchObject({
    code: 'ABORTED',
  });
});

test('a body whose connection is closed without an error breaks off too', async () => {
  const stream = new Readable({ read() {} });
  const body = readBody(stream, 's', open);
  stream.push('{');
  stream.destroy();
  await expect(body).rejects.toMatchObject({
    code: 'ECONNRESET',
    message: 's: the answer broke off: the connection was closed',
  });
});

test('an ended signal says whether time was up or we ended the call', () => {
  const error = new Error('aborted');
  const timedOut = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
  expect(toConnectionError('s', error, timedOut).code).toBe('ETIMEDOUT');
  expect(toConnectionError('s', error, AbortSignal.abort()).code).toBe('ABORTED');
  expect(toConnectionError('s', error, open).code).toBe('EUNKNOWN');
});

test('of a server with several addresses it is said what is wrong with each', () => {
  const each = ['connect ECONNREFUSED 10.0.0.1:6443', 'connect ENETUNREACH fd00::1:6443'].map(
    (text) => new Error(text),
  );
  const error = Object.assign(new AggregateError(each), { code: 'ECONNREFUSED' });
  expect(toConnectionError('https://api', error, open)).toMatchObject({
    code: 'ECONNREFUSED',
    message: 'https://api: connect ECONNREFUSED 10.0.0.1:6443; connect ENETUNREACH fd00::1:6443',
  });
});

const webhook = 'admission webhook "own.example.com" denied the request';
const policy = `pods "web" is forbidden: ValidatingAdmissionPolicy 'own' with binding 'own' denied request`;

test.each([
  [401, 'Unauthorized', `${policy}: who are you`],
  [404, 'NotFound', `${webhook}: configmaps "rules" not found`],
  [409, 'Conflict', `${webhook}: rules have changed`],
  [409, 'AlreadyExists', `${webhook}: pods "web" already exists`],
  [410, 'Expired', `${webhook}: too old`],
  [418, '', `${webhook} without explanation`],
  [429, 'TooManyRequests', `${webhook}: Eviction triggered evacuation of VMI`],
])('a webhook or policy that refuses with %i %s does not speak for the server', (code, reason, message) => {
  const text = JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message });
  const error = toApiError(code, text, { headers: {} } as IncomingMessage, { method: 'DELETE', path: '/x' });
  expect(error).toMatchObject({ code: 403, reason: 'Forbidden', message });
  expect([isNotFound, isConflict, isAlreadyExists, isForbidden].map((is) => is(error))).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect(retryDelayMs(error, 'DELETE', 1)).toBeUndefined();
});

test.each([
  [404, 'NotFound', 'pods "web" not found'],
  [429, 'TooManyRequests', 'the server has received too many requests'],
  [422, 'Invalid', `${webhook}: spec.x is wrong`],
  [500, 'InternalError', `${webhook}: no database`],
])('what else is answered with %i %s stays as it is: %s', (code, reason, message) => {
  const text = JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message });
  const error = toApiError(code, text, { headers: {} } as IncomingMessage, { method: 'DELETE', path: '/x' });
  expect(error).toMatchObject({ code, reason, message });
});
