/** One copy at a time, against a server of the tests' own, with stores that tell when the test says so. */
import { Label, workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { sampleBinding } from '../nodes/samples.ts';
import type { Pod } from '../pods/types.ts';
import { type Copies, createCopies } from './copies.ts';
import { createHolders } from './holders.ts';
import type { Kind } from './kinds.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { createWritten, type Written } from './written.ts';

export const bindingUID = 'b-uid';
export const copyName = workerName(bindingUID, 'shop', 'conf', 'configmap');
export const secretName = workerName(bindingUID, 'shop', 'conf', 'secret');
const VNODE = 'vnode-cls-node1';

/** Both clusters' server. */
export interface Served {
  /** What it has, by path. */
  objects: Map<string, KubeObject>;
  /** Writes that were asked for, `VERB name`, dry runs apart. */
  writes: string[];
  /** Paths of single objects that were read. */
  reads: string[];
  /** Gives the status with which a write is refused. */
  refuse: (method: string, body: KubeObject | undefined) => Record<string, unknown> | undefined;
}

/** For the tests of a file; empty before each. */
export function serveClusters(): Served & { world: () => World } {
  let server: TestServer;
  const served = { world: () => worldOf(new KubeClient(server.transport())) } as Served & { world: () => World };
  let revision: number;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  beforeEach(() => {
    Object.assign(served, { objects: new Map(), writes: [], reads: [], refuse: () => undefined } satisfies Served);
    revision = 100;
    server.answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
        const body = chunks.length > 0 ? (JSON.parse(Buffer.concat(chunks).toString()) as KubeObject) : undefined;
        const { code, answer } = serve(request.method ?? '', pathname, body, searchParams.has('dryRun'));
        response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    };
  });
  afterEach(() => server.reset());
  afterAll(() => server.stop());
  return served;

  function serve(method: string, path: string, body: KubeObject | undefined, dryRun: boolean) {
    const { objects, writes, reads, refuse } = served;
    const name = method === 'POST' ? (body?.metadata.name ?? '') : (path.split('/').at(-1) ?? '');
    const key = method === 'POST' ? `${path}/${name}` : path;
    const failed = (code: number, reason: string, more: object = {}) => ({
      code,
      answer: { kind: 'Status', status: 'Failure', code, reason, message: `${reason} of ${name}`, ...more },
    });
    if (method === 'GET') {
      reads.push(path);
      const found = objects.get(key);
      return found ? { code: 200, answer: found } : failed(404, 'NotFound');
    }
    writes.push(`${dryRun ? 'dry ' : ''}${method} ${name}`);
    const refused = refuse(method, body);
    if (refused) return failed(Number(refused['code'] ?? 422), 'Invalid', refused);
    if (path.endsWith('/token')) {
      const expirationTimestamp = new Date(3_600_000).toISOString();
      return { code: 200, answer: { ...body, status: { token: `token ${++revision}`, expirationTimestamp } } };
    }
    if (method === 'POST' && objects.has(key)) return failed(409, 'AlreadyExists');
    if (method !== 'POST' && !objects.has(key)) return failed(404, 'NotFound');
    const known = objects.get(key);
    if (method === 'DELETE') objects.delete(key);
    else {
      const uid = known?.metadata.uid ?? `uid-${++revision}`;
      objects.set(key, {
        ...body,
        metadata: { ...(body as KubeObject).metadata, uid, resourceVersion: String(++revision) },
      });
    }
    return { code: 200, answer: objects.get(key) ?? known };
  }

  function worldOf(client: KubeClient): World {
    const [homePods, workerPods, vnodes] = [new Store<KubeObject>(), new Store<KubeObject>(), new Store<KubeObject>()];
    const sources = { configmap: new Store<KubeObject>(), secret: new Store<KubeObject>() };
    const stored = { configmap: new Store<KubeObject>(), secret: new Store<KubeObject>() };
    const written = {
      configmap: createWritten(stored.configmap, 'mount'),
      secret: createWritten(stored.secret, 'mount'),
    };
    vnodes.set({ metadata: { name: VNODE, labels: { [Label.bindingUID]: bindingUID } } });
    const holders = createHolders({ homePods, workerPods }, bindingUID, () => undefined);
    const told: string[] = [];
    const repaired: string[] = [];
    const binding = sampleBinding();
    const context = {
      binding: () => binding,
      bindingName: 'example',
      bindingUID,
      mountNamespace: 'mount',
      home: client,
      worker: client,
      stores: { homePods, workerPods, vnodes },
      log: { info: () => undefined, warn: () => undefined },
      now: () => new Date(0),
      queue: () => ({}),
      mayWriteWorker: () => true,
      homeEvents: {
        event: (subject: KubeObject, _type: string, reason: string, message: string) =>
          told.push(`${reason} ${String(subject['kind'])} ${subject.metadata.name}: ${message}`),
      },
    } as unknown as SyncerContext;
    const repairs = { count: (object: string, part: string) => void repaired.push(`${object} ${part}`) };
    let elapsed = 1_000_000;
    const tokens = createTokens(context, written.secret);
    const copies = createCopies({ context, sources, written, holders, tokens, repairs, clock: () => elapsed });
    const pass = (ms: number) => void (elapsed += ms);
    return { pass, context, copies, tokens, homePods, workerPods, vnodes, sources, stored, written, told, repaired };
  }
}

export interface World {
  context: SyncerContext;
  copies: Copies;
  /** Lets time pass for the copies. */
  pass: (ms: number) => void;
  tokens: Tokens;
  homePods: Store<KubeObject>;
  workerPods: Store<KubeObject>;
  vnodes: Store<KubeObject>;
  sources: Record<Kind, Store<KubeObject>>;
  stored: Record<Kind, Store<KubeObject>>;
  written: Record<Kind, Written>;
  /** Events: `<reason> <kind> <name>: <message>`. */
  told: string[];
  /** `<object> <part>` */
  repaired: string[];
}

const mount = '/api/v1/namespaces/mount';

/** Path of the copy in the worker. */
export function pathOfCopy(kind: Kind): string {
  return `${mount}/${kind}s/${kind === 'configmap' ? copyName : secretName}`;
}

/** The object at home as its watch and its server have it. */
export function atHome(
  { objects }: Served,
  { sources }: World,
  version: string,
  content: Record<string, unknown>,
  kind: Kind = 'configmap',
): void {
  const metadata = { namespace: 'shop', name: 'conf', uid: `${kind}-uid`, resourceVersion: version };
  objects.set(`/api/v1/namespaces/shop/${kind}s/conf`, { metadata, ...content });
  sources[kind].set({ metadata });
}

/** The watch tells what the worker's server has of a copy. */
export function watchTells({ objects }: Served, { stored }: World, kind: Kind = 'configmap', path?: string): void {
  const at = path ?? pathOfCopy(kind);
  const now = objects.get(at);
  if (now) stored[kind].set(now);
  else stored[kind].remove(`mount/${at.split('/').at(-1)}`);
}

export function pod(kind: Kind = 'configmap'): Pod {
  const source = kind === 'configmap' ? { configMap: { name: 'conf' } } : { secret: { secretName: 'conf' } };
  return {
    metadata: { namespace: 'shop', name: 'web-0', uid: 'p-uid', resourceVersion: '1' },
    spec: { nodeName: VNODE, containers: [], volumes: [{ name: 'v', ...source }] },
  };
}

/** A worker pod that has the copy in its spec. */
export function workerPod(kind: Kind, copy: string): Pod {
  const source = kind === 'configmap' ? { configMap: { name: copy } } : { secret: { secretName: copy } };
  return {
    metadata: { namespace: 'mount', name: 'w', uid: 'w-uid', resourceVersion: '2' },
    spec: { containers: [], volumes: [{ name: 'v', ...source }] },
  };
}

export function runs({ homePods, workerPods }: World, kind: Kind = 'configmap'): void {
  homePods.set(pod(kind));
  workerPods.set(workerPod(kind, kind === 'configmap' ? copyName : secretName));
}
