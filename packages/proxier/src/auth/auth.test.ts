import { describe, expect, it } from 'vitest';
import { bearerToken, userOfSubject } from './authenticate.ts';
import { questionOf } from './authorize.ts';
import { createCache } from '@kubeocean/shared/daemon';
import { clientCaOf } from './client-ca.ts';

describe('what is asked of the API server', () => {
  it.each([
    ['GET', 'containerLogs', 'get', ['proxy'], false],
    ['GET', 'exec', 'create', ['proxy'], true],
    ['POST', 'exec', 'create', ['proxy'], true],
    ['GET', 'attach', 'create', ['proxy'], true],
    ['GET', 'portForward', 'create', ['proxy'], true],
    ['GET', 'run', 'create', ['proxy'], true],
    ['GET', 'cri', 'create', ['proxy'], true],
    ['GET', 'pods', 'get', ['pods', 'proxy'], false],
    ['GET', 'runningpods', 'get', ['pods', 'proxy'], false],
    ['GET', 'healthz', 'get', ['healthz', 'proxy'], false],
    ['GET', 'configz', 'get', ['configz', 'proxy'], false],
    ['GET', 'metrics', 'get', ['metrics'], false],
    ['GET', 'stats', 'get', ['stats'], false],
    ['GET', 'logs', 'get', ['log'], false],
    ['POST', 'checkpoint', 'create', ['checkpoint'], false],
    ['DELETE', 'anything', 'delete', ['proxy'], false],
    ['PROPFIND', 'anything', 'proxy', ['proxy'], false],
    ['GET', '', 'get', ['proxy'], false],
  ])('%s /%s', (method, first, verb, subresources, session) => {
    expect(questionOf(method, first)).toEqual({ verb, subresources, session });
  });
});

describe('user of a certificate', () => {
  it.each([
    [{ CN: 'kube', O: 'system:masters' }, ['system:masters', 'system:authenticated']],
    [{ CN: 'kube', O: ['a', 'b', 'a', ''] }, ['a', 'b', 'system:authenticated']],
    [{ CN: 'kube' }, ['system:authenticated']],
  ])('%j', (subject, groups) => expect(userOfSubject(subject)).toEqual({ name: 'kube', groups }));

  it.each([[{ CN: '' }], [{}], [{ O: 'system:masters' }], [{ CN: ['a', 'b'] }]])('nobody: %j', (subject) =>
    expect(userOfSubject(subject)).toBeUndefined(),
  );
});

describe('bearer token', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer  abc', 'abc'],
    ['Bearer', undefined],
    ['Bearer a b', undefined],
    ['Basic abc', undefined],
    [undefined, undefined],
  ])('%s', (header, token) => expect(bearerToken(header)).toBe(token));
});

describe('client CA', () => {
  it.each([
    [undefined],
    [{}],
    [{ 'client-ca-file': '' }],
    [{ 'client-ca-file': 'no certificate' }],
    [{ 'client-ca-file': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }],
    [{ 'requestheader-client-ca-file': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }],
  ])('there is none in %j', (data) => {
    expect(clientCaOf({ metadata: { name: 'x' }, ...(data && { data }) })).toBeUndefined();
  });
});

describe('cache', () => {
  it('asks once for many, remembers for its time, forgets', async () => {
    let now = 0;
    let asked = 0;
    const cache = createCache<number>({ holdMs: () => 100, bound: 10, clock: () => now });
    const ask = async () => ++asked;
    expect(await Promise.all([cache.get('a', ask), cache.get('a', ask), cache.get('a', ask)])).toEqual([1, 1, 1]);
    now = 99;
    expect(await cache.get('a', ask)).toBe(1);
    now = 100;
    expect(await cache.get('a', ask)).toBe(2);
  });

  it('remembers no failure and gives it to all who wait', async () => {
    const cache = createCache<number>({ holdMs: () => 100, bound: 10 });
    const fail = () => Promise.reject(new Error('no'));
    const both = await Promise.allSettled([cache.get('a', fail), cache.get('a', fail)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await cache.get('a', async () => 7)).toBe(7);
  });

  it('never holds more than its bound', async () => {
    const cache = createCache<number>({ holdMs: () => 1e9, bound: 3 });
    for (let i = 0; i < 10; i++) await cache.get(String(i), async () => i);
    expect(cache.size).toBe(3);
    expect(await cache.get('9', async () => -1)).toBe(9);
    expect(await cache.get('0', async () => -1)).toBe(-1);
  });

  it('holds nothing for no time', async () => {
    const cache = createCache<boolean>({ holdMs: () => 0, bound: 3 });
    await cache.get('a', async () => true);
    expect(cache.size).toBe(0);
  });
});
