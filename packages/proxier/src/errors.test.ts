import { ApiError } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { workerRefusal } from './errors.ts';

it('what a worker says is passed on under the name that the caller knows, and not without end', () => {
  const error = new ApiError(404, { message: `pods "w-1" not found${'!'.repeat(1_000_000)}` }, 'GET', '/');
  const { code, message } = workerRefusal(error, { worker: 'w-1', home: 'web' });
  expect(code).toBe(404);
  expect(message).toMatch(/^pods "web" not found!/);
  expect(message.length).toBe(64 * 1024);
});
