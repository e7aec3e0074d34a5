import { describe, expect, it } from 'vitest';
import { phasesLine, phasesOf } from './phases.ts';

describe('the steps of pods', () => {
  const sent = new Map([
    ['ns/a', 1000],
    ['ns/b', 1000],
  ]);
  const home = new Map([
    ['ns/a', { seen: 1001, bound: 1500, ready: 4000 }],
    ['ns/b', { seen: 1001, bound: 1500, ready: 4000 }],
  ]);

  it('are of those that both watches saw in all of them', () => {
    const lent = new Map([
      ['ns/a', { seen: 2000, bound: 2250, ready: 3500 }],
      ['ns/b', { seen: 2000, bound: 2250 }],
    ]);
    const phases = phasesOf(sent, home, lent);
    expect(phases.pods).toBe(1);
    expect(Object.entries(phases.steps).map(([step, { p50, p99 }]) => [step, p50, p99])).toEqual([
      ['scheduled', 0.5, 0.5],
      ['accepted', 0.5, 0.5],
      ['placed', 0.25, 0.25],
      ['ready', 1.25, 1.25],
      ['shown', 0.5, 0.5],
    ]);
    expect(phasesLine(phases)).toContain('placed 0.25/0.25');
  });

  it('of none have no figures, which JSON would tell as null', () => {
    const phases = phasesOf(sent, home, new Map());
    expect(phases).toEqual({ pods: 0, steps: {} });
    expect(JSON.stringify(phases)).not.toContain('null');
  });
});
