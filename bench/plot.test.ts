import { describe, expect, it } from 'vitest';
import { latencyPlot } from './plot.ts';
import { medians } from './records.ts';
import { sampleRun } from './samples.ts';

describe('the plot', () => {
  it('draws a line of p50 and of p99 for each mode', () => {
    const runs = [
      sampleRun('twin', 1),
      sampleRun('twin', 5, { pods: 1000 }),
      sampleRun('through', 2),
      sampleRun('through', 7, { pods: 1000 }),
    ];
    const svg = latencyPlot(medians(runs), 'a < b');
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg).toContain('a &lt; b');
    expect(svg).not.toContain('NaN');
  });

  it('joins sizes of the same nodes and bindings only; others are rings beside the lines', () => {
    const runs = [
      sampleRun('twin', 1),
      sampleRun('twin', 5, { pods: 1000 }),
      sampleRun('twin', 9, { pods: 1000, nodes: 100 }),
      sampleRun('twin', 8, { pods: 1000, bindings: 4 }),
    ];
    const svg = latencyPlot(medians(runs), 'x');
    const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) => points?.split(' ').length);
    expect(lines).toEqual([2, 2]);
    expect(svg.match(/fill="none" stroke="[^"]*"><title>twin p(?:50|99)/g)).toHaveLength(4);
    expect(svg).toContain('<title>twin p99, 100 nodes, 1 binding(s)</title>');
    expect(svg).toContain('lines: 10 nodes, 1 binding(s)');
  });

  it('says when nothing counts', () => expect(latencyPlot([], 'x')).toContain('no run counts'));

  it('of one size has no line of no length that is not a number', () =>
    expect(latencyPlot(medians([sampleRun('twin', 1)]), 'x')).not.toContain('NaN'));
});
