import { describe, expect, it } from 'vitest';
import { createLimiter } from './limiter.ts';
import { narrow } from './narrow.ts';
import { parseStatsPath } from './server.ts';

describe('narrow', () => {
  it('leaves nothing but pods of the namespace', () => {
    const text = [
      '# HELP m M',
      '# TYPE m gauge',
      'm{namespace="lend-a",pod="x"} 1 5',
      'm{namespace="lend-b",pod="x"} 2 5',
      'm{namespace="lend-a",pod=""} 3 5',
      'machine_cpu_cores 4',
      '',
    ].join('\n');
    for (const path of ['metrics/resource', 'metrics/cadvisor'] as const) {
      expect(narrow(path, text, 'lend-a')).toBe('# HELP m M\n# TYPE m gauge\nm{namespace="lend-a",pod="x"} 1 5\n');
    }
  });

  it('tells nothing of the node in a summary but its name', () => {
    const pod = (namespace: string) => ({ podRef: { name: 'x', namespace, uid: '1' }, more: 1 });
    const text = JSON.stringify({ node: { nodeName: 'n', cpu: {} }, pods: [pod('lend-a'), pod('lend-b')] });
    expect(JSON.parse(narrow('stats/summary', text, 'lend-a'))).toEqual({
      node: { nodeName: 'n' },
      pods: [pod('lend-a')],
    });
  });
});

it.each([
  ['/v1/nodes/a.b-c/stats/summary', { node: 'a.b-c', path: 'stats/summary' }],
  ['/v1/nodes/a%2Fb/metrics/resource', { node: 'a/b', path: 'metrics/resource' }],
  ['/v1/nodes/a/metrics/cadvisor?x=1', undefined],
  ['/v1/nodes/a/metrics', undefined],
  ['/v1/nodes/a/metrics/probes', undefined],
  ['/v1/nodes//metrics/resource', undefined],
  ['/v1/nodes/%ff/metrics/resource', undefined],
  ['/v1/nodes/a/../b/metrics/resource', undefined],
])('path %s', (url, expected) => expect(parseStatsPath(url)).toEqual(expected));

it('the limiter runs so many at once, lets some wait in order and refuses the rest', async () => {
  const limiter = createLimiter(1, 1, () => new Error('full'));
  const first = Promise.withResolvers<void>();
  const order: number[] = [];
  const one = limiter.run(() => first.promise.then(() => order.push(1)));
  const two = limiter.run(async () => order.push(2));
  await expect(limiter.run(async () => 3)).rejects.toThrow('full');
  first.reject(new Error('failed'));
  await expect(one).rejects.toThrow('failed');
  await two;
  expect(order).toEqual([2]);
  expect(await limiter.run(async () => 4)).toBe(4);
});
