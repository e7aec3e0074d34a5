import { describe, expect, it } from 'vitest';
import { overlap, overlapProblem, overlapsByNode, parseRanges, withOverlaps } from './overlap.ts';

describe('ranges', () => {
  it.each([
    ['10.0.0.0/8', '10.20.0.0/16', true],
    ['10.20.0.0/16', '10.0.0.0/8', true],
    ['10.20.0.0/16', '10.21.0.0/16', false],
    ['10.20.1.7/16', '10.20.0.0/24', true],
    ['fd00::/16', 'fd00:1::/64', true],
    ['fd00::/16', '10.0.0.0/8', false],
    ['0.0.0.0/0', '192.168.1.0/24', true],
  ])('%s and %s overlap: %s', (a, b, expected) => {
    const [left, right] = parseRanges(`${a},${b}`);
    expect(left && right && overlap(left, right)).toBe(expected);
  });

  it.each(['10.0.0.0', '10.0.0.0/33', 'pods/16', '10.0.0/8', '10.0.0.0/x'])('%s is none', (text) => {
    expect(() => parseRanges(text)).toThrow(`"${text}" is no range`);
  });
});

describe('what policies are told', () => {
  const node = (name: string, ...podCIDRs: string[]) => ({ metadata: { name }, spec: { podCIDRs } });
  it('is nothing while no range is given or none overlaps', () => {
    expect(overlapProblem(overlapsByNode([node('n', '10.1.0.0/24')], []))).toBeUndefined();
    const apart = overlapsByNode([node('n', '10.1.0.0/24'), node('m')], parseRanges('10.2.0.0/16'));
    expect(overlapProblem(apart)).toBeUndefined();
  });
  it('is on the records of those nodes alone', () => {
    const record = (nodeName: string) => ({
      namespace: 'w',
      name: `b.${nodeName}`,
      labels: {},
      spec: { cluster: 'b', nodeName, nodeUID: nodeName, policy: 'p' },
      status: { phase: 'Active' as const },
    });
    const records = [record('n'), record('m')];
    const nodes = [node('n', '10.1.0.0/24', 'fd00::/64'), node('m', '10.3.0.0/24')];
    expect(withOverlaps(records, overlapsByNode(nodes, []))).toEqual(records);
    const [marked, other] = withOverlaps(records, overlapsByNode(nodes, parseRanges('10.1.0.0/16')));
    expect(marked?.status.networkOverlap).toBe('10.1.0.0/24 of node n lies in 10.1.0.0/16');
    expect(other).toBe(records[1]);
  });
  it('is worked out once for a node that stays as it is, since each look asks', () => {
    let asked = 0;
    const spec = {
      get podCIDRs() {
        asked++;
        return ['10.1.0.0/24'];
      },
    };
    const nodes = [{ metadata: { name: 'n' }, spec }];
    const [one, other] = [parseRanges('10.1.0.0/16'), parseRanges('10.2.0.0/16')];
    expect([overlapsByNode(nodes, one).size, overlapsByNode(nodes, one).size, asked]).toEqual([1, 1, 1]);
    expect(overlapsByNode(nodes, other).size).toBe(0);
  });
  it('names nodes and ranges, three of them', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((name, index) => node(name, `10.1.${index}.0/24`));
    expect(overlapProblem(overlapsByNode(nodes, parseRanges('10.1.0.0/16')))).toMatch(
      /10\.1\.0\.0\/24 of node a lies in 10\.1\.0\.0\/16; .* and 1 more \(networkPolicy\.computingCIDRs/,
    );
  });
});
