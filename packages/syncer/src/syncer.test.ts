/** The syncer as a whole, with an API server on loopback for both clusters. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type OptionValues, parseOptions, Registry } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { leaseOf, nameOf } from './nodes/controller-fixtures.ts';
import { created } from './nodes/plan-fixtures.ts';
import { sampleBinding } from './nodes/samples.ts';
import { SYNCER_OPTIONS } from './options.ts';
import { runSyncer } from './syncer.ts';

test('the Leases of vnodes are renewed while home refuses to have the finalizer put back on the binding', async () => {
  const server = await TestServer.start();
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-syncer-'));
  const stop = new AbortController();
  onTestFinished(() => {
    stop.abort();
    server.stop();
    rmSync(folder, { recursive: true });
  });
  const binding = sampleBinding();
  const { name } = binding.metadata;
  const lists: Record<string, object[]> = { clusterbindings: [binding], nodes: [created()] };
  const written: string[] = [];
  server.answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
    if (searchParams.has('watch')) return response.flushHeaders();
    const isBinding = pathname.endsWith(`/clusterbindings/${name}`);
    if (request.method !== 'GET') {
      written.push(pathname);
      if (isBinding) response.statusCode = 403;
      return response.end(JSON.stringify({ kind: 'Status', code: 403, message: 'a webhook says no', metadata: {} }));
    }
    if (isBinding) return response.end(JSON.stringify(binding));
    const items = lists[pathname.split('/').at(-1) ?? ''] ?? [];
    response.end(JSON.stringify({ metadata: { resourceVersion: '1', uid: 'home' }, items }));
  };
  const kubeconfig = join(folder, 'kubeconfig');
  const { server: url, token } = server.access();
  const access = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token } }],
  };
  writeFileSync(kubeconfig, JSON.stringify(access));
  const flags = ['--leader-elect=false', `--kubeconfig=${kubeconfig}`, `--cluster-binding-name=${name}`];
  const running = runSyncer({
    name: 'kubeocean-syncer',
    options: parseOptions(SYNCER_OPTIONS, flags) as OptionValues<typeof SYNCER_OPTIONS>,
    log: createLogger('test', 'silent'),
    registry: new Registry(),
    signal: stop.signal,
    instance: 'syncer-0',
    namespace: 'kubeocean-system',
    ready: {},
    connect: () => new KubeClient(server.transport()),
  });
  await vi.waitFor(() => expect(written).toContain(leaseOf(nameOf('node1'))), 10_000);
  expect(written.some((path) => path.endsWith(`/clusterbindings/${name}`))).toBe(true);
  stop.abort();
  await running;
});
