import { ApiError, KubeconfigError } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { workerRefusal } from './errors.ts';

it('what a worker says is passed on under the name that the caller knows, and not without end', () => {
  const error = new ApiError(404, { message: `pods "w-1" not found${'!'.repeat(1_000_000)}` }, 'GET', '/');
  const { code, message } = workerRefusal(error, { worker: 'w-1', home: 'web' });
  expect(code).toBe(404);
  expect(message).toMatch(/^pods "web" not found!/);
  expect(message.length).toBe(64 * 1024);
});

it('nobody is led elsewhere by a worker: that is a failure of the gateway', () => {
  const error = new ApiError(302, { message: 'GET /: HTTP 302' }, 'GET', '/');
  expect(workerRefusal(error, { worker: 'w-1', home: 'h' }).code).toBe(502);
});

it('a kubeconfig that cannot be used is told as what keeps the worker from being asked', () => {
  const error = new KubeconfigError('Unreadable', '/etc/kubeocean/worker/kubeconfig cannot be read');
  const { code, message } = workerRefusal(error, { worker: 'w-1', home: 'h' });
  expect(code).toBe(503);
  expect(message).toContain('its kubeconfig cannot be used: /etc/kubeocean/worker/kubeconfig cannot be read');
});
