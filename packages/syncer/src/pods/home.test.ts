/** Writes on home pods, against a server of the tests' own. */
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { patchHomeStatus } from './home.ts';
import { samplePod } from './samples.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** The bodies that home is sent when it refuses the first for these fields. */
async function sentWhenRefused(fields: string[], status: object, annotations?: Record<string, string>) {
  const sent: unknown[] = [];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      sent.push(JSON.parse(Buffer.concat(chunks).toString()));
      const details = { causes: fields.map((field) => ({ field })) };
      const refusal = { kind: 'Status', code: 422, reason: 'Invalid', message: 'invalid', details };
      response.writeHead(sent.length === 1 ? 422 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(sent.length === 1 ? refusal : { metadata: { name: 'x', resourceVersion: '2' } }));
    });
  };
  const context = {
    home: new KubeClient(server.transport()),
    leadership: { isCurrent: () => true },
    log: { debug: () => undefined, warn: () => undefined },
  } as unknown as SyncerContext;
  const patch = { metadata: { uid: 'u', ...(annotations && { annotations }) }, status: { ...status } };
  await patchHomeStatus(context, samplePod(), patch);
  return sent.slice(1);
}

const mapping = { 'kubeocean.io/physical-pod-name': 'x' };

test('a pod whose annotations are full shows its status all the same', async () => {
  const status = { phase: 'Running' };
  expect(await sentWhenRefused(['metadata.annotations'], status, mapping)).toEqual([
    { metadata: { uid: 'u' }, status },
  ]);
});

test('of one that has nothing else to show nothing more is sent', async () => {
  expect(await sentWhenRefused(['metadata.annotations'], {}, mapping)).toEqual([]);
});

test('what home does not take of the status is left out', async () => {
  const status = { phase: 'Running', podIP: 'x', hostIP: '10.0.0.1' };
  expect(await sentWhenRefused(['status.podIP', 'status.phase'], status, mapping)).toEqual([
    { metadata: { uid: 'u', annotations: mapping }, status: { phase: 'Running', hostIP: '10.0.0.1' } },
  ]);
});

test('a refusal that names nothing of ours is an error', async () => {
  await expect(sentWhenRefused(['spec.containers'], { phase: 'Running' }, mapping)).rejects.toThrow('invalid');
});
