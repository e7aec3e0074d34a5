/** When a certificate signed by the cluster is asked for anew, by clocks that are right and wrong. */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { newKeyPair, selfSignedCertificate } from '@kubeocean/shared/tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { signedByCluster } from './certificates.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const signer = newKeyPair();

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}

/** Signs as kube-controller-manager does: good for so long from now, and begun five minutes ago. */
function sign(pem: Buffer, now: number, lifeMs: number): string {
  const publicKey = createPublicKey(execFileSync('openssl', ['req', '-pubkey', '-noout'], { input: pem }));
  const subject = { commonName: 'x', organizations: [], ips: ['10.0.0.1'], dnsNames: [] };
  const key = { publicKey, privateKey: signer.privateKey };
  return selfSignedCertificate(subject, key, new Date(now - 5 * MINUTE), new Date(now + lifeMs));
}

interface World {
  /** How long certificates are good for. */
  lifeMs: number;
  /** How far this machine's clock is from the cluster's. */
  aheadMs?: number;
  /** Of each wait this part counts for the monotonic clock: less than 1 when the machine sleeps. */
  awake?: number;
}

/** Minutes by the cluster's clock from each certificate to the next. */
async function intervals({ lifeMs, aheadMs = 0, awake = 1 }: World): Promise<number[]> {
  let now = Date.parse('2026-01-01T00:00:00Z');
  let monotonic = 0;
  let certificate = '';
  server.answer = (request, response) => {
    void bodyOf(request).then((text) => {
      if (request.method === 'POST') {
        const { spec } = JSON.parse(text) as { spec: { request: string } };
        certificate = Buffer.from(sign(Buffer.from(spec.request, 'base64'), now, lifeMs)).toString('base64');
      }
      response.end(JSON.stringify({ metadata: { name: 'csr' }, status: { certificate } }));
    });
  };
  const taken: number[] = [];
  const stop = new AbortController();
  const source = signedByCluster(new KubeClient(server.transport()), {
    clusterID: 'c',
    bindingName: 'b',
    podName: 'p',
    podIP: '10.0.0.1',
    now: () => new Date(now + aheadMs),
    clock: () => monotonic,
    wait: async (ms) => {
      now += ms;
      monotonic += ms * awake;
    },
    onError: (error) => {
      throw error;
    },
  });
  await source(() => {
    taken.push(now);
    if (taken.length === 4) stop.abort();
  }, stop.signal).catch(() => undefined);
  return taken.slice(1).map((at, index) => (at - (taken[index] ?? 0)) / MINUTE);
}

it.each<[string, World, number, number]>([
  ['80 % of an hour that began five minutes ago', { lifeMs: 60 * MINUTE }, 47, 47],
  ['a year', { lifeMs: 365 * DAY }, 0.79 * 365 * 1440, 0.81 * 365 * 1440],
  ['ten minutes, the least there is', { lifeMs: 10 * MINUTE }, 7, 7],
  ['a clock that is 50 minutes ahead', { lifeMs: 60 * MINUTE, aheadMs: 50 * MINUTE }, 47, 47],
  ['a clock that is a year ahead', { lifeMs: 60 * MINUTE, aheadMs: 365 * DAY }, 47, 47],
  ['a clock that is a day behind', { lifeMs: 60 * MINUTE, aheadMs: -DAY }, 47, 52],
  ['a machine that mostly sleeps', { lifeMs: 10 * DAY, awake: 0.01 }, 7.9 * 1440, 8.1 * 1440],
  ['a signer that gives what is as good as over', { lifeMs: 1 }, 1, 1],
])('%s', async (_, world, least, most) => {
  for (const minutes of await intervals(world)) {
    expect(minutes).toBeGreaterThanOrEqual(least);
    expect(minutes).toBeLessThanOrEqual(most);
  }
});
