/** Removals of records over real TLS on loopback. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LeasedNode } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LeftPods } from './left.ts';
import { writeRecord } from './writer.ts';

let server: TestServer;
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(() => server.reset());

const record: LeasedNode = {
  metadata: { namespace: 'w', name: 'b.n', uid: 'r' },
  spec: { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' },
  status: { phase: 'Closed', reason: 'Released' },
};

/** What was asked when the record is removed; a pod is found by the field selector that begins so. */
async function remove(found: string | undefined, released = true, deletionTimestamp?: string) {
  const asked: string[] = [];
  server.answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://x');
    const fields = searchParams.get('fieldSelector') ?? '';
    asked.push(`${request.method} ${pathname.split('/').at(-1)} ${searchParams.get('labelSelector') ?? ''} ${fields}`);
    const metadata = { namespace: 'w', name: 'left', deletionTimestamp };
    const items = found !== undefined && fields.startsWith(found) ? [{ metadata }] : [];
    response.end(JSON.stringify({ metadata: {}, items }));
  };
  const client = new KubeClient(server.transport());
  const { signal } = new AbortController();
  const write = { kind: 'remove', record, released } as const;
  const log = createLogger('test', 'silent');
  const problem = await writeRecord(client, write, log, signal, new LeftPods(client, signal)).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { problem, asked };
}

const waiting = 'GET pods kubeocean.io/cluster-binding=b spec.nodeName=,status.phase!=Succeeded,status.phase!=Failed';
const placed = 'GET pods kubeocean.io/cluster-binding=b spec.nodeName=n';

describe('the record of a lease whose claim was given back', () => {
  it('stays while a lent pod waits for a node', async () => {
    const { problem, asked } = await remove('spec.nodeName=,');
    expect(problem).toBe('the record w/b.n stays while there is the lent pod left; delete it if nobody does');
    expect(asked).toEqual([waiting]);
  });

  it('stays when one was given its node since we looked', async () => {
    const { problem, asked } = await remove('spec.nodeName=n');
    expect(problem).toMatch(/stays/);
    expect(asked).toEqual([waiting, placed]);
  });

  it('goes though one that waited for a node is held by a finalizer: it will not run any more', async () => {
    expect((await remove('spec.nodeName=,', true, '2026-01-01T00:00:00Z')).problem).toBeUndefined();
    expect((await remove('spec.nodeName=n', true, '2026-01-01T00:00:00Z')).problem).toMatch(/stays/);
  });

  it('goes when none is left', async () => {
    const { problem, asked } = await remove(undefined);
    expect([problem, asked]).toEqual([undefined, [waiting, placed, 'DELETE b.n  ']]);
  });

  it('that gives way to a new node of its name waits for none', async () => {
    expect((await remove('spec.nodeName', false)).asked).toEqual(['DELETE b.n  ']);
  });
});
