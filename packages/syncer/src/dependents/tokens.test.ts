import { ApiError, ConnectionError } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { isForNoPod } from './tokens.ts';

const path = '/api/v1/namespaces/shop/serviceaccounts/default/token';

describe('home gives no token because the pod is gone', () => {
  test.each([
    ['the pod is not there', 404, { kind: 'pods', name: 'web' }, path, true],
    ['another pod has its name', 409, undefined, path, true],
    ['the ServiceAccount is not there', 404, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['tokens are not ours to ask for', 403, { kind: 'serviceaccounts', name: 'default' }, path, false],
    ['something else is not there', 404, { kind: 'pods' }, '/api/v1/namespaces/worker/secrets', false],
  ])('%s', (_, code, details, at, expected) => {
    expect(isForNoPod(new ApiError(code, { code, ...(details && { details }) }, 'POST', at))).toBe(expected);
  });

  test('no answer says nothing', () => {
    expect(isForNoPod(new ConnectionError('https://home', 'ETIMEDOUT', 'no answer in time'))).toBe(false);
  });
});
