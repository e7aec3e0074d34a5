import type { ServerResponse } from 'node:http';
import { KubeClient } from '@kubeocean/shared/kube';
import { say, TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearerToken, createAuthenticator, type User, userOfSubject } from './authenticate.ts';
import { createAuthorizer, type Question, questionOf } from './authorize.ts';
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

describe('an answer of the API server', () => {
  let server: TestServer;
  let asked: { spec: object }[];
  let status: object;

  beforeAll(async () => {
    server = await TestServer.start();
  });
  beforeEach(() => {
    asked = [];
    status = { allowed: true };
    server.answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        asked.push(JSON.parse(Buffer.concat(chunks).toString()) as { spec: object });
        response.end(JSON.stringify({ metadata: {}, status }));
      });
    };
  });
  afterEach(() => server.reset());
  afterAll(() => server.stop());

  const user = { name: 'jane', uid: 'u', groups: ['team-a'], extra: { scopes: ['read'] } };
  const look = questionOf('GET', 'metrics');
  const authorizer = () => createAuthorizer(new KubeClient(server.transport()));

  it('is asked for with all that is known of the caller, and remembered', async () => {
    const authorize = authorizer();
    expect([await authorize(user, 'v1', look), await authorize(user, 'v1', look)]).toEqual([true, true]);
    expect(asked.map(({ spec }) => spec)).toEqual([
      {
        user: 'jane',
        uid: 'u',
        groups: ['team-a'],
        extra: { scopes: ['read'] },
        resourceAttributes: { verb: 'get', version: 'v1', resource: 'nodes', subresource: 'metrics', name: 'v1' },
      },
    ]);
  });

  it.each<[string, User, string, Question]>([
    ['of another name', { ...user, name: 'joe' }, 'v1', look],
    ['with another UID', { ...user, uid: 'v' }, 'v1', look],
    ['who is in another group by now', { ...user, groups: ['team-b'] }, 'v1', look],
    ['who is in one more group by now', { ...user, groups: ['team-a', 'team-b'] }, 'v1', look],
    ['whose token is for other scopes', { ...user, extra: { scopes: ['write'] } }, 'v1', look],
    ['of whom no more is known', { name: 'jane', groups: [] }, 'v1', look],
    ['at another vnode', user, 'v2', look],
    ['who does something else there', user, 'v1', questionOf('POST', 'metrics')],
    ['who looks at something else there', user, 'v1', questionOf('GET', 'logs')],
  ])('is not that for a caller %s', async (_, other, vnode, question) => {
    const authorize = authorizer();
    expect(await authorize(user, 'v1', look)).toBe(true);
    status = { allowed: false };
    expect(await authorize(other, vnode, question)).toBe(false);
    expect(asked).toHaveLength(2);
  });

  it('is asked for anew for each session', async () => {
    const authorize = authorizer();
    const exec = questionOf('POST', 'exec');
    expect(await authorize(user, 'v1', exec)).toBe(true);
    status = { allowed: false };
    expect(await authorize(user, 'v1', exec)).toBe(false);
  });

  it.each([
    [{ allowed: true }, true],
    [{ allowed: true, denied: true }, false],
    [{ allowed: false }, false],
    [{}, false],
    [undefined, false],
  ])('%j allows: %s', async (said, expected) => {
    status = said as object;
    expect(await authorizer()(user, 'v1', look)).toBe(expected);
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

describe('made-up tokens', () => {
  it('take few connections at once, and are refused when too many wait', async () => {
    const server = await TestServer.start();
    const waiting: ServerResponse[] = [];
    server.answer = (_, response) => void waiting.push(response);
    const authenticate = createAuthenticator(new KubeClient(server.transport()), () => new Date());
    const knock = (token: string) =>
      authenticate({ headers: { authorization: `Bearer ${token}` }, socket: { authorized: false } } as never);
    const knocks = Array.from({ length: 300 }, (_, at) => knock(`t${at}`).catch((error: Error) => error.message));
    await vi.waitFor(() => expect(waiting.length).toBe(8), { timeout: 5000, interval: 1 });
    expect(await knocks.at(-1)).toBe('too many at once, try again later');
    server.answer = say({ status: { authenticated: false } });
    for (const response of waiting) server.answer({} as never, response);
    expect(new Set(await Promise.all(knocks)).size).toBe(2);
    expect(waiting.length).toBe(8);
    server.reset();
    server.stop();
  });
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
