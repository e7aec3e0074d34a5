/** What is told on a binding, against a server of the tests' own. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { binding } from './fixtures.ts';
import { Reporter } from './report.ts';

let server: TestServer;
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());

it.each([
  ['is known to be taken', true, 1],
  ['is not known to be taken, and is made again', false, 2],
])('what a status says is told once when its write got no answer and %s', async (_, isKnown, writes) => {
  let stored: ClusterBinding = binding('a');
  let written = 0;
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status } = JSON.parse(Buffer.concat(chunks).toString()) as ClusterBinding;
      if (isKnown) stored = { ...stored, ...(status && { status }) };
      if (++written === 1) response.destroy();
      else response.end(JSON.stringify({ ...stored, status }));
    });
  };
  const told: string[] = [];
  const reporter = new Reporter({
    home: new KubeClient(server.transport()),
    bindings: new Map() as never,
    events: {
      event: (_subject, type, reason, message) => void told.push(`${type} ${reason}: ${message}`),
      flush: () => Promise.resolve(),
    },
    log: createLogger('test', 'silent'),
    now: () => new Date(0),
  });
  await expect(reporter.report(stored, {})).rejects.toThrow();
  expect(told).toEqual([]);
  await reporter.report(stored, {});
  expect([told, written]).toEqual([['Normal Initializing: the worker cluster is being checked'], writes]);
  if (isKnown) await reporter.report(stored, {});
  expect(told).toHaveLength(1);
});
