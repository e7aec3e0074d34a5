import { describe, expect, test } from 'vitest';
import { laneCount, laneRoot, laneRoots } from '../lanes.ts';

describe('lanes', () => {
  test.each([
    [{}, 1],
    [{ KUBEOCEAN_LANES: '' }, 1],
    [{ KUBEOCEAN_LANES: '3' }, 3],
  ])('%o: %i', (env, count) => {
    expect(laneCount(env)).toBe(count);
  });

  test.each(['0', '5', '1.5', 'two', '-1'])('refuses %s', (given) => {
    expect(() => laneCount({ KUBEOCEAN_LANES: given })).toThrow(
      `KUBEOCEAN_LANES must be a whole number from 1 to 4, not "${given}"`,
    );
  });

  test('have state folders of their own, beside the first', () => {
    expect(laneRoot(1, '/x/.local')).toBe('/x/.local');
    expect(laneRoots({ KUBEOCEAN_LANES: '2', KUBEOCEAN_LOCAL: '/x/.local' })).toEqual(['/x/.local', '/x/.local-lane2']);
  });
});
