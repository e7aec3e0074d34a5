import { describe, expect, it } from 'vitest';
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

  it('leaves in that the kubelet could not tell what its pods use, and nothing else without a pod', () => {
    const text = '# HELP resource_scrape_error E\n# TYPE resource_scrape_error gauge\nresource_scrape_error 1\n';
    expect(narrow('metrics/resource', `${text}node_cpu_usage_seconds_total 5\n`, 'lend-a')).toBe(text);
    expect(narrow('metrics/resource', 'resource_scrape_error{node="x"} 1\n', 'lend-a')).toBe('');
    expect(narrow('metrics/cadvisor', text, 'lend-a')).toBe('');
  });

  it('leaves numbers of 64 bits in a summary as they are', () => {
    const pod =
      '{"podRef":{"name":"p","namespace":"lend-a","uid":"u"},"volume":[{"name":"ceph","inodesFree":18446744073709551615}]}';
    expect(narrow('stats/summary', `{"node":{"nodeName":"n"},"pods":[${pod}]}`, 'lend-a')).toBe(
      `{"node":{"nodeName":"n"},"pods":[${pod}]}`,
    );
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
