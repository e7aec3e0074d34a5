import { expect, test } from 'vitest';
import { connectionsTo } from './connections.ts';

test('a far address is given time to answer before the next one of the server is tried instead', () => {
  const { pool, leases, streams } = connectionsTo({ server: 'https://api.example:6443', token: 't' }, undefined, 64);
  for (const { options } of [pool, leases, streams]) {
    // Node gives up each but the last after 250 ms.
    expect(options.autoSelectFamilyAttemptTimeout).toBeGreaterThanOrEqual(1000);
  }
});
