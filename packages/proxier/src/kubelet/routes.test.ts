import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logQuery, parseTarget, QueryError, type Route, type SessionKind, sessionQuery } from './routes.ts';

const container = { namespace: 'ns', pod: 'web-1', container: 'main' };

describe('paths', () => {
  it.each<[string, Route]>([
    ['/containerLogs/ns/web-1/main?follow=true', { kind: 'logs', ...container }],
    ['/exec/ns/web-1/main?command=ls', { kind: 'exec', ...container }],
    ['/attach/ns/web-1/main', { kind: 'attach', ...container }],
    ['/portForward/ns/web-1', { kind: 'portForward', namespace: 'ns', pod: 'web-1' }],
    ['/portForward/ns/a.b-c', { kind: 'portForward', namespace: 'ns', pod: 'a.b-c' }],
    ['/%65xec/ns/web-1/main', { kind: 'exec', ...container }],
    ['/healthz', { kind: 'healthz' }],
    ['/pods/', { kind: 'pods' }],
    ['/runningpods/', { kind: 'runningpods' }],
    ['/', { kind: 'unknown' }],
    ['/exec/ns/web-1', { kind: 'unknown' }],
    ['/exec/ns/web-1/uid/main', { kind: 'unknown' }],
    ['/portForward/ns/web-1/main', { kind: 'unknown' }],
    ['/exec/NS/web-1/main', { kind: 'unknown' }],
    ['/exec/ns/we%20b/main', { kind: 'unknown' }],
    ['/exec/n.s/web/main', { kind: 'unknown' }],
    ['/exec/ns/-web/main', { kind: 'unknown' }],
    ['/EXEC/ns/web-1/main', { kind: 'unknown' }],
    ['/healthz/ping', { kind: 'unknown' }],
    ['/run/ns/web-1/main', { kind: 'unknown' }],
    ['/metrics', { kind: 'unknown' }],
    ['/metrics/resource', { kind: 'stats', path: 'metrics/resource' }],
    ['/metrics/cadvisor/', { kind: 'stats', path: 'metrics/cadvisor' }],
    ['/stats/summary', { kind: 'stats', path: 'stats/summary' }],
    ['/stats', { kind: 'unknown' }],
    ['/metrics/resource/x', { kind: 'unknown' }],
  ])('%s', (path, route) => expect(parseTarget(path)?.route).toEqual(route));

  it.each([
    '',
    'exec/ns/web/main',
    'https://host/exec/ns/web/main',
    '*',
    '//exec/ns/web/main',
    '/exec//web/main',
    '/exec/../healthz',
    '/exec/ns/%2e%2e/main',
    '/exec/ns/./main',
    '/pods%2Fx',
    '/exec/ns%5cx/web/main',
    '/exec/ns/%00/main',
    '/%',
    '/%c0%ae%c0%ae/x',
    `/${'a'.repeat(5000)}`,
  ])('malformed: %s', (path) => expect(parseTarget(path)).toBeUndefined());

  it('never throws, and what it takes for a pod has nothing but letters of a name in it', () => {
    const piece = fc.constantFrom(
      'exec',
      'attach',
      'portForward',
      'containerLogs',
      'ns',
      'web-1',
      '..',
      '%2e',
      '%2f',
      '',
      'A',
    );
    const path = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(piece, fc.string())).map((pieces) => `/${pieces.join('/')}`),
    );
    fc.assert(
      fc.property(path, (target) => {
        const route = parseTarget(target)?.route;
        if (!route || !('pod' in route)) return;
        expect(`${route.namespace}${route.pod}${'container' in route ? route.container : ''}`).toMatch(/^[-a-z0-9.]+$/);
        expect(route.namespace).not.toMatch(/[./]/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('query of a log', () => {
  it.each<[string, Record<string, string>]>([
    ['', {}],
    ['follow=true&previous=false&timestamps=1', { follow: 'true', previous: 'false', timestamps: 'true' }],
    ['tailLines=0', { tailLines: '0' }],
    ['tailLines=%2B5&limitBytes=1', { tailLines: '5', limitBytes: '1' }],
    ['tailLines=9223372036854775807', { tailLines: '9223372036854775807' }],
    ['sinceSeconds=60', { sinceSeconds: '60' }],
    ['sinceTime=2026-11-21T06:00:00Z', { sinceTime: '2026-11-21T06:00:00Z' }],
    ['sinceTime=2026-11-21T06:00:00.5%2B02:00', { sinceTime: '2026-11-21T06:00:00.5+02:00' }],
    ['stream=Stderr', { stream: 'Stderr' }],
    // An API server of home with the feature says it each time, and a worker without it would refuse every log.
    ['stream=All', {}],
    // Nothing else gets through, least of all what would change how the worker treats the call.
    ['insecureSkipTLSVerifyBackend=true&container=other&pretty=true&sinceTime=', {}],
    ['follow=maybe&previous=&timestamps=FALSE', { follow: 'true', previous: 'true', timestamps: 'false' }],
  ])('%s', (query, expected) => {
    expect(logQuery(new URLSearchParams(query), 'main')).toEqual({ container: 'main', ...expected });
  });

  it.each<[string, number, RegExp]>([
    ['tailLines=-1', 422, /tailLines must be at least 0/],
    ['tailLines=x', 400, /tailLines must be a whole number/],
    ['tailLines=9223372036854775808', 400, /tailLines must be a whole number/],
    ['tailLines=1e3', 400, /whole number/],
    ['limitBytes=0', 422, /limitBytes must be at least 1/],
    ['sinceSeconds=0', 422, /sinceSeconds/],
    ['sinceTime=yesterday', 400, /RFC 3339/],
    ['sinceTime=2026-11-21T06:00:00Z&sinceSeconds=5', 422, /at most one/],
    ['stream=stdout', 422, /Stdout or Stderr/],
  ])('refused: %s', (query, code, message) => {
    expect(() => logQuery(new URLSearchParams(query), 'main')).toThrow(message);
    expect(() => logQuery(new URLSearchParams(query), 'main')).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe('query of a session', () => {
  type SessionRoute = Route & { kind: SessionKind };
  const exec: SessionRoute = { kind: 'exec', ...container };
  const attach: SessionRoute = { kind: 'attach', ...container };
  const forward: SessionRoute = { kind: 'portForward', namespace: 'ns', pod: 'web-1' };

  it.each<[SessionRoute, string, string]>([
    [exec, 'command=ls&command=-l&output=1&error=1', 'command=ls&command=-l&stdout=true&stderr=true&container=main'],
    [exec, 'command=sh&input=1&output=1&error=1&tty=1', 'command=sh&stdin=true&stdout=true&tty=true&container=main'],
    [exec, 'command=a&output=1&error=true&container=other&stdin=true', 'command=a&stdout=true&container=main'],
    [exec, 'command=&output=1', 'command=&stdout=true&container=main'],
    [attach, 'input=1&output=1&command=x', 'stdin=true&stdout=true&container=main'],
    [forward, '', ''],
    [forward, 'port=80,443&port=8080', 'ports=80&ports=443&ports=8080'],
  ])('%#: %s', (route, query, expected) => {
    expect(sessionQuery(route, new URLSearchParams(query)).toString()).toBe(expected);
  });

  it.each<[SessionRoute, string]>([
    [exec, 'command=ls'],
    [exec, 'output=1'],
    [exec, 'command=ls&output=0'],
    [attach, ''],
    [attach, 'tty=1&error=1'],
    [forward, 'port=0'],
    [forward, 'port=65536'],
    [forward, 'port=80,'],
    [forward, 'port=80%26container=x'],
  ])('refused %#: %s', (route, query) => {
    expect(() => sessionQuery(route, new URLSearchParams(query))).toThrow(QueryError);
  });

  it('carries any argument over whole and in order, and adds no parameter of its own to it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (command) => {
        const query = new URLSearchParams({ command, output: '1' });
        const target = parseTarget(`/exec/ns/web-1/main?${query.toString()}`);
        const mapped = new URLSearchParams(sessionQuery(exec, target?.query ?? new URLSearchParams()).toString());
        expect(mapped.getAll('command')).toEqual(query.getAll('command'));
        expect([...new Set(mapped.keys())].toSorted()).toEqual(['command', 'container', 'stdout']);
        expect(mapped.getAll('container')).toEqual(['main']);
      }),
    );
  });
});
