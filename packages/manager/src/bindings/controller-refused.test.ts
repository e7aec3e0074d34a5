/** What a binding says when the API server refuses what the manager asks, such as by a webhook or policy. */
import { type ClusterBinding, Finalizer } from '@kubeocean/shared/api';
import { ApiError, type KubeObject } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ControllerOptions } from './controller.ts';
import { controllerOf } from './controller-fixtures.ts';
import { binding } from './fixtures.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** What is said of a binding that is being deleted. */
const deletedWith = (finalizers: string[]) => ({ deletionTimestamp: '2026-01-02T00:00:00Z', finalizers });
const denied = new ApiError(403, { kind: 'Status', code: 403, message: 'a policy denied the request' }, 'PATCH', '/x');

it.each<
  [string, Partial<KubeObject['metadata']>, Partial<Record<'ensure' | 'removeAll', () => Promise<never>>>, string]
>([
  [
    'keeps it from being begun with',
    {},
    {},
    'Warning FinalizerRefused: the manager cannot put its finalizer on the binding, and begins nothing before: a policy',
  ],
  [
    'keeps its syncer from being made anew when it is deleted',
    deletedWith([Finalizer.bindingManager, Finalizer.bindingSyncer]),
    { ensure: () => Promise.reject(denied) },
    'Normal Unbinding: not all that its syncer needs can be made (a policy denied the request); the syncer removes',
  ],
  [
    'keeps what was made for it when it is deleted',
    deletedWith([Finalizer.bindingManager]),
    { removeAll: () => Promise.reject(denied) },
    'Normal Unbinding: what was made for it cannot be removed, which is tried again: a policy denied the request',
  ],
  [
    'keeps the finalizer when it is deleted',
    deletedWith([Finalizer.bindingManager]),
    {},
    'Normal Unbinding: its finalizer kubeocean.io/clusterbinding-manager cannot be taken off, which is tried again: a policy denied',
  ],
])('a binding says what %s', async (_, change, applier, words) => {
  const { metadata, ...rest } = binding('a');
  const of = { ...rest, metadata: { ...metadata, ...change } };
  const own = Object.keys(applier).length > 0 && { applier: applier as unknown as ControllerOptions['applier'] };
  const { run, told } = controllerOf(server, of, undefined, undefined, undefined, { ...own });
  server.answer = (request, response) => {
    if (request.url?.includes('/status')) return response.end(JSON.stringify(of));
    response.statusCode = 403;
    return response.end(JSON.stringify(denied.status));
  };
  await expect(run()).rejects.toThrow('a policy denied the request');
  expect(told).toEqual([expect.stringContaining(words)]);
});

it('a webhook that breaks off each call is told of once, and not by another status each time', async () => {
  const of: ClusterBinding = binding('a');
  const { run, told } = controllerOf(server, of);
  let [port, statuses] = [50_000, 0];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url?.includes('/status')) {
        statuses++;
        Object.assign(of, { status: (JSON.parse(Buffer.concat(chunks).toString()) as ClusterBinding).status });
        return response.end(JSON.stringify(of));
      }
      const message = `failed calling webhook "own": read tcp 10.0.0.1:${port++}->10.0.0.2:443: connection reset`;
      response.statusCode = 500;
      return response.end(JSON.stringify({ kind: 'Status', code: 500, reason: 'InternalError', message }));
    });
  };
  for (const _ of [1, 2, 3]) await expect(run()).rejects.toThrow('connection reset');
  expect(statuses).toBe(1);
  expect(told).toEqual([expect.stringMatching(/read tcp 10\.0\.0\.1->10\.0\.0\.2:443: connection reset$/)]);
});
