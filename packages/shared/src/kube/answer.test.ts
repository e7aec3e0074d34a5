import { expect, test } from 'vitest';
import { readBody, toConnectionError } from './answer.ts';

async function* pieces(...texts: (string | Error)[]): AsyncGenerator<Buffer> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

const open = new AbortController().signal;

test('a body is put together, also where a character was cut in two', async () => {
  const bytes = Buffer.from('für');
  async function* cut(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 2);
    yield bytes.subarray(2);
  }
  expect(await readBody(cut(), 's', open)).toBe('für');
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

test('an ended signal says whether time was up or we ended the call', () => {
  const error = new Error('aborted');
  const timedOut = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
  expect(toConnectionError('s', error, timedOut).code).toBe('ETIMEDOUT');
  expect(toConnectionError('s', error, AbortSignal.abort()).code).toBe('ABORTED');
  expect(toConnectionError('s', error, open).code).toBe('EUNKNOWN');
});
