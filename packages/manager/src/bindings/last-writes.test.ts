import type { ClusterBinding } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { binding } from './fixtures.ts';
import { LastWrites } from './last-writes.ts';

function at(resourceVersion: string, uid?: string): ClusterBinding {
  const made = binding('a');
  return { ...made, metadata: { ...made.metadata, resourceVersion, ...(uid && { uid }) } };
}

test.each([
  ['the store has not moved', '5', '8', '5', 'ours'],
  ['the watch tells what others wrote before us', '5', '8', '6', 'ours'],
  ['the watch tells our own write', '5', '8', '8', 'stored'],
  ['the watch tells what others wrote after us', '5', '8', '9', 'stored'],
  ['revisions get another digit', '9', '10', '9', 'ours'],
  ['the cluster was put back from a backup', '5', '8', '4', 'stored'],
  ['the watch was faster than the answer', '9', '8', '9', 'stored'],
  ['the watch was as fast as the answer', '8', '8', '8', 'stored'],
])('when %s', (_, from, written, now, whose) => {
  const writes = new LastWrites();
  const ours = at(written);
  writes.note(at(from), ours);
  const stored = at(now);
  expect(writes.newest(stored)).toBe(whose === 'ours' ? ours : stored);
});

test('once the watch has caught up its word counts, whatever it says', () => {
  const writes = new LastWrites();
  writes.note(at('5'), at('8'));
  writes.newest(at('9'));
  const stored = at('5');
  expect(writes.newest(stored)).toBe(stored);
});

test('an answer that the watch has overtaken ends what an earlier write left', () => {
  const writes = new LastWrites();
  writes.note(at('5'), at('8'));
  writes.note(at('12'), at('11'));
  const stored = at('6');
  expect(writes.newest(stored)).toBe(stored);
});

test('a binding that was replaced or is forgotten has no write of ours', () => {
  const writes = new LastWrites();
  writes.note(at('5', 'another'), at('8'));
  expect(writes.newest(at('5')).metadata.resourceVersion).toBe('5');
  writes.note(at('5'), at('8'));
  writes.forget('uid-of-a');
  expect(writes.newest(at('5')).metadata.resourceVersion).toBe('5');
});
