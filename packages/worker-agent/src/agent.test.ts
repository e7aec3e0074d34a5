/** The agent as a whole, with an API server on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type OptionValues, parseOptions, Registry } from '@kubeocean/shared/daemon';
import { type ClusterAccess, KubeClient } from '@kubeocean/shared/kube';
import type { Tenant } from '@kubeocean/shared/lease';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { runAgent } from './agent.ts';
import { begin, policy } from './look-fixtures.ts';
import { AGENT_OPTIONS } from './options.ts';

let server: TestServer;
let stop = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-agent-'));
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => {
  server.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  server.reset();
});

function file(name: string, content: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

function kubeconfig({ server: url, ca = '', token }: ClusterAccess): object {
  const cluster = { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token } }],
  };
}

function run(client: KubeClient, tenants: readonly Tenant[]): Promise<void> {
  const flags = [
    '--leader-elect=false',
    '--stats-bind-address=127.0.0.1:0',
    `--kubeconfig=${file('kubeconfig', kubeconfig(server.access()))}`,
    `--tenants-file=${file('tenants.json', tenants)}`,
  ];
  return runAgent({
    name: 'worker-agent',
    options: parseOptions(AGENT_OPTIONS, flags) as OptionValues<typeof AGENT_OPTIONS>,
    log: createLogger('test', 'silent'),
    registry: new Registry(),
    signal: stop.signal,
    instance: 'agent-0',
    namespace: 'kubeocean-agent',
    ready: {},
    connect: () => client,
  });
}

it('ends at once when it was told to stop before it began', async () => {
  stop.abort();
  await expect(run(new KubeClient(server.transport()), [])).resolves.toBeUndefined();
});

it.each([
  [0, 'when records say what is so, not before'],
  [1, 'not yet when the API server failed to write what they are to say'],
])('gives its sign of life, after %i failures, %s', async (failures) => {
  const bindings: [string[], string[]] = [['a'], []];
  const { client, options } = await begin(server, stop.signal, {
    bindings,
    policies: [policy('a', 1)],
    readable: true,
  });
  const record = 'PATCH north/leasednodes/a.n/status';
  const written: string[] = [];
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    const what = `${request.method} ${(request.url ?? '').split('?')[0]?.split('/namespaces/')[1]}`;
    written.push(what);
    if (what === record && written.filter((one) => one === record).length <= failures) response.statusCode = 500;
    return response.end(JSON.stringify({ metadata: { name: 'x', uid: 'x' } }));
  };
  const running = run(client, options.tenants);
  const beats = ['north', 'south'].map((namespace) => `PATCH ${namespace}/leases/kubeocean-agent`);
  await vi.waitFor(() => expect(written).toEqual(expect.arrayContaining(beats)), 25_000);
  const before = written.slice(0, Math.min(...beats.map((beat) => written.indexOf(beat))));
  expect(before.filter((what) => what === record).length).toBeGreaterThan(failures);
  stop.abort();
  await running;
});
