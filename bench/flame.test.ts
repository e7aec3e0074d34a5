import { describe, expect, it } from 'vitest';
import { type CpuProfile, flameGraph } from './flame.ts';

const frame = (functionName: string, url = 'file:///app/main.js') => ({ functionName, url, lineNumber: 4 });

function profile(more: Partial<CpuProfile> = {}): CpuProfile {
  return {
    nodes: [
      { id: 1, children: [2, 3, 5, 7], callFrame: frame('(root)', '') },
      { id: 2, callFrame: frame('(idle)', '') },
      { id: 3, children: [4], callFrame: frame('work<T>') },
      { id: 4, callFrame: frame('write', 'node:net') },
      { id: 5, children: [6], callFrame: frame('work<T>') },
      { id: 6, callFrame: frame('tiny') },
      { id: 7, callFrame: frame('restAfterTurn') },
    ],
    samples: [2, 3, 4, 5, 6, 7],
    timeDeltas: [9_000_000, 100_000, 300_000, 600_000, 100, 5_000_000],
    ...more,
  };
}

function boxes(svg: string): { words: string; width: number; y: number }[] {
  return [...svg.matchAll(/<title>([^<]*)<\/title><rect x="[\d.]+" y="(\d+)" width="([\d.]+)"/g)].map(
    ([, words = '', y, width]) => ({ words, width: Number(width), y: Number(y) }),
  );
}

describe('a flame graph', () => {
  it('joins what is the same function of the same caller, leaves waiting out, and puts callers below', () => {
    const drawn = boxes(flameGraph(profile(), 'a profile'));
    expect(drawn.map(({ words }) => words)).toEqual([
      'all: 100.0 %, 1000 ms',
      'work&lt;T&gt;: 100.0 %, 1000 ms',
      'write: 30.0 %, 300 ms',
    ]);
    expect(drawn.map(({ width }) => Math.round(width))).toEqual([1200, 1200, 360]);
    expect(drawn.map(({ y }) => y)).toEqual(drawn.map(({ y }) => y).toSorted((a, b) => b - a));
  });

  it('is well-formed with a title and no box of nothing', () => {
    const svg = flameGraph(profile({ samples: [2], timeDeltas: [5] }), 'a < b & "c"');
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).not.toContain('NaN');
    expect(boxes(svg)).toEqual([]);
  });
});
