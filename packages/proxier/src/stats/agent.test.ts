/** Asking the agent, with the worker's API server in its place over real TLS on loopback. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KubeClient, sleep } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createAgentClient } from './agent.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A client of an agent that answers so. */
function client(answer: Answer, deadlineMs?: number, slowMs?: number) {
  server.answer = (request, response) => {
    if (request.url?.includes('/selfsubjectreviews')) {
      response.end(JSON.stringify({ status: { userInfo: { username: 'system:serviceaccount:mount:syncer' } } }));
    } else if (request.url?.includes('/token')) response.end(JSON.stringify({ status: { token: 't' } }));
    else answer(request, response);
  };
  return createAgentClient(new KubeClient(server.transport()), deadlineMs, slowMs);
}

/** Something else that the server is asked, over a connection of its own. */
async function createReview(): Promise<void> {
  const transport = server.transport();
  await transport.call({ method: 'GET', path: '/selfsubjectreviews' });
  transport.close();
}

function busy(response: ServerResponse, retryAfterSeconds = '0.01'): void {
  response.writeHead(429, { 'content-type': 'text/plain', 'retry-after': retryAfterSeconds }).end('too many at once\n');
}

it('of one replica six questions are open at once, however many ask', async () => {
  const waiting: ServerResponse[] = [];
  let most = 0;
  const ask = client((_, response) => {
    waiting.push(response);
    most = Math.max(most, waiting.length);
  });
  const all = Array.from({ length: 40 }, (_, at) => ask(`node-${at}`, 'metrics/resource'));
  await vi.waitFor(() => expect(waiting.length).toBe(6), { timeout: 5000, interval: 1 });
  // Whatever else was on its way has come by then.
  for (let other = 0; other < 50; other++) await createReview();
  for (let done = 0; done < 40; done++) {
    await vi.waitFor(() => expect(waiting.length).toBe(Math.min(6, 40 - done)), { timeout: 5000, interval: 1 });
    waiting.shift()?.end('m 1\n');
  }
  expect(new Set(await Promise.all(all))).toEqual(new Set(['m 1\n']));
  expect(most).toBe(6);
});

it('an agent that is busy is asked again, and nobody hears of it', async () => {
  let asked = 0;
  const ask = client((_, response) => (++asked < 4 ? busy(response) : response.end('m 1\n')));
  expect(await ask('n', 'metrics/resource')).toBe('m 1\n');
  expect(asked).toBe(4);
});

it.each([-1, 1e-9, 'soon'])(
  'a busy answer that asks for %j seconds is not followed at once',
  async (retryAfterSeconds) => {
    const askedAt: number[] = [];
    const ask = client((_, response) => {
      askedAt.push(performance.now());
      if (askedAt.length > 1) return response.end('m 1\n');
      return response.writeHead(429).end(JSON.stringify({ kind: 'Status', details: { retryAfterSeconds } }));
    });
    expect(await ask('n', 'metrics/resource')).toBe('m 1\n');
    const [first = 0, second = 0] = askedAt;
    expect(second - first).toBeGreaterThan(140);
  },
);

it('an agent that stays busy is 503 with its words, and not waited for beyond the time that there is', async () => {
  let asked = 0;
  const ask = client((_, response) => busy(response, ++asked < 3 ? '0.01' : '60'), 30_000);
  const began = performance.now();
  await expect(ask('n', 'metrics/resource')).rejects.toMatchObject({
    code: 503,
    message: 'no metrics: the worker has too much to do at the moment: too many at once',
  });
  expect(asked).toBe(3);
  expect(performance.now() - began).toBeLessThan(20_000);
});

it('other refusals are not asked again', async () => {
  let asked = 0;
  const ask = client((_, response) => {
    asked++;
    response.writeHead(504).end('the kubelet is silent\n');
  });
  await expect(ask('n', 'metrics/resource')).rejects.toMatchObject({ code: 504 });
  expect(asked).toBe(1);
});

it('an agent that says nothing is 504', async () => {
  const ask = client(() => undefined, 100);
  await expect(ask('n', 'metrics/resource')).rejects.toMatchObject({
    code: 504,
    message: "no metrics: the worker's agent gave no answer within 0.1 s",
  });
});

it('nodes that are hung keep the others waiting once, and not again', async () => {
  const hung: string[] = [];
  let hangs = true;
  const ask = client(
    ({ url = '' }, response) => (hangs && url.includes('hung') ? hung.push(url) : response.end('m 1\n')),
    5000,
    100,
  );
  const askAll = (signal: AbortSignal) =>
    Promise.allSettled(Array.from({ length: 12 }, (_, at) => ask(`hung-${at}`, 'metrics/resource', signal)));
  /** Asks all until so many questions are with the agent, and for longer than an answer may take. */
  const askHung = async (questions: number) => {
    hung.length = 0;
    const gone = new AbortController();
    const all = askAll(gone.signal);
    await vi.waitFor(() => expect(hung).toHaveLength(questions), { timeout: 5000, interval: 5 });
    await sleep(110);
    expect(hung).toHaveLength(questions);
    gone.abort();
    await all;
  };
  await askHung(6);
  // Those that were in line are no slower than others, as far as is known: six of them, and two that are.
  await askHung(8);
  const gone = new AbortController();
  const again = askAll(gone.signal);
  hung.length = 0;
  expect(await ask('sound', 'metrics/resource', AbortSignal.timeout(5000))).toBe('m 1\n');
  expect(hung.length).toBeLessThanOrEqual(2);
  gone.abort();
  await again;
  // Those that answer again are like any other.
  hangs = false;
  await askAll(AbortSignal.timeout(5000));
  hangs = true;
  await askHung(6);
});

it('what nobody waits for any more is neither asked nor waited for', async () => {
  const asked: string[] = [];
  let closed = 0;
  const ask = client((request, response) => {
    asked.push(request.url ?? '');
    response.on('close', () => closed++);
  });
  const gone = new AbortController();
  const all = Array.from({ length: 20 }, (_, at) => ask(`node-${at}`, 'metrics/resource', gone.signal));
  const ended = Promise.allSettled(all);
  await vi.waitFor(() => expect(asked.length).toBe(6), { timeout: 5000, interval: 5 });
  gone.abort(new Error('client gone'));
  expect((await ended).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'rejected'));
  await vi.waitFor(() => expect(closed).toBe(6), { timeout: 5000, interval: 5 });
  expect(asked.length).toBe(6);
});
