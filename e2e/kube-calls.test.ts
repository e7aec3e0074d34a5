/** Single calls: rotation of credentials, slowing down when told to, and what is sent again. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import {
  type ClusterAccess,
  ClusterRoleBindings,
  ConfigMaps,
  fixedCredentials,
  KubeClient,
  kubeconfigFile,
  type KubeObject,
  parseKubeconfig,
  SelfSubjectReviews,
  ServiceAccounts,
  Transport,
} from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { type ApiServer, cleanup, startApiServer, startLink, waitFor } from './harness/index.ts';
import { inParallel, makeConfigMap, makeNamespace, watchConfigMaps } from './kube/objects.ts';

let server: ApiServer;
let admin: KubeClient;
let namespace: string;

beforeAll(async () => {
  server = await startApiServer();
  admin = server.client();
  namespace = await makeNamespace(admin);
});

/** Who the server says we are. */
async function whoAmI(client: KubeClient): Promise<string> {
  const review = await client.create<KubeObject & { status: { userInfo: { username: string } } }>(SelfSubjectReviews, {
    metadata: {},
  });
  return review.status.userInfo.username.split(':').at(-1) as string;
}

/** A ServiceAccount that may do anything, and a token of it, once its rights count. */
async function tokenOf(name: string): Promise<string> {
  await admin.create(ServiceAccounts, { metadata: { namespace, name } });
  await admin.create(ClusterRoleBindings, {
    metadata: { name: `${namespace}-${name}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', namespace, name }],
  });
  const request = await admin.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: { namespace, name }, spec: {} },
    { subresource: 'token' },
  );
  const { token } = request.status;
  const access = parseKubeconfig(server.kubeconfigFor({ token }), { trust: 'trusted' });
  const transport = new Transport(fixedCredentials(access));
  // The API server's authoriser hears of a binding a moment after it has been made.
  await waitFor('its rights', () => new KubeClient(transport).list(ConfigMaps, { namespace }));
  transport.close();
  return token;
}

function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

test('a replaced token file: the call that is refused is made again with the new token', async () => {
  const token = await tokenOf('one');
  const file = join(server.folder, 'token-refused');
  put(file, 'not-a-token');
  const kubeconfig = join(server.folder, 'kubeconfig-refused');
  put(kubeconfig, server.kubeconfigFor({ tokenFile: file }));
  // It never looks by itself.
  const source = kubeconfigFile(kubeconfig, { trust: 'trusted', checkEveryMs: 3_600_000 });
  const client = new KubeClient(new Transport(source));
  await expect(whoAmI(client)).rejects.toMatchObject({ code: 401 });
  put(file, token);
  expect(await whoAmI(client)).toBe('one');
});

test('a replaced kubeconfig: new calls have the new identity, and nothing that runs is cut', async () => {
  const [first, second] = [await tokenOf('first'), await tokenOf('second')];
  const link = await startLink(server.port);
  const via = (token: string) => server.kubeconfigFor({ token }).replace(server.url, `https://127.0.0.1:${link.port}`);
  const kubeconfig = join(server.folder, 'kubeconfig-rotated');
  put(kubeconfig, via(first));
  const client = new KubeClient(
    new Transport(kubeconfigFile(kubeconfig, { trust: 'trusted', checkEveryMs: 0 }), { maxSockets: 1 }),
  );
  expect(await whoAmI(client)).toBe('first');
  const watched = await watchConfigMaps(client, namespace);
  await waitFor('the watch', () => watched.reflector.watches === 1);
  const { connections } = link;
  const calls = inParallel(200, 8, async (i) => {
    if (i === 100) put(kubeconfig, via(second));
    await client.get(ConfigMaps, namespace, 'none').catch((error: unknown) => {
      expect(error).toMatchObject({ code: 404 });
    });
  });
  await calls;
  expect(await whoAmI(client)).toBe('second');
  await makeConfigMap(admin, namespace, 'after-rotation');
  await waitFor('an event on the old watch', () => watched.names().includes('after-rotation'));
  expect(watched.reflector.watches).toBe(1);
  expect(watched.errors).toEqual([]);
  expect(link.connections).toBe(connections);
});

test('another client certificate takes new connections and lets calls in flight end', async () => {
  const kubeconfig = join(server.folder, 'kubeconfig-certificate');
  const admins = readFileSync(server.kubeconfig, 'utf8');
  put(kubeconfig, admins);
  const client = new KubeClient(new Transport(kubeconfigFile(kubeconfig, { trust: 'trusted', checkEveryMs: 0 })));
  const token = await tokenOf('third');
  await inParallel(300, 16, async (i) => {
    if (i === 150) put(kubeconfig, server.kubeconfigFor({ token }));
    await makeConfigMap(client, namespace, `rotating-${i}`);
  });
  expect(await whoAmI(client)).toBe('third');
  const { items } = await admin.list(ConfigMaps, { namespace });
  expect(items.filter(({ metadata }) => metadata.name.startsWith('rotating-'))).toHaveLength(300);
});

/** A peer for the faults that a real server does not show on demand: it gives the answers listed, one a request. */
async function answering(answers: { code: number; headers?: Record<string, string>; body?: string }[]) {
  const file = (name: string) => readFileSync(join(server.folder, 'certificates', name));
  const requests: { method: string; at: number }[] = [];
  const peer: Server = createServer(
    { cert: file('apiserver.crt'), key: file('apiserver.key') },
    (request, response) => {
      requests.push({ method: request.method ?? '', at: performance.now() });
      const answer = answers[Math.min(requests.length, answers.length) - 1];
      request.resume();
      response.writeHead(answer?.code ?? 500, answer?.headers).end(answer?.body ?? '{}');
    },
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  peer.listen(0, '127.0.0.1', resolve);
  await promise;
  cleanup(() => {
    peer.closeAllConnections();
    peer.close();
  });
  const { port } = peer.address() as { port: number };
  const access: ClusterAccess = { server: `https://127.0.0.1:${port}`, ca: file('ca.crt').toString(), token: 'x' };
  return { client: new KubeClient(new Transport(fixedCredentials(access))), requests };
}

const tooMany = { code: 429, headers: { 'retry-after': '1' }, body: 'Too many requests, please try again later.' };

test.each(['GET', 'POST', 'DELETE'] as const)(
  '429 with Retry-After: a %s waits that long and is sent again',
  async (method) => {
    const { client, requests } = await answering([tooMany, tooMany, { code: 200, body: '{"fine":true}' }]);
    expect(await client.transport.call({ method, path: '/x' })).toEqual({ fine: true });
    const times = requests.map(({ at }) => at);
    expect(requests).toHaveLength(3);
    for (const i of [1, 2]) {
      const waited = (times[i] as number) - (times[i - 1] as number);
      expect(waited).toBeGreaterThan(980);
      expect(waited).toBeLessThan(5000);
    }
  },
);

test('429 is given back at once when asked so, as evictions do, and when the deadline would pass', async () => {
  const { client, requests } = await answering([{ ...tooMany, headers: { 'retry-after': '25' } }]);
  const message = tooMany.body;
  await expect(client.transport.call({ method: 'POST', path: '/x', retry: false })).rejects.toMatchObject({
    code: 429,
    message,
  });
  await expect(client.transport.call({ method: 'GET', path: '/x', timeoutMs: 20_000 })).rejects.toMatchObject({
    code: 429,
  });
  expect(requests).toHaveLength(2);
});

test('a write may ask for metadata only; what the server refuses is told in full all the same', async () => {
  const name = 'metadata-only';
  const only = { metadataOnly: true };
  const made = await admin.create(ConfigMaps, { metadata: { namespace, name }, data: { a: '1' } }, only);
  expect(made).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name, uid: expect.any(String) } });
  expect(made).not.toHaveProperty('data');
  const patched = await admin.patch(ConfigMaps, namespace, name, { data: { a: '2' } }, only);
  const stored = await admin.get<KubeObject & { data: object }>(ConfigMaps, namespace, name);
  expect([patched['data'], stored.data]).toEqual([undefined, { a: '2' }]);
  expect(patched.metadata.resourceVersion).toBe(stored.metadata.resourceVersion);
  await expect(
    admin.patch(ConfigMaps, namespace, name, { metadata: { labels: { 'not/a/label': 'x' } } }, only),
  ).rejects.toMatchObject({ name: 'ApiError', code: 422, status: { details: { name } } });
  await admin.delete(ConfigMaps, namespace, name, only);
  await expect(admin.delete(ConfigMaps, namespace, name, only)).rejects.toMatchObject({ code: 404 });
});

test('after a 500 a GET is sent again and a write is not', async () => {
  const failing = { code: 500, body: '{"kind":"Status","code":500,"message":"etcdserver: request timed out"}' };
  const reading = await answering([failing, { code: 200, body: '{"fine":true}' }]);
  expect(await reading.client.transport.call({ method: 'GET', path: '/x' })).toEqual({ fine: true });
  const writing = await answering([failing]);
  await expect(writing.client.transport.call({ method: 'PATCH', path: '/x', body: '{}' })).rejects.toThrow(
    'etcdserver: request timed out',
  );
  expect(writing.requests).toHaveLength(1);
});

test('an answer that is no JSON is an error of the connection, not of the program', async () => {
  const { client } = await answering([{ code: 200, body: '<html>sign in</html>' }]);
  await expect(client.transport.call({ method: 'GET', path: '/x', retry: false })).rejects.toMatchObject({
    name: 'ConnectionError',
    code: 'NOT_JSON',
  });
  const odd = await answering([{ code: 403, body: 'null' }]);
  await expect(odd.client.transport.call({ method: 'GET', path: '/x' })).rejects.toMatchObject({ code: 403 });
});

test('a key that is none is an error of the connection, too', async () => {
  const access = { server: server.url, cert: 'nonsense', key: 'nonsense' };
  const client = new KubeClient(new Transport(fixedCredentials(access)));
  await expect(client.get(ConfigMaps, 'default', 'x')).rejects.toMatchObject({ name: 'ConnectionError' });
});

test('an ended signal ends a call under way', async () => {
  const link = await startLink(server.port);
  link.freeze();
  const text = server.kubeconfigVia(link.port);
  const kubeconfig = join(server.folder, 'kubeconfig-frozen');
  put(kubeconfig, text);
  const client = new KubeClient(new Transport(kubeconfigFile(kubeconfig, { trust: 'trusted' })));
  const stop = new AbortController();
  const began = performance.now();
  setTimeout(() => stop.abort(), 100);
  await expect(client.get(ConfigMaps, 'default', 'x', { signal: stop.signal })).rejects.toThrow();
  // Left alone, a call takes 30 s to give up.
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('text of others, whatever is in it, keeps no apply from being taken', async () => {
  // Half a character, DEL, C1 and what is none: API servers read an apply as YAML.
  const text = 'cut \ud83d, \u007f\u009b31m\ufffe\uffff \\ud83d 😀';
  const applied = await admin.apply<KubeObject & { data: Record<string, string> }>(
    ConfigMaps,
    { metadata: { name: 'said', namespace }, data: { text } },
    'test',
  );
  expect(applied.data).toEqual({ text: text.toWellFormed() });
});
