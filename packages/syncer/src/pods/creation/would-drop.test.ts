/** Against a server of the tests' own, which takes fields off pods as an older API server does. */
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import type { PodState } from '../state.ts';
import type { Pod } from '../types.ts';
import { wouldDrop } from './would-drop.ts';

let server: TestServer;
/** Queries of what was asked. */
let asked: string[];
let drops: string[];

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  [asked, drops] = [[], []];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(new URL(request.url ?? '', 'https://server').searchParams.get('dryRun') ?? 'not dry');
      const pod = JSON.parse(Buffer.concat(chunks).toString()) as Pod;
      for (const field of drops) delete pod.spec[field];
      response.end(JSON.stringify(pod));
    });
  };
});
afterAll(() => server.stop());

function state(): PodState {
  return { context: { worker: new KubeClient(server.transport()) }, kept: new Map() } as unknown as PodState;
}

const isolated = samplePod({ hostUsers: false }, { name: 'web', namespace: 'mount' });

test('a pod that says nothing of the kind costs no request', async () => {
  expect(await wouldDrop(state(), samplePod({ hostUsers: true }))).toBeUndefined();
  expect(asked).toEqual([]);
});

test('a worker that keeps the field is asked about the first such pod only', async () => {
  const here = state();
  for (let n = 0; n < 3; n++) expect(await wouldDrop(here, isolated)).toBeUndefined();
  expect(asked).toEqual(['All']);
});

test('a worker that does not is asked about each, and the pod is not made', async () => {
  drops = ['hostUsers'];
  const here = state();
  for (let n = 0; n < 2; n++) {
    expect(await wouldDrop(here, isolated)).toContain('or decides when it ends (hostUsers)');
  }
  expect(asked).toEqual(['All', 'All']);
});

test('a volume of an image is asked about each time', async () => {
  drops = ['volumes'];
  const pod = samplePod(
    { volumes: [{ name: 'models', image: { reference: 'x' } }] },
    { name: 'web', namespace: 'mount' },
  );
  expect(await wouldDrop(state(), pod)).toContain('without its volume models');
});
