/** Runs for one binding against a server of the tests' own; with real clusters in e2e/manager.test.ts. */
import { Annotation, type ClusterBinding, Finalizer, labelValue } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseWorkloads, type Settings } from '../settings.ts';
import { BindingController, type ControllerOptions } from './controller.ts';
import { binding } from './fixtures.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

const settings: Settings = {
  syncer: { image: 'syncer', replicas: 2, ...parseWorkloads('{}', 'f').syncer },
  proxier: { image: 'proxier', replicas: 2, ...parseWorkloads('{}', 'f').proxier },
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  servingCertificate: 'csr',
  clusterDNS: '',
  clusterDomain: 'cluster.local',
  logLevel: 'info',
};

/** Of a cluster in which nothing was made for the binding. */
function controllerOf(of: ClusterBinding, isCurrent: () => boolean = () => true) {
  const calls: string[] = [];
  const told: string[] = [];
  server.answer = (request, response) => {
    calls.push(`${request.method} ${(request.url ?? '').split('?')[0]}`);
    response.end(JSON.stringify(of));
  };
  const controller = new BindingController({
    home: new KubeClient(server.transport()),
    bindings: new Map([[of.metadata.name, of]]) as unknown as ControllerOptions['bindings'],
    secrets: new Map() as unknown as ControllerOptions['secrets'],
    made: { get: () => undefined } as unknown as ControllerOptions['made'],
    applier: {} as ControllerOptions['applier'],
    checks: {} as ControllerOptions['checks'],
    settings,
    events: {
      event: (_subject, type, reason, message) => void told.push(`${type} ${reason}: ${message}`),
      flush: () => Promise.resolve(),
    },
    log: createLogger('test', 'silent'),
    leadership: { signal: new AbortController().signal, isCurrent, transitions: 0 },
    now: () => new Date(0),
    monotonic: () => 0,
    abandonAfterMs: 0,
  });
  return { calls, told, run: () => controller.reconcile(of.metadata.name) };
}

it('writes nothing while another may lead', async () => {
  let isCurrent = false;
  const { calls, run } = controllerOf(binding('a'), () => isCurrent);
  expect(await run()).toEqual({ againInMs: 1000 });
  expect(calls).toEqual([]);
  isCurrent = true;
  await run();
  expect(calls).toEqual(['PATCH /apis/cloud.tencent.com/v1beta1/clusterbindings/a']);
});

it('what an abandoned binding leaves is found by what is told, however long its name', async () => {
  const name = 'a'.repeat(64);
  const { metadata, ...rest } = binding(name);
  const { told, run } = controllerOf({
    ...rest,
    metadata: {
      ...metadata,
      deletionTimestamp: '2026-01-02T00:00:00Z',
      finalizers: [Finalizer.bindingManager, Finalizer.bindingSyncer],
      annotations: { [Annotation.abandon]: 'true' },
    },
  });
  await run();
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^Warning Abandoned: /);
  expect(told[0]).toContain(`kubectl delete nodes -l kubeocean.io/cluster-binding=${labelValue(name)} (after`);
});
