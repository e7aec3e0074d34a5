/** `shared/kube` against a real API server: what cuts, restarts, compactions, restores and silent peers do to a store. */
import {
  ConfigMaps,
  createEventRecorder,
  createReflector,
  Events,
  fixedCredentials,
  isCertificateError,
  isConflict,
  KubeClient,
  type KubeObject,
  messageOf,
  parseKubeconfig,
  Pods,
  Transport,
} from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { type ApiServer, cleanup, type Link, startApiServer, startLink, waitFor } from './harness/index.ts';
import { inParallel, makeConfigMap, makeNamespace, watchConfigMaps } from './kube/objects.ts';

const RECONNECTED = { timeoutMs: 60_000 }; // The longest wait between two tries is 30 s.
let server: ApiServer;
let admin: KubeClient;

beforeAll(async () => {
  server = await startApiServer();
  admin = server.client();
});

/** A link to the server and a client that goes through it. */
async function linked(): Promise<{ link: Link; client: KubeClient }> {
  const link = await startLink(server.port);
  const access = parseKubeconfig(server.kubeconfigVia(link.port), { trust: 'trusted' });
  return { link, client: new KubeClient(new Transport(fixedCredentials(access))) };
}

test('5,000 objects are listed in pages, once, and every one is in the store', async () => {
  const namespace = await makeNamespace(admin);
  const spec = { nodeName: 'node', containers: [{ name: 'main', image: 'busybox' }] };
  await inParallel(5000, 50, (i) =>
    admin.create<KubeObject>(Pods, { metadata: { namespace, name: `pod-${i}` }, spec }, { timeoutMs: 60_000 }),
  );
  let calls = 0;
  const client = server.client({
    observe: ({ path }) => {
      if (path.endsWith(`/${namespace}/pods`)) calls++;
    },
  });
  const watched = await watchConfigMaps(client, namespace, {
    resource: Pods,
    pageSize: 500,
    indexes: { node: (pod) => [(pod['spec'] as { nodeName: string }).nodeName] },
  });
  expect(watched.reflector.store.size).toBe(5000);
  expect(watched.reflector.store.byIndex('node', 'node')).toHaveLength(5000);
  expect(watched.reflector.store.get(`${namespace}/pod-4999`)?.metadata).not.toHaveProperty('managedFields');
  await waitFor('the watch', () => watched.reflector.watches === 1);
  expect(calls).toBe(11);
  expect(watched.reflector.lists).toBe(1);
}, 180_000);

test('a watch that the server ends is resumed where it ended: nothing is missed, and nothing listed again', async () => {
  const namespace = await makeNamespace(admin);
  const watched = await watchConfigMaps(admin, namespace, { watchSeconds: 1, random: () => 0.2 });
  const names: string[] = [];
  for (let i = 0; watched.reflector.watches < 4; i++) {
    names.push(`c-${String(i).padStart(4, '0')}`);
    await makeConfigMap(admin, namespace, names.at(-1) as string);
  }
  await waitFor('every object', () => watched.names().length === names.length);
  expect(watched.told).toEqual(names.map((name) => `+${name}`));
  expect(watched.reflector.lists).toBe(1);
  expect(watched.errors).toEqual([]);
});

test('connections that are reset cost a reconnect, not a list', async () => {
  const namespace = await makeNamespace(admin);
  const { link, client } = await linked();
  const watched = await watchConfigMaps(client, namespace);
  for (let round = 1; round <= 3; round++) {
    await waitFor('the watch', () => watched.reflector.watches === round);
    link.cut();
    await makeConfigMap(admin, namespace, `c-${round}`);
    await waitFor('the object made while the link was cut', () => watched.names().includes(`c-${round}`));
  }
  expect(watched.told).toEqual(['+c-1', '+c-2', '+c-3']);
  expect(watched.errors.length).toBeGreaterThanOrEqual(3);
  expect(watched.reflector.lists).toBe(1);
});

test('skipped events move the revision on all the same', async () => {
  const namespace = await makeNamespace(admin);
  const { link, client } = await linked();
  const watched = await watchConfigMaps(client, namespace, {
    concerns: (line) => line.includes('"name":"mine-'),
    project: (object) => (object.metadata.name.startsWith('mine-') ? object : undefined),
  });
  await waitFor('the watch', () => watched.reflector.watches === 1);
  for (let i = 0; i < 20; i++) await makeConfigMap(admin, namespace, `other-${i}`);
  await makeConfigMap(admin, namespace, 'mine-1');
  await waitFor('mine-1', () => watched.names().includes('mine-1'));
  link.cut();
  await makeConfigMap(admin, namespace, 'mine-2');
  await waitFor('mine-2', () => watched.names().includes('mine-2'));
  expect(watched.told).toEqual(['+mine-1', '+mine-2']);
  expect(watched.reflector.lists).toBe(1);
});

test('metadata only: no data comes, and an empty list is one', async () => {
  const empty = await watchConfigMaps(admin, await makeNamespace(admin), { metadataOnly: true });
  expect(empty.names()).toEqual([]);
  expect(empty.errors).toEqual([]);
  const namespace = await makeNamespace(admin);
  await makeConfigMap(admin, namespace, 'before', { secret: 'text' });
  const watched = await watchConfigMaps(admin, namespace, { metadataOnly: true });
  await makeConfigMap(admin, namespace, 'after', { secret: 'text' });
  await waitFor('both', () => watched.names().length === 2);
  for (const object of watched.reflector.store.values()) expect(JSON.stringify(object)).not.toContain('text');
});

test('a deletion is told with the last state, and a namesake with another UID as deletion and addition', async () => {
  const namespace = await makeNamespace(admin);
  await makeConfigMap(admin, namespace, 'gone', { last: 'state' });
  const before = await makeConfigMap(admin, namespace, 'swapped');
  const watched = await watchConfigMaps(admin, namespace);
  const uids: string[] = [];
  const states: unknown[] = [];
  watched.reflector.store.onChange(({ previous, current }) => {
    uids.push(`${previous?.metadata.uid ?? ''}>${current?.metadata.uid ?? ''}`);
    if (!current) states.push(previous?.['data']);
  });
  await admin.delete(ConfigMaps, namespace, 'gone');
  await admin.delete(ConfigMaps, namespace, 'swapped');
  const after = await makeConfigMap(admin, namespace, 'swapped');
  await waitFor('the changes', () => watched.told.length === 3);
  expect(watched.told).toEqual(['-gone', '-swapped', '+swapped']);
  expect(states[0]).toEqual({ last: 'state' });
  expect(uids.slice(1)).toEqual([`${before.metadata.uid}>`, `>${after.metadata.uid}`]);
});

test('a revision that etcd compacted away: one new list, missed deletions told, the store never empty', async () => {
  const namespace = await makeNamespace(admin);
  for (const name of ['stays', 'changes', 'goes', 'swapped']) await makeConfigMap(admin, namespace, name, { v: '1' });
  const { link, client } = await linked();
  const watched = await watchConfigMaps(client, namespace);
  await waitFor('the watch', () => watched.reflector.watches === 1);
  const tombstones: unknown[] = [];
  watched.reflector.store.onChange(({ previous, current }) => {
    if (!current) tombstones.push(previous?.['data']);
  });
  link.down();
  await admin.patch(ConfigMaps, namespace, 'changes', { data: { v: '2' } });
  await admin.delete(ConfigMaps, namespace, 'goes');
  await admin.delete(ConfigMaps, namespace, 'swapped');
  await makeConfigMap(admin, namespace, 'swapped', { v: '3' });
  await makeConfigMap(admin, namespace, 'comes');
  // The server's own cache of events would still serve the old revision: it starts anew, and etcd has forgotten.
  await server.compact();
  await server.restart();
  link.mend();
  await waitFor('the new list', () => watched.reflector.lists === 2, RECONNECTED);
  expect(watched.names()).toEqual(['changes', 'comes', 'stays', 'swapped']);
  expect(watched.told.toSorted()).toEqual(['-goes', '-swapped', '+swapped', '~changes', '+comes'].toSorted());
  expect(watched.told.indexOf('-swapped')).toBeLessThan(watched.told.indexOf('+swapped'));
  expect(tombstones).toEqual([{ v: '1' }, { v: '1' }]);
  expect(watched.leastSize()).toBeGreaterThanOrEqual(2);
  expect(watched.errors.some(({ error }) => 'code' in error && error.code === 410)).toBe(true);
  // And it goes on from there.
  await makeConfigMap(admin, namespace, 'later');
  await waitFor('the object made after it', () => watched.names().includes('later'));
  expect(watched.reflector.lists).toBe(2);
});

test('events, which have no bookmarks: silence is no fault, nor is a revision that is forgotten meanwhile', async () => {
  const namespace = await makeNamespace(admin);
  const { link, client } = await linked();
  const errors: string[] = [];
  const reflector = createReflector(client, {
    resource: Events,
    namespace,
    silenceMs: 200,
    watchSeconds: 1,
    random: () => 0,
    onError: (error) => errors.push(messageOf(error)),
  });
  const over = new AbortController();
  cleanup(() => over.abort());
  void reflector.run(over.signal);
  // Each is quiet for a second, until the end that was asked for.
  await waitFor('watches that end in silence', () => reflector.watches >= 3);
  expect(errors).toEqual([]);
  expect(reflector.lists).toBe(1);
  link.down();
  const metadata = { namespace, name: 'later' };
  const involvedObject = { kind: 'ConfigMap', namespace, name: 'none' };
  await admin.create(Events, { metadata, involvedObject, reason: 'Late', type: 'Normal' });
  for (const name of ['a', 'b']) await makeConfigMap(admin, namespace, name);
  await server.compact();
  await waitFor('the broken link to be told', () => errors.length > 0);
  link.mend();
  await waitFor('the event', () => reflector.store.keys().next().value === `${namespace}/later`, RECONNECTED);
  expect(reflector.lists).toBe(2);
  expect(errors.filter((error) => /too old|silent/.test(error))).toEqual([]);
});

test('a server killed and started again under it: nothing vanishes, nothing is told twice, and it goes on', async () => {
  const namespace = await makeNamespace(admin);
  for (const name of ['a', 'b', 'c']) await makeConfigMap(admin, namespace, name);
  const watched = await watchConfigMaps(admin, namespace);
  await waitFor('the watch', () => watched.reflector.watches === 1);
  await server.stop('KILL');
  await waitFor('it to notice', () => watched.errors.length >= 2);
  expect(watched.names()).toEqual(['a', 'b', 'c']);
  await server.start();
  await makeConfigMap(admin, namespace, 'd');
  await waitFor('the object made after the restart', () => watched.names().includes('d'), RECONNECTED);
  expect(watched.told).toEqual(['+d']);
});

test('a server restored from a backup: what was made since is told as deleted', async () => {
  const namespace = await makeNamespace(admin);
  await makeConfigMap(admin, namespace, 'old');
  await server.stop();
  const restore = await server.snapshot();
  await server.start();
  const watched = await watchConfigMaps(admin, namespace);
  for (let i = 0; i < 50; i++) await makeConfigMap(admin, namespace, `new-${i}`);
  await waitFor('the new ones, more than the server itself writes', () => watched.names().length === 51);
  await server.stop();
  await restore();
  await server.start();
  await waitFor('the state of the backup', () => watched.names().join() === 'old', RECONNECTED);
  expect(watched.errors.map(({ error }) => error.message).join('\n')).toContain('restored from a backup?');
  await makeConfigMap(admin, namespace, 'again');
  await waitFor('an object made after the restore', () => watched.names().includes('again'));
});

test('a peer that falls silent is noticed, by a watch and by a call', async () => {
  const namespace = await makeNamespace(admin);
  const { link, client } = await linked();
  const watched = await watchConfigMaps(client, namespace, { silenceMs: 1000 });
  await waitFor('the watch', () => watched.reflector.watches === 1);
  link.freeze();
  const began = performance.now();
  await expect(client.list(ConfigMaps, { namespace }, { timeoutMs: 400 })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(performance.now() - began).toBeLessThan(10_000);
  await waitFor('the silence to be noticed', () =>
    watched.errors.some(({ error }) => error.message.includes('fell silent')),
  );
  await makeConfigMap(admin, namespace, 'meanwhile');
  link.mend();
  await waitFor('the object made meanwhile', () => watched.names().includes('meanwhile'), RECONNECTED);
  expect(watched.reflector.lists).toBe(1);
});

test('a certificate that is not trusted is said at once', async () => {
  const own = parseKubeconfig(server.kubeconfigFor({ token: 'x' }), { trust: 'trusted' });
  const { ca: _, ...withoutAuthority } = own;
  const began = performance.now();
  const error = await new KubeClient(new Transport(fixedCredentials(withoutAuthority)))
    .get(ConfigMaps, 'default', 'x')
    .catch((caught: unknown) => caught);
  expect(isCertificateError(error)).toBe(true);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('preconditions keep a namesake from being deleted or patched', async () => {
  const namespace = await makeNamespace(admin);
  const first = await makeConfigMap(admin, namespace, 'x');
  await admin.delete(ConfigMaps, namespace, 'x');
  const second = await makeConfigMap(admin, namespace, 'x');
  const { uid } = first.metadata;
  const refused = await admin
    .delete(ConfigMaps, namespace, 'x', { ...(uid && { uid }) })
    .catch((error: unknown) => error);
  expect(isConflict(refused)).toBe(true);
  const patched = await admin
    .patch(ConfigMaps, namespace, 'x', { metadata: { uid }, data: { v: '1' } })
    .catch((error: unknown) => error);
  expect(isConflict(patched)).toBe(true);
  expect((await admin.get(ConfigMaps, namespace, 'x')).metadata.uid).toBe(second.metadata.uid);
});

test('the same event again raises a count, and a flood about one object is cut', async () => {
  const namespace = await makeNamespace(admin);
  const errors: unknown[] = [];
  const recorder = createEventRecorder(admin, {
    component: 'kubeocean-test',
    instance: 'test-1',
    onError: (error) => errors.push(error),
  });
  const subject = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: 'web', uid: 'u1' } };
  for (let i = 0; i < 3; i++) recorder.event(subject, 'Warning', 'NotRun', 'why');
  for (let i = 0; i < 100; i++) recorder.event(subject, 'Normal', 'Other', `number ${i}`);
  await recorder.flush();
  const { items } = await admin.list<KubeObject & { reason: string; count: number }>(Events, { namespace });
  expect(errors).toEqual([]);
  expect(items.filter(({ reason }) => reason === 'NotRun').map(({ count }) => count)).toEqual([3]);
  expect(items.filter(({ reason }) => reason === 'Other')).toHaveLength(22);
});
