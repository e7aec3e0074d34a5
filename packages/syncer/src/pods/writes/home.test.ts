/** Writes on home pods, against a server of the tests' own. */
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SyncerContext } from '../../context.ts';
import { WritesHeld } from '../../gate.ts';
import { finishHomeDeletion, patchHomeStatus } from './home.ts';
import { samplePod } from '../samples.ts';
import type { StatusPatch } from '../status/to-home.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** The bodies that home is sent when it refuses the first for these fields. */
async function sentWhenRefused(fields: string[], status: object, annotations?: typeof mapping, leadsOn = true) {
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
    leadership: { isCurrent: () => leadsOn || sent.length === 0 },
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

test('what is left of it is not written once another leads', async () => {
  const refused = sentWhenRefused(['status.podIP'], { phase: 'Running', podIP: 'x' }, undefined, false);
  await expect(refused).rejects.toThrow(WritesHeld);
});

test('a refusal that names nothing of ours is an error', async () => {
  await expect(sentWhenRefused(['spec.containers'], { phase: 'Running' }, mapping)).rejects.toThrow('invalid');
});

describe('a home pod of which nothing runs any more', () => {
  /** What home is sent, without its answers. */
  async function sentAtEnd(finalizers: string[] | undefined, phase: string, shown?: string, leads = true) {
    const sent: [string, object][] = [];
    server.answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        sent.push([request.method ?? '', JSON.parse(Buffer.concat(chunks).toString()) as object]);
        response.end(JSON.stringify({ metadata: { name: 'x' } }));
      });
    };
    const context = {
      home: new KubeClient(server.transport()),
      leadership: { isCurrent: () => leads },
      log: { debug: () => undefined },
    } as unknown as SyncerContext;
    const home = { ...samplePod({}, { uid: 'u', ...(finalizers && { finalizers }) }), status: { phase } };
    const patch: StatusPatch | undefined = shown ? { metadata: { uid: 'u' }, status: { phase: shown } } : undefined;
    await finishHomeDeletion(context, home, patch);
    return sent;
  }
  const gone = ['DELETE', expect.objectContaining({ gracePeriodSeconds: 0, preconditions: { uid: 'u' } })];
  const fails = ['PATCH', { metadata: { uid: 'u' }, status: { phase: 'Failed' } }];

  test.each<[string, string[] | undefined, string, string | undefined, unknown[]]>([
    ['goes, and no other of its name', undefined, 'Running', undefined, [gone]],
    ['fails first where finalizers of others keep it', ['batch'], 'Running', undefined, [fails, gone]],
    ['does not when it has succeeded', ['batch'], 'Succeeded', undefined, [gone]],
    ['does not when it has failed', ['batch'], 'Failed', undefined, [gone]],
    ['does not when it was just shown to have ended', ['batch'], 'Running', 'Succeeded', [gone]],
    ['does when it was just shown to run', ['batch'], 'Pending', 'Running', [fails, gone]],
  ])('%s', async (_, finalizers, phase, shown, expected) => {
    expect(await sentAtEnd(finalizers, phase, shown)).toEqual(expected);
  });

  test('is left to the next leader', async () => {
    await expect(sentAtEnd(undefined, 'Running', undefined, false)).rejects.toThrow(WritesHeld);
    await expect(sentAtEnd(['batch'], 'Running', undefined, false)).rejects.toThrow(WritesHeld);
  });
});
