import { Label, proxierName, syncerName } from '@kubeocean/shared/api';
import { Deployments, KubeClient, type KubeObject, ServiceAccounts } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { binding, settings } from '../bindings/fixtures.ts';
import { Applier, type MadeStores } from './applier.ts';
import { deployment } from './deployment.ts';

let server: TestServer;
/** What the server has, and what it was asked for. */
let current: KubeObject;
let calls: string[];

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  server.reset();
  calls = [];
  server.answer = (request, response) => {
    calls.push(request.method ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PATCH') current = stored(JSON.parse(Buffer.concat(chunks).toString()) as KubeObject);
      response.end(JSON.stringify(current));
    });
  };
});
afterAll(() => server.stop());

/** A quantity is another text in the server than it was given as. */
function stored(applied: KubeObject): KubeObject {
  const object = JSON.parse(JSON.stringify(applied).replace('"1000m"', '"1"')) as KubeObject;
  return { ...object, metadata: { ...object.metadata, uid: 'd', generation: 1 } };
}

function without(field: 'labels' | 'annotations', key: string): void {
  const { [key]: _, ...rest } = current.metadata[field] ?? {};
  current = { ...current, metadata: { ...current.metadata, [field]: rest } };
}

const resources = { requests: { cpu: '1000m' } };
const wanted = deployment(binding('a'), 'syncer', { ...settings, syncer: { ...settings.syncer, resources } });

it.each<['labels' | 'annotations', string]>([
  ['labels', 'app.kubernetes.io/name'],
  // By which it is watched: without it, it is asked for.
  ['labels', Label.managedBy],
  ['annotations', 'kubeocean.io/template-hash'],
])('puts back %s that somebody takes off a Deployment (%s), and writes nothing else', async (field, key) => {
  const watched = () => (current?.metadata.labels?.[Label.managedBy] ? current : undefined);
  const applier = new Applier(new KubeClient(server.transport()), { get: watched } as unknown as MadeStores);
  const written = async () => (await applier.ensure('uid-of-a', wanted)).written;
  current = stored(wanted.object);
  // Spelt in another way: applied once, to see what the server makes of it.
  expect([await written(), await written()]).toEqual([true, false]);
  without(field, key);
  expect([await written(), await written()]).toEqual([true, false]);
  expect(current.metadata[field]).toHaveProperty([key]);
  expect(calls.filter((method) => method === 'PATCH')).toHaveLength(2);
});

it.each<[string, (ours: KubeObject) => KubeObject, RegExp]>([
  [
    'of nobody',
    ({ metadata: { ownerReferences: _owners, ...metadata }, ...rest }) => ({ ...rest, metadata }),
    /^Deployment kubeocean-system\/kubeocean-syncer-.* exists already and belongs to nobody, not to this binding/,
  ],
  [
    'of gocrane/kubeocean, which selects other pods,',
    (ours) => ({ ...ours, spec: { selector: { matchLabels: { app: 'x' } } } }),
    /^the Deployment kubeocean-system\/kubeocean-syncer-.* is of gocrane\/kubeocean: .*"kubeocean adopt a"/,
  ],
])('leaves a Deployment %s alone', async (_, change, message) => {
  const found = change(stored(wanted.object));
  const applier = new Applier(new KubeClient(server.transport()), { get: () => found } as unknown as MadeStores);
  await expect(applier.ensure('uid-of-a', wanted)).rejects.toThrow(message);
  expect(calls).toEqual([]);
});

it('removes what is left of a binding, the Lease of its syncers before the account that could take it, and nothing twice', async () => {
  const of = binding('a');
  const [syncer, proxier] = [syncerName(of.spec.clusterID), proxierName(of.spec.clusterID)];
  const metadata = (name: string) => ({ namespace: 'kubeocean-system', name, uid: `uid-of-${name}` });
  const left = [
    { resource: Deployments, object: { metadata: { ...metadata(syncer), deletionTimestamp: '2026-01-01T00:00:00Z' } } },
    { resource: ServiceAccounts, object: { metadata: metadata(proxier) } },
    { resource: ServiceAccounts, object: { metadata: metadata(syncer) } },
  ];
  let code = 404;
  const bodies: unknown[] = [];
  server.answer = (request, response) => {
    calls.push(`${request.method} ${(request.url ?? '').split('/').slice(-2).join('/')}`);
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      bodies.push(JSON.parse(body));
      response.statusCode = code;
      response.end(JSON.stringify({ kind: 'Status', code, message: 'no' }));
    });
  };
  const stores = { ownedBy: (uid: string) => (uid === 'uid-of-a' ? left : []) } as unknown as MadeStores;
  const applier = new Applier(new KubeClient(server.transport()), stores);
  expect(await applier.removeAll(of)).toBe(3);
  expect(calls).toEqual([
    `DELETE serviceaccounts/${proxier}`,
    `DELETE leases/${syncer}`,
    `DELETE serviceaccounts/${syncer}`,
  ]);
  expect(bodies[2]).toMatchObject({ preconditions: { uid: `uid-of-${syncer}` }, propagationPolicy: 'Background' });
  code = 403;
  await expect(applier.removeAll(of)).rejects.toMatchObject({ code });
});

it('writes and deletes nothing once leadership has ended while the server was asked', async () => {
  let isCurrent = true;
  server.answer = (request, response) => {
    calls.push(request.method ?? '');
    isCurrent = false;
    response.statusCode = 404;
    response.end(JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: 'none' }));
  };
  const left = ['a', 'b'].map((name) => ({ resource: Deployments, object: { metadata: { name, uid: name } } }));
  const stores = { get: () => undefined, ownedBy: () => left } as unknown as MadeStores;
  const applier = new Applier(new KubeClient(server.transport()).ledBy({ isCurrent: () => isCurrent }), stores);
  await expect(applier.ensure('uid-of-a', wanted)).rejects.toMatchObject({ code: 'NOT_SENT' });
  expect(calls).toEqual(['GET']);
  isCurrent = true;
  await expect(applier.removeAll(binding('a'))).rejects.toMatchObject({ code: 'NOT_SENT' });
  expect(calls).toEqual(['GET', 'DELETE']);
});
