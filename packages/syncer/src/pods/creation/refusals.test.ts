import type { LeasedNode } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import { createRefusals, shapeOf } from './refusals.ts';
import { samplePod } from '../samples.ts';

const lease = (cpu: string, phase = 'Active') => ({ status: { phase, allocatable: { cpu } } }) as unknown as LeasedNode;

function world(prefixes: string[] = []) {
  let at = 0;
  const refusals = createRefusals(
    () => prefixes,
    () => at,
  );
  return { refusals, pass: (ms: number) => void (at += ms) };
}

test('what is missing is looked for after as long again as it was missing, up to two minutes, and no wake-up puts it off', () => {
  const { refusals, pass } = world();
  const home = samplePod();
  const waits: number[] = [];
  for (let n = 0; n < 7; n++) {
    const wait = refusals.missing(home);
    waits.push(wait);
    expect(refusals.missing(home)).toBe(wait);
    expect(refusals.left(home, lease('4'))).toBe(0);
    pass(wait);
  }
  expect(waits).toEqual([15_000, 15_000, 30_000, 60_000, 120_000, 120_000, 120_000]);
  refusals.delete(home.metadata.uid ?? '');
  expect(refusals.missing(home)).toBe(15_000);
});

describe('a pause after a refusal', () => {
  test('holds whatever wakes the pod, and grows to five minutes', () => {
    const { refusals, pass } = world();
    const home = samplePod();
    expect(refusals.left(home, lease('4'))).toBe(0);
    const waits = Array.from({ length: 12 }, () => {
      const { waitMs } = refusals.refused(home, lease('4'));
      // Its own status, by which it was told, is another.
      const told = { ...home, status: { phase: 'Pending', conditions: [] } };
      expect(refusals.left(told, lease('4'))).toBe(waitMs);
      pass(waitMs);
      expect(refusals.left(home, lease('4'))).toBe(0);
      return waitMs;
    });
    expect(waits.slice(0, 3)).toEqual([1000, 2000, 4000]);
    expect(waits.at(-1)).toBe(300_000);
  });

  test('where the worker failed to say is short, and ends at ten seconds', () => {
    const { refusals } = world();
    const waits = Array.from({ length: 9 }, () => refusals.refused(samplePod(), lease('4'), true).waitMs);
    expect([waits[0], waits.at(-1)]).toEqual([100, 10_000]);
  });

  test.each<[string, Parameters<typeof samplePod>, LeasedNode, boolean]>([
    ['its spec is another', [{ priority: 7 }], lease('4'), true],
    ['its labels are others', [{}, { labels: { team: 'a' } }], lease('4'), true],
    ['an annotation that is carried is another', [{}, { annotations: { 'cni.example/ip': '1' } }], lease('4'), true],
    ['an annotation that is not', [{}, { annotations: { 'cni.example/ip': '10.0.0.1', x: 'y' } }], lease('4'), false],
    ['more is lent', [], lease('5'), true],
    ['less is lent', [], lease('3'), false],
    ['its lease is in another phase', [], lease('4', 'Closing'), true],
  ])('%s', (_, pod, record, ends) => {
    const { refusals } = world(['cni.example/']);
    refusals.refused(samplePod(), lease('4'));
    expect(refusals.left(samplePod(...pod), record) === 0).toBe(ends);
  });

  test('is not ended again and again by a lease that goes up and down', () => {
    const { refusals } = world();
    refusals.refused(samplePod(), lease('100'));
    refusals.refused(samplePod(), lease('99'));
    expect(refusals.left(samplePod(), lease('100'))).toBeGreaterThan(0);
    expect(refusals.left(samplePod(), lease('101'))).toBe(0);
  });

  test('is over when the pod is gone, and when the binding says something else', () => {
    const { refusals } = world();
    const home = samplePod();
    refusals.refused(home, lease('4'));
    refusals.delete(home.metadata.uid ?? '');
    expect(refusals.left(home, lease('4'))).toBe(0);
    refusals.refused(home, lease('4'));
    refusals.clear();
    expect(refusals.left(home, lease('4'))).toBe(0);
  });
});

describe('words', () => {
  test.each([
    ['read tcp 10.0.0.2:30000->10.96.0.7:443: reset', 'read tcp 10.0.0.2:31234->10.96.0.7:443: reset', true],
    ['request 0aab-deadbeef7', 'request 11ff-cafe12', true],
    ['id abcdefab-abcd-abcd-abcd-abcdefabcdef', 'id 01234567-89ab-cdef-0123-456789abcdef', true],
    ['at 2026-11-22T20:37:30Z denied', 'at 2026-11-23T01:02:03Z denied', true],
    ['exceeded quota', 'forbidden', false],
  ])('%s | %s: the same %s', (one, other, same) => expect(shapeOf(one) === shapeOf(other)).toBe(same));

  test('are those of the first time until more than such parts differ, or the pod is another', () => {
    const { refusals } = world();
    const home = samplePod();
    expect(refusals.words(home, 'FailedCreate', 'port 1')).toBe('port 1');
    expect(refusals.words(home, 'FailedCreate', 'port 2')).toBe('port 1');
    expect(refusals.words(home, 'FailedDependency', 'port 3')).toBe('port 3');
    expect(refusals.words(home, 'FailedDependency', 'denied')).toBe('denied');
    refusals.words(home, 'FailedDependency', 'image app1');
    expect(refusals.words(samplePod({ priority: 7 }), 'FailedDependency', 'image app2')).toBe('image app2');
  });
});
