import { expect, it } from 'vitest';
import { claim } from './allocate-fixtures.ts';
import { readClaim } from './claims.ts';

it('a selector as long as a claim may bring is read once, not at each look', () => {
  const terms = Array.from({ length: 64 }, () => ({ matchExpressions: [{ key: 'a', operator: 'Exists' }] }));
  const lease = claim('b', 'w', { 'kubeocean.io/node-selector': JSON.stringify({ nodeSelectorTerms: terms }) });
  const read = readClaim(lease);
  expect(read?.nodeSelector?.nodeSelectorTerms).toHaveLength(64);
  expect(readClaim(lease)).toBe(read);
});
