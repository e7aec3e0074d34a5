import { describe, expect, it } from 'vitest';
import { parseTenants } from './tenants.ts';

const one = { namespace: 'kubeocean-worker', serviceAccount: 'kubeocean-syncer', bindings: ['*'] };

describe('the tenants file', () => {
  it('lists namespaces and who may claim there', () => {
    expect(parseTenants(JSON.stringify([one]), 'tenants.json')).toEqual([one]);
    expect(parseTenants('[]', 'tenants.json')).toEqual([]);
  });

  it.each([
    ['{', /tenants.json is not JSON/],
    ['{}', /must be a list/],
    ['[null]', /entry 0 has no namespace/],
    [JSON.stringify([{ ...one, serviceAccount: 1 }]), /has no serviceAccount/],
    [JSON.stringify([{ ...one, bindings: '*' }]), /bindings must be a list/],
    [JSON.stringify([{ ...one, bindings: [''] }]), /bindings must be a list/],
    [JSON.stringify([one, one]), /kubeocean-worker is named twice/],
  ])('%s is refused', (text, message) => expect(() => parseTenants(text, 'tenants.json')).toThrow(message));
});
