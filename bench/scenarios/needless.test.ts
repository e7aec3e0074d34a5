import { describe, expect, it } from 'vitest';
import { idleBounds, needless, restartBounds } from './needless.ts';
import { changedRevisions } from './surroundings.ts';

const around = {
  pods: 1000,
  ageSeconds: 600,
  seconds: 120,
  nodes: { computing: 11, worker: 21 },
  others: { computing: 10, worker: 6 },
};

function idle(writes: Record<string, number>, more: Partial<typeof around> = {}): Record<string, number> {
  return needless(new Map(Object.entries(writes)), idleBounds({ ...around, ...more }));
}

describe('writes while nothing happens', () => {
  it('are Leases, Events, and what kubelets tell of their nodes', () =>
    expect(
      idle({
        'computing: PUT leases': 1200,
        'worker: POST events': 5,
        'worker: PATCH nodes/status': 21,
        'computing: PATCH nodes/status': 10,
        'computing: PATCH nodes': 1,
        'worker: refused 409 PUT secrets': 3,
      }),
    ).toEqual({}));

  it.each([
    ['computing: PATCH pods/status', 1],
    ['worker: PATCH pods', 1],
    ['worker: PATCH nodes', 1],
    ['worker: POST configmaps', 1],
    ['computing: APPLY clusterbindings/status', 1],
    ['worker: PATCH secrets', 1],
  ])('are needless: %s', (what, count) => expect(idle({ [what]: count })).toEqual({ [what]: count }));

  it('have a bound where kubelets write: what is beyond is not theirs', () => {
    expect(idle({ 'worker: PATCH nodes/status': 25 })).toEqual({ 'worker: PATCH nodes/status': 4 });
    expect(idle({ 'computing: POST serviceaccounts/token': 12 })).toEqual({
      'computing: POST serviceaccounts/token': 2,
    });
  });

  it('renew tokens when 80 % of their hour are over, not before', () => {
    const renewals = { 'computing: POST serviceaccounts/token': 1000, 'worker: PATCH secrets': 1000 };
    expect(idle(renewals, { ageSeconds: 2900 })).toEqual({});
    expect(idle(renewals, { ageSeconds: 2800 })).toEqual({
      'computing: POST serviceaccounts/token': 990,
      'worker: PATCH secrets': 1000,
    });
  });
});

describe('writes of a restart', () => {
  const bounds = restartBounds({ ...around, deleted: 2, probes: 1 });
  const usual = {
    'computing: DELETE pods': 4,
    'computing: PATCH pods/status': 13,
    'computing: PUT deployments/status': 4,
    'computing: PUT replicasets/status': 4,
    'computing: APPLY clusterbindings/status': 5,
    'computing: PATCH clusterbindings/status': 2,
    'computing: POST pods': 3,
    'computing: POST pods/binding': 3,
    'computing: POST serviceaccounts/token': 3,
    'worker: PATCH pods/status': 1,
    'worker: POST pods': 1,
    'worker: POST pods/binding': 1,
    'worker: POST secrets': 1,
  };

  it('are explained by the new processes and the new pod', () =>
    expect(needless(new Map(Object.entries(usual)), bounds)).toEqual({}));

  it.each([
    ['computing: PATCH pods/status', 1000, 982],
    ['worker: POST pods', 2, 1],
    ['worker: PATCH secrets', 1, 1],
    ['worker: DELETE pods', 1, 1],
    ['computing: DELETE pods', 5, 1],
    ['computing: POST serviceaccounts/token', 1010, 995],
    ['computing: PATCH clusterbindings/status', 40, 35],
  ])('%s: of %i, %i are needless', (what, count, beyond) =>
    expect(needless(new Map(Object.entries({ ...usual, [what]: count })), bounds)).toEqual({ [what]: beyond }),
  );
});

describe('vnodes', () => {
  it('are judged by their revisions', () => {
    const before = new Map([
      ['v1', '1'],
      ['v2', '1'],
    ]);
    expect(changedRevisions(before, before)).toEqual({});
    expect(changedRevisions(before, new Map([...before, ['v2', '5']]))).toEqual({ 'computing: on vnodes': 1 });
  });
});
