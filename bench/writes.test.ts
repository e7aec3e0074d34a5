import { describe, expect, it } from 'vitest';
import {
  difference,
  parseReading,
  parseWrites,
  type Readings,
  restartedSides,
  total,
  writtenBetween,
} from './writes.ts';

const METRICS = `# HELP apiserver_request_total Counter
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="status",verb="PATCH",version="v1"} 7
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 100
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 40
apiserver_request_total{code="201",component="apiserver",dry_run="",group="authentication.k8s.io",resource="tokenreviews",scope="resource",subresource="",verb="POST",version="v1"} 9
apiserver_something_else 5
`;

describe('writes from the metrics of an API server', () => {
  it('are counted by verb and resource; reads and questions are not writes', () => {
    expect(Object.fromEntries(parseWrites(METRICS))).toEqual({
      'PATCH pods/status': 7,
      'POST pods': 3,
      'refused 409 POST pods': 2,
      'PUT leases': 40,
    });
  });

  it('the difference tells only what came since', () => {
    const before = parseWrites(METRICS);
    const after = parseWrites(METRICS.replace('verb="POST",version="v1"} 3', 'verb="POST",version="v1"} 5'));
    expect(Object.fromEntries(difference(before, after))).toEqual({ 'POST pods': 2 });
  });

  it('the total leaves out Leases, refused ones, and what it is told to', () => {
    expect(total(parseWrites(METRICS))).toBe(10);
    expect(total(parseWrites(METRICS), ['POST pods'])).toBe(7);
  });

  it('of something that is no metrics there are none', () => expect(parseWrites('nothing').size).toBe(0));
});

describe('an API server that restarted', () => {
  const at = (started: number, writes: string): Readings => ({
    computing: parseReading(`${METRICS}process_start_time_seconds 1.7e+09\n`),
    worker: parseReading(
      `${METRICS.replace('verb="POST",version="v1"} 3', `verb="POST",version="v1"} ${writes}`)}process_start_time_seconds ${started}\n`,
    ),
  });

  it('is told by when its process began', () => {
    expect(restartedSides(at(5, '3'), at(5, '4'))).toEqual([]);
    expect(restartedSides(at(5, '3'), at(6.5, '3'))).toEqual(['worker']);
  });

  it('gives no counts to judge by', () => {
    expect(Object.fromEntries(writtenBetween(at(5, '3'), at(5, '7')))).toEqual({ 'worker: POST pods': 4 });
    expect(() => writtenBetween(at(5, '3'), at(6, '7'))).toThrow('the API server of the worker cluster restarted');
  });
});
