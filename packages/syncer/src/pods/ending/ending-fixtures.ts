/** A home pod, its worker pod, and one server that is both clusters, for tests of how pods end. */
import { workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import type { TestServer } from '@kubeocean/shared/testing';
import type { SyncerContext } from '../../context.ts';
import { createDeletionGuard, type DeletionGuard } from './deletion-guard.ts';
import { FACTS, samplePod } from '../samples.ts';
import type { PodState } from '../state.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod, PodStatus } from '../types.ts';

const { bindingName, bindingUID, mountNamespace } = FACTS;
export const homeKey = 'shop/web-5d9c7b-abcde';
export const homePath = '/api/v1/namespaces/shop/pods/web-5d9c7b-abcde';
export const workerPath = `/api/v1/namespaces/${mountNamespace}/pods/${workerName(bindingUID, 'shop', 'web-5d9c7b-abcde')}`;

export function homePod(status: PodStatus = { phase: 'Running', startTime: THEN }, metadata: object = {}): Pod {
  return { ...samplePod({}, { ...metadata }), status };
}

export function workerPod(metadata: object = {}): Pod {
  const pod = toWorkerPod(homePod(), FACTS);
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid', ...metadata }, status: { phase: 'Running' } };
}

/** One that lets so many go. */
function guard(left: number): DeletionGuard {
  const made = createDeletionGuard({
    population: () => 0,
    approval: () => undefined,
    clock: () => 0,
    token: () => 't',
    onChange: () => undefined,
  });
  for (let gone = left; gone < 20; gone++) made.allow(`other-${gone}`);
  return made;
}

export class World {
  /** What the servers of both clusters have, by path. */
  objects = new Map<string, KubeObject>();
  /** `METHOD path` of every call. */
  calls: string[] = [];
  /** Bodies of the patches, by path. */
  patches = new Map<string, KubeObject>();
  /** Types and reasons of the events, and their messages. */
  told: string[] = [];
  words: string[] = [];
  /** What the worker answers to deletions, when it refuses them. */
  refusal: { code: number; reason: string; message: string } | undefined;
  /** The binding is being deleted. */
  unbinding = false;
  private readonly server: TestServer;

  constructor(server: TestServer) {
    this.server = server;
    server.answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { pathname } = new URL(request.url ?? '', 'https://server');
        this.calls.push(`${request.method} ${pathname}`);
        if (request.method === 'PATCH') {
          this.patches.set(pathname, JSON.parse(Buffer.concat(chunks).toString()) as KubeObject);
        }
        const found = this.objects.get(pathname.replace(/\/status$/, ''));
        const missing = found ? undefined : { code: 404, reason: 'NotFound', message: 'not found' };
        const meant = request.method === 'PATCH' ? this.patches.get(pathname)?.metadata.resourceVersion : undefined;
        const isOther = meant !== undefined && meant !== found?.metadata.resourceVersion;
        const conflict = isOther ? { code: 409, reason: 'Conflict', message: 'it has been modified' } : undefined;
        const failure = request.method === 'DELETE' ? (this.refusal ?? missing) : (missing ?? conflict);
        response.writeHead(failure?.code ?? 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(failure ? { kind: 'Status', ...failure } : found));
      });
    };
  }

  writes(): string[] {
    return this.calls.filter((call) => !call.startsWith('GET'));
  }

  /**
   * @param left how many more the guard lets go
   * @param ours whether the worker is the cluster that we know
   */
  stateOf(left = 20, ours = true): PodState {
    const client = new KubeClient(this.server.transport());
    const context = {
      bindingName,
      bindingUID,
      clusterID: 'cls-example',
      binding: () => ({ metadata: { name: bindingName, ...(this.unbinding && { deletionTimestamp: THEN }) } }),
      mountNamespace,
      home: client,
      worker: client,
      stores: { homePods: new Store(), workerPods: new Store({ adopted: () => [] }) },
      log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
      now: () => new Date('2026-01-02T03:04:05Z'),
      leadership: { isCurrent: () => true },
      mayWriteWorker: () => true,
      confirmWorker: () => Promise.resolve(ours),
      homeEvents: {
        event: (_subject: KubeObject, type: string, reason: string, message: string) => {
          this.told.push(`${type} ${reason}`);
          this.words.push(message);
        },
      },
    } as unknown as SyncerContext;
    return {
      context,
      guard: guard(left),
      created: new Map(),
      deleted: new Map(),
      released: new Set(),
      room: { changed: () => undefined },
      repairs: { count: () => undefined },
    } as unknown as PodState;
  }
}
