/** A small API server for tests of this folder: it keeps objects and their versions, and answers as its test wants. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KubeClient, type KubeObject, pathOf, type Resource, type Status } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';

interface Call {
  method: string;
  path: string;
  /** Of a list: `key=value` and `key!=value`, parted by commas. */
  labelSelector: string;
  body: Body;
}

type Body = Record<string, unknown> & {
  metadata?: KubeObject['metadata'];
  preconditions?: { uid?: string; resourceVersion?: string };
};

export class Peer {
  /** What was written, `<method> <name>`, since the last `reset`. */
  writes: string[] = [];
  /** Names of what was read one by one. */
  reads: string[] = [];
  /** A write that is answered with an error. */
  refuse: (call: Call) => Status | undefined = () => undefined;
  private readonly objects = new Map<string, KubeObject>();
  private version = 0;
  private readonly server: TestServer;

  private constructor(server: TestServer) {
    this.server = server;
    server.answer = (request, response) => this.receive(request, response);
  }

  static async start(): Promise<Peer> {
    return new Peer(await TestServer.start());
  }

  client(): KubeClient {
    return new KubeClient(this.server.transport());
  }

  put<T extends KubeObject>(resource: Resource, object: T): T {
    const { namespace, name } = object.metadata;
    return this.store(pathOf(resource, namespace, name), object) as T;
  }

  get<T extends KubeObject>(resource: Resource, namespace: string, name: string): T | undefined {
    return this.objects.get(pathOf(resource, namespace, name)) as T | undefined;
  }

  all<T extends KubeObject>(resource: Resource): T[] {
    return this.ofKind(resource.plural) as T[];
  }

  reset(): void {
    this.writes = [];
    this.reads = [];
    this.refuse = () => undefined;
    this.objects.clear();
    this.server.reset();
  }

  stop(): void {
    this.server.stop();
  }

  private store(path: string, object: KubeObject): KubeObject {
    const metadata = { uid: `uid-${++this.version}`, ...object.metadata, resourceVersion: String(this.version) };
    const kept = { ...object, metadata };
    this.objects.set(path, kept);
    return kept;
  }

  private receive(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'https://server');
    if (url.searchParams.has('watch')) return response.flushHeaders();
    let text = '';
    request.on('data', (chunk: Buffer) => (text += String(chunk)));
    request.on('end', () => {
      const body = (text ? JSON.parse(text) : {}) as Body;
      const path = url.pathname.replace(/\/status$/, '');
      const labelSelector = url.searchParams.get('labelSelector') ?? '';
      const answer = this.answer({ method: request.method ?? '', path, labelSelector, body });
      if ('code' in answer) response.statusCode = answer.code as number;
      response.end(JSON.stringify('code' in answer ? { kind: 'Status', ...answer } : answer));
    });
  }

  private answer(call: Call): object {
    const { method, path, body } = call;
    const known = this.objects.get(path);
    const name = body.metadata?.name ?? path.split('/').at(-1) ?? '';
    if (method === 'GET') {
      const plural = listed(path);
      if (plural) return this.list(plural, call.labelSelector);
      this.reads.push(name);
      return known ?? { code: 404, reason: 'NotFound', message: `${name} not found` };
    }
    const refusal = this.refuse(call);
    this.writes.push(`${method} ${name}`);
    if (refusal) return refusal;
    if (method === 'POST') {
      const made = `${path}/${name}`;
      if (this.objects.has(made)) return { code: 409, reason: 'AlreadyExists', message: `${name} exists` };
      return this.store(made, body as unknown as KubeObject);
    }
    if (!known) return { code: 404, reason: 'NotFound', message: `${name} not found` };
    const { uid, resourceVersion } = (method === 'DELETE' ? body.preconditions : body.metadata) ?? {};
    if (resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion) {
      return { code: 409, reason: 'Conflict', message: 'the object has been modified' };
    }
    if (uid !== undefined && uid !== known.metadata.uid) {
      return { code: 409, reason: 'Conflict', message: 'Precondition failed: UID in precondition' };
    }
    if (method === 'PATCH') return this.store(path, merge(known, body) as KubeObject);
    this.objects.delete(path);
    return known;
  }

  private list(plural: string, labelSelector: string): object {
    const items = this.ofKind(plural).filter((object) => isSelected(object, labelSelector));
    return { metadata: { resourceVersion: String(this.version) }, items };
  }

  private ofKind(plural: string): KubeObject[] {
    return [...this.objects].filter(([path]) => path.split('/').at(-2) === plural).map(([, object]) => object);
  }
}

/** The kind that a path lists; undefined for a path of one object. */
function listed(path: string): string | undefined {
  const [plural = '', name] = path
    .replace(/^\/(api\/v1|apis\/[^/]+\/[^/]+)\//, '')
    .replace(/^namespaces\/[^/]+\/(?=.)/, '')
    .split('/');
  return name === undefined ? plural : undefined;
}

function isSelected({ metadata: { labels } }: KubeObject, selector: string): boolean {
  const terms = selector.split(',').filter((term) => term !== '');
  return terms.every((term) => {
    const [key = '', value] = term.split(/!?=/);
    return (labels?.[key] === value) !== term.includes('!=');
  });
}

/** RFC 7386. */
function merge(target: unknown, patch: object): object {
  const merged: Record<string, unknown> = { ...(target as object | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = typeof value === 'object' && !Array.isArray(value) ? merge(merged[key], value) : value;
  }
  return merged;
}
