/** The approver with an API server over real TLS on loopback; with a real cluster in e2e/manager-certificates.test.ts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KubeletServingSigner } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { say, TestServer } from '@kubeocean/shared/testing';
import { certificateRequest, newKeyPair } from '@kubeocean/shared/tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { binding } from '../bindings/fixtures.ts';
import { startApprover } from './approver.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => {
  server.reset();
  logged.length = 0;
});
afterAll(() => server.stop());

const logged: string[] = [];
const note = (_: object, text: string) => void logged.push(text);
const log = { info: note, warn: note } as unknown as Logger;

const account = 'kubeocean-proxier-cls-example';
const begun = Date.parse('2026-01-01T00:00:00Z');

function csr(pod: string) {
  const pem = certificateRequest(
    { commonName: `system:node:${pod}`, organizations: ['system:nodes'], ips: ['10.1.2.3'], dnsNames: [] },
    newKeyPair(),
  );
  return {
    metadata: { name: 'csr', resourceVersion: '5', creationTimestamp: new Date(begun).toISOString() },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: KubeletServingSigner,
      usages: ['digital signature', 'server auth'],
      username: `system:serviceaccount:kubeocean-system:${account}`,
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}

/**
 * Decides about one request by the second look at it, so many seconds after the first, or before.
 * @param isCurrent whether this process leads, for sure
 * @param answer to what is written
 * @returns the condition that is written
 */
async function decided(
  request: object,
  pods: Record<string, object>,
  seconds = 0,
  isCurrent = () => true,
  answer: object = {},
) {
  const written = Promise.withResolvers<{ type: string; message: string }>();
  function answerPod(name: string, response: ServerResponse): void {
    const pod = pods[name];
    if (pod) return void response.end(JSON.stringify(pod));
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: `pods "${name}" not found` }),
    );
  }
  server.answer = (asked, response) => {
    const [path = '', query = ''] = (asked.url ?? '').split('?');
    const [, pod] = /\/namespaces\/kubeocean-system\/pods\/([^/]+)$/.exec(path) ?? [];
    if (pod) answerPod(pod, response);
    else if (asked.method === 'PUT') {
      void bodyOf(asked).then((text) => {
        const { status } = JSON.parse(text) as { status: { conditions: [{ type: string; message: string }] } };
        written.resolve(status.conditions[0]);
        if ('code' in answer) response.statusCode = answer.code as number;
        response.end(JSON.stringify(answer));
      });
    } else if (query.includes('watch=')) response.writeHead(200).flushHeaders();
    // A list of pods ends at its limit, and these are not on it.
    else say({ items: path.endsWith('/pods') ? [] : [request], metadata: { resourceVersion: '5' } })(asked, response);
  };
  const stop = new AbortController();
  let looks = 0;
  const approver = startApprover({
    home: new KubeClient(server.transport()),
    bindings: { values: () => [binding('a')].values() } as never,
    log,
    leadership: { signal: stop.signal, isCurrent, transitions: 0, leaseTime: () => new Date(0) },
    // As wrong as any.
    now: () => new Date(begun + 3_600_000),
    clock: () => (looks++ === 0 ? 0 : seconds * 1000),
  });
  try {
    return await written.promise;
  } finally {
    stop.abort();
    await approver.stop();
  }
}

const running = (name: string) => ({
  metadata: { name, namespace: 'kubeocean-system', uid: 'u' },
  spec: { serviceAccountName: account },
  status: { phase: 'Running', podIP: '10.1.2.3' },
});

it('a proxier is found by its name, however many evicted pods of its Deployment lie about', async () => {
  const name = `${account}-5c9d-zzzzz`;
  expect(await decided(csr(name), { [name]: running(name) }, 61)).toMatchObject({ type: 'Approved' });
});

it('a pod that does not exist is waited for, and the request denied in the end', async () => {
  expect(await decided(csr('p-1'), {}, 61)).toMatchObject({
    type: 'Denied',
    message: expect.stringContaining('there is no pod "p-1"') as string,
  });
});

it('nothing is decided while another may lead', async () => {
  const name = `${account}-5c9d-zzzzz`;
  let asked = 0;
  const decision = decided(csr(name), { [name]: running(name) }, 61, () => ++asked > 1);
  expect(await decision).toMatchObject({ type: 'Approved' });
  expect(asked).toBe(2);
});

it('a proxier whose address home does not know yet is not denied because the clock here is ahead', async () => {
  const name = `${account}-5c9d-zzzzz`;
  let asked = 0;
  const pods = {
    get [name](): object {
      return asked++ === 0 ? { ...running(name), status: { phase: 'Pending' } } : running(name);
    },
  };
  expect(await decided(csr(name), pods, 1)).toMatchObject({ type: 'Approved' });
});

it.each<[number, string[]]>([
  [200, ['approved']],
  [409, []],
])('what is answered with %i is logged as %j', async (code, words) => {
  const name = `${account}-5c9d-zzzzz`;
  const answer = code === 200 ? {} : { kind: 'Status', code, reason: 'Conflict', message: 'modified' };
  await decided(csr(name), { [name]: running(name) }, 0, undefined, answer);
  expect(logged).toEqual(words);
});
