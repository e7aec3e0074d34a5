import type { LeasedNodeStatus } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import type { RecordWrite } from './plan.ts';
import { RefusedRecords } from './refused.ts';

function write(name: string, status: LeasedNodeStatus = { phase: 'Active' }): RecordWrite {
  const record = {
    metadata: { namespace: 'north', name },
    spec: { cluster: 'a', nodeName: 'n', nodeUID: 'u', policy: 'p' },
  };
  return { kind: 'status', record, patch: {}, status };
}

/** What it is refused for when it has to wait. */
function waits(refused: RefusedRecords, asked: RecordWrite): string | undefined {
  return refused.part([asked]).waiting[0]?.message;
}

test('a record that is refused for an hour at each look is asked for every half minute in the end', () => {
  let now = 0;
  const refused = new RefusedRecords(() => now);
  let asked = 0;
  for (; now < 3_600_000; now += 200) {
    if (waits(refused, write('r')) !== undefined) continue;
    asked++;
    refused.refused(write('r'), 'no');
  }
  expect(asked).toBeGreaterThan(110);
  expect(asked).toBeLessThan(130);
  expect(waits(refused, write('r'))).toBe('no');
});

test.each<[string, LeasedNodeStatus]>([
  ['closes', { phase: 'Closing', reclaimStage: 'Notice' }],
  ['is over', { phase: 'Closed' }],
])('that its lease %s is told at once', (_, status) => {
  const refused = new RefusedRecords(() => 0);
  refused.refused(write('r'), 'no');
  expect(waits(refused, write('r', { phase: 'Active', allocatable: { cpu: '1' } }))).toBe('no');
  expect(waits(refused, write('r', status))).toBeUndefined();
});

test('one that is taken ends the pause of all; one that is not wanted any more is forgotten', () => {
  const refused = new RefusedRecords(() => 0);
  const [r, s, t] = [write('r'), write('s'), write('t')];
  for (const each of [r, s, t]) refused.refused(each, 'no');
  refused.made(write('other'));
  expect(refused.part([r, s]).waiting).toHaveLength(2);
  expect(refused.part([r, s, t]).now).toEqual([t]);
  refused.made(r);
  expect(refused.part([r, s]).waiting).toEqual([]);
});

test('of a thousand that are refused a few are tried at a look, each in its turn, and no other write waits', () => {
  let now = 0;
  const refused = new RefusedRecords(() => now);
  const all = Array.from({ length: 100 }, (_, at) => write(`r${at}`));
  for (const each of all) refused.refused(each, 'no');
  const tried = new Set<RecordWrite>();
  for (let looks = 0; looks < 7; looks++) {
    // Where they hang, a look takes as long.
    now += 30_000;
    const other = write(`other${looks}`);
    const part = refused.part([...all, other]);
    expect(part.now).toContain(other);
    expect(part.now).toHaveLength(17);
    for (const each of part.now.slice(0, 16)) {
      tried.add(each);
      refused.refused(each, 'no');
    }
  }
  expect(tried.size).toBe(100);
});
