import type { Condition } from '@kubeocean/shared/kube';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import { statusDifference, tidied } from './status-difference.ts';
import { homeStatus, statusPatch } from './to-home.ts';
import { NOW, workerOf } from './to-home-fixtures.ts';

/** Fields without a value at any depth; items of arrays stay. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const said = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(said.map(([field, inner]) => [field, plain(inner)]));
}

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, 0, '', 'a', true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }),
  ),
}));

test('fields that say nothing are left out, at any depth, and what was given is not changed', () => {
  fc.assert(
    fc.property(value, (given) => {
      const before = structuredClone(given);
      expect(tidied(given)).toStrictEqual(plain(given));
      expect(given).toStrictEqual(before);
    }),
  );
});

test('what has none is given back itself', () => {
  const status = { phase: 'Running', conditions: [{ type: 'Ready', reason: '' }], podIPs: [] };
  expect(tidied(status)).toBe(status);
});

const refused: Condition = { type: 'kubeocean.io/Refused', status: 'True' };
const notRun: Condition = { type: 'kubeocean.io/NotRun', status: 'True' };
const ready: Condition = { type: 'Ready', status: 'True' };

test.each([
  ['a worker pod that has said nothing yet', { conditions: [refused, notRun, ready] }, [refused, notRun]],
  ['neither', { conditions: [ready] }, undefined],
])('what said why there is no worker pod goes as soon as there is one: %s', (_, current, gone) => {
  const conditions = gone?.map(({ type }) => ({ type, $patch: 'delete' }));
  expect(statusDifference(current, {})).toEqual(conditions && { conditions });
});

test.each([
  ['shown', { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] }, { podIP: null, podIPs: null }],
  ['not shown', {}, undefined],
])('addresses that home must not show are taken back: %s', (_, current, difference) => {
  expect(statusDifference(current, {}, ['podIP', 'podIPs'])).toEqual(difference);
});

test('whatever a worker says, of each container there is one status, with texts no longer than a kubelet’s', () => {
  const home = samplePod();
  const long = 'x'.repeat(1_000_000);
  const terminated = { exitCode: 1, reason: long, message: long };
  const status = { name: 'main', imageID: long, state: { terminated }, lastState: { terminated } };
  const shown = homeStatus(
    workerOf(home, { phase: 'Failed', reason: long, containerStatuses: [status, status] }),
    home,
    NOW,
  );
  expect(shown.containerStatuses).toHaveLength(1);
  expect(shown.reason).toHaveLength(4096);
  expect(JSON.stringify(shown).length).toBeLessThan(7 * 4096);
  home.status = shown;
  expect(statusPatch(workerOf(home, { phase: 'Failed', containerStatuses: [status] }), home, NOW)?.status).toEqual({});
});

test('nothing that a worker says of a pod speaks to the terminal in which it is read; what containers left behind stays', () => {
  const home = samplePod();
  const said = 'x\u001b[31m\u009b0mx';
  const heard = 'x [31m 0mx';
  const terminated = { exitCode: 1, reason: said, message: said };
  const status = { name: 'main', imageID: said, state: { waiting: { reason: said, message: said } } };
  const conditions = [{ type: 'Ready', status: 'False', reason: said, message: said } as const];
  const shown = homeStatus(
    workerOf(home, {
      phase: 'Failed',
      reason: said,
      message: said,
      conditions,
      containerStatuses: [{ ...status, lastState: { terminated } }],
    }),
    home,
    NOW,
  );
  const { containerStatuses: [container] = [], reason, message } = shown;
  expect(container?.lastState).toEqual({ terminated: { exitCode: 1, reason: heard, message: said } });
  expect([reason, message, container?.imageID]).toEqual([heard, heard, heard]);
  expect(container?.state?.waiting).toEqual({ reason: heard, message: heard });
  expect(JSON.stringify(shown.conditions)).not.toMatch(/\\u001b|\u009b/);
});
