/** The executor over real TLS on loopback, with API servers that refuse. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Reclaimer } from './executor.ts';
import type { PodStep } from './plan.ts';

const annotated = 'kubeocean.io/lease-closed';
let server: TestServer;
let ends: (() => Promise<void>)[] = [];
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(ends.map((end) => end()));
  ends = [];
  server.reset();
});

function step(kind: PodStep['kind'], name = 'p', namespace = 'w'): [string, PodStep] {
  return [name, { kind, namespace, name, uid: name, node: 'n', message: 'why', graceSeconds: 600 }];
}

/** A reclaimer, and what it asked for and was answered; `refuse` gives the code of what is refused, of `methods`. */
function world(refuse: (body: string) => number | undefined, methods = ['PATCH']) {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const told: string[] = [];
  server.answer = (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      const code = methods.includes(request.method ?? '') ? (refuse(body) ?? 200) : 200;
      const what = `${request.method} ${new URL(request.url ?? '', 'https://x').pathname.split('/pods/')[1]}`;
      asked.push(`${what}${body.includes(annotated) ? ' annotated' : ''} ${code}`);
      bodies.push(JSON.parse(body));
      response.statusCode = code;
      response.end(JSON.stringify(code < 300 ? {} : { kind: 'Status', code, reason: 'Invalid', message: 'no' }));
    });
  };
  const lead = { isCurrent: true, signal: new AbortController().signal };
  const results: string[] = [];
  const reclaimer = new Reclaimer({
    client: new KubeClient(server.transport()),
    events: {
      event: (_pod, type, reason, message) => void told.push(`${type} ${reason}: ${message}`),
      flush: () => Promise.resolve(),
    },
    log: createLogger('test', 'silent'),
    leadership: { signal: lead.signal, transitions: 0, leaseTime: () => new Date(0), isCurrent: () => lead.isCurrent },
    now: () => new Date(0),
    observe: (kind, result) => results.push(`${kind} ${result}`),
  });
  ends.push(() => reclaimer.stop());
  return { reclaimer, asked, bodies, told, results, lead };
}

function refuseAnnotations(body: string): number | undefined {
  return body.includes(annotated) ? 422 : undefined;
}

describe('a lent pod that has to go', () => {
  it.each<[PodStep['kind'], string]>([
    ['evict', 'POST p/eviction 200'],
    ['delete', 'DELETE p 200'],
    ['exceed', 'DELETE p 200'],
    ['stray', 'DELETE p 200'],
  ])('goes though its annotations are full (%s), and its condition says why', async (kind, end) => {
    const { reclaimer, asked, results } = world(refuseAnnotations);
    reclaimer.take(new Map([step(kind)]));
    await vi.waitFor(() => expect(results).toContain(`${kind} done`), 5000);
    expect(asked.slice(0, 3)).toEqual(['PATCH p/status annotated 422', 'PATCH p/status 200', end]);
    expect(results[0]).toBe('explain failed');
  });

  it.each([403, 400, 404, 409])('goes though nothing of it may be changed (%i)', async (code) => {
    const { reclaimer, asked, results } = world(() => code);
    reclaimer.take(new Map([step('delete')]));
    await vi.waitFor(() => expect(results).toContain('delete done'), 5000);
    expect(asked.at(-1)).toBe('DELETE p 200');
  });

  it('waits for an answer that may be another in a moment, but not for ever', async () => {
    const { reclaimer, asked, results } = world(() => 500);
    reclaimer.take(new Map([step('delete')]));
    await vi.waitFor(() => expect(results).toContain('delete done'), { timeout: 15_000, interval: 50 });
    expect(asked.filter((what) => what.startsWith('PATCH')).length).toBeGreaterThan(1);
    // Others do not wait once more for what fails for all.
    asked.length = 0;
    reclaimer.take(new Map([step('delete', 'q')]));
    await vi.waitFor(() => expect(asked).toContain('DELETE q 200'), 5000);
    expect(asked).toEqual(['PATCH q/status annotated 500', 'DELETE q 200']);
  }, 20_000);

  it('says why though all that are told at once are answered badly once', async () => {
    let failing = 16;
    const { reclaimer, asked } = world(() => (failing-- > 0 ? 503 : undefined));
    reclaimer.take(new Map(Array.from({ length: 16 }, (_, at) => step('delete', `p${at}`))));
    await vi.waitFor(() => expect(asked.filter((what) => what.startsWith('DELETE'))).toHaveLength(16), 5000);
    expect(asked.filter((what) => what.endsWith('annotated 200'))).toHaveLength(16);
  });

  it('goes though the step came up while a renewal of our leadership was late', async () => {
    const { reclaimer, asked, lead } = world(() => undefined);
    lead.isCurrent = false;
    const steps = new Map([step('delete')]);
    reclaimer.take(steps);
    lead.isCurrent = true;
    reclaimer.take(steps);
    await vi.waitFor(() => expect(asked).toContain('DELETE p 200'), 5000);
  });

  it('does not wait until all pods of another tenant are gone', async () => {
    const { reclaimer, asked } = world(() => undefined);
    const many = Array.from({ length: 300 }, (_, at) => step('delete', `many${at}`, 'other'));
    reclaimer.take(new Map([...many, step('delete')]));
    await vi.waitFor(() => expect(asked).toContain('DELETE p 200'), 5000);
    expect(asked.filter((what) => what.startsWith('DELETE')).length).toBeLessThan(100);
  });

  it('says what keeps it when that lasts: a webhook, or two disruption budgets', async () => {
    const blocked = () => told.filter((event) => event.includes('ReclaimBlocked'));
    const { reclaimer, told, results } = world(() => (blocked().length < 2 ? 500 : undefined), ['POST', 'DELETE']);
    const [name, evicted] = step('evict');
    reclaimer.take(new Map([[name, { ...evicted, deadline: '2026-11-20T12:10:00Z' }], step('delete', 'q')]));
    await vi.waitFor(() => expect(results.filter((result) => result.endsWith(' done'))).toHaveLength(2), 60_000);
    expect(blocked().sort()).toEqual([
      'Warning ReclaimBlocked: no; tried again',
      'Warning ReclaimBlocked: no; tried again until 2026-11-20T12:10:00Z, then deleted',
    ]);
  }, 90_000);

  const asGiven = { preconditions: { uid: 'p' }, gracePeriodSeconds: 600 };
  it.each<[PodStep['kind'], string, object]>([
    ['evict', 'POST p/eviction 200', { deleteOptions: asGiven }],
    ['delete', 'DELETE p 200', asGiven],
    ['exceed', 'DELETE p 200', asGiven],
    ['stray', 'DELETE p 200', asGiven],
    ['expel', 'DELETE p 200', asGiven],
    ['shorten', 'DELETE p 200', asGiven],
    ['unfollow', 'DELETE p 200', { preconditions: { uid: 'p' } }],
  ])('is no namesake that was made meanwhile, and has the grace that it is given (%s)', async (kind, end, body) => {
    const { reclaimer, asked, bodies, results } = world(() => undefined);
    reclaimer.take(new Map([step(kind)]));
    await vi.waitFor(() => expect(results).toContain(`${kind} done`), 25_000);
    expect(bodies[asked.indexOf(end)]).toMatchObject(body);
    for (const [at, what] of asked.entries()) {
      if (what.startsWith('PATCH')) expect(bodies[at]).toMatchObject({ metadata: { uid: 'p' } });
    }
  });

  it('is tried again while a disruption budget keeps it, which is told once, and says why after its eviction too', async () => {
    let refusals = 2;
    const { reclaimer, asked, told, results } = world(() => (refusals-- > 0 ? 429 : undefined), ['POST']);
    const [name, evicted] = step('evict');
    reclaimer.take(new Map([[name, { ...evicted, deadline: '2026-11-20T12:10:00Z' }]]));
    await vi.waitFor(() => expect(results).toContain('evict done'), { timeout: 60_000, interval: 50 });
    expect(results).toEqual(['evict refused', 'evict refused', 'evict done']);
    expect(told).toEqual([
      'Warning ReclaimBlocked: no; tried again until 2026-11-20T12:10:00Z, then deleted',
      'Normal Reclaimed: Evicted: why',
    ]);
    // Told once before. The Eviction API puts its own words in the place of ours.
    expect(asked).toEqual([
      'PATCH p/status annotated 200',
      'POST p/eviction 429',
      'POST p/eviction 429',
      'POST p/eviction 200',
      'PATCH p/status annotated 200',
    ]);
  }, 90_000);

  it('is not told at each try that its annotations do not take why it goes, but once more for another step', async () => {
    let refusals = 2;
    const refuse = (body: string) =>
      body.includes('Eviction') ? (refusals-- > 0 ? 429 : 200) : refuseAnnotations(body);
    const { reclaimer, asked, results } = world(refuse, ['POST', 'PATCH']);
    const told = () => asked.filter((what) => what.startsWith('PATCH'));
    reclaimer.take(new Map([step('evict')]));
    await vi.waitFor(() => expect(results.filter((result) => result === 'evict refused')).toHaveLength(2), 25_000);
    expect(told()).toEqual(['PATCH p/status annotated 422', 'PATCH p/status 200']);
    reclaimer.take(new Map([step('delete')]));
    await vi.waitFor(() => expect(results).toContain('delete done'), 25_000);
    expect(told()).toHaveLength(4);
  }, 60_000);

  it('is not said to be kept by anything when the API server has too much to do for a moment', async () => {
    const { reclaimer, asked, told, results } = world(() => undefined);
    const serve = server.answer;
    let busy = 1;
    // https://github.com/kubernetes/apiserver/blob/v0.35.0/pkg/server/filters/priority-and-fairness.go, tooManyRequests
    server.answer = (request, response) => {
      if (request.method !== 'POST' || busy-- <= 0) return serve(request, response);
      asked.push('POST 429');
      return response.writeHead(429, { 'retry-after': '1' }).end('Too many requests, please try again later.\n');
    };
    reclaimer.take(new Map([step('evict')]));
    await vi.waitFor(() => expect(results).toContain('evict done'), 25_000);
    expect(asked).toContain('POST 429');
    expect(told).toEqual(['Normal Reclaimed: Evicted: why']);
    expect(results).toEqual(['evict failed', 'evict done']);
  });

  it.each<[PodStep['kind'], PodStep['kind'] | undefined, string[]]>([
    ['evict', undefined, ['Normal Reclaimed: Evicted: why']],
    ['evict', 'explain', ['Normal Reclaimed: Evicted: why']],
    ['expel', undefined, ['Warning NotLent: Deleted: why']],
    ['delete', 'shorten', ['Warning ReclaimDeadline: Deleted at the deadline: why']],
    ['evict', 'retract', []],
  ])('is told of it once when %s got no answer and the plan has %s for it by then', async (kind, then, events) => {
    const { reclaimer, told, results } = world(() => undefined);
    const serve = server.answer;
    server.answer = (request, response) =>
      request.method === 'PATCH' ? serve(request, response) : request.resume().on('end', () => response.destroy());
    reclaimer.take(new Map([step(kind)]));
    await vi.waitFor(() => expect(results).toContain(`${kind} failed`), 5000);
    expect(told).toEqual([]);
    server.answer = serve;
    for (let looks = 0; looks < 2; looks++) reclaimer.take(new Map(then ? [step(then)] : []));
    expect(told).toEqual(events);
  });

  it('is not said to have gone, when its end got no answer, while the plan has it, nor when a budget kept it then', async () => {
    const { reclaimer, told, results } = world(() => 429, ['POST']);
    const serve = server.answer;
    server.answer = (request, response) =>
      request.method === 'PATCH' ? serve(request, response) : request.resume().on('end', () => response.destroy());
    for (let looks = 0; looks < 2; looks++) {
      reclaimer.take(new Map([step('evict')]));
      await vi.waitFor(() => expect(results).toContain('evict failed'), 5000);
      server.answer = serve;
    }
    expect(told).toEqual([]);
    await vi.waitFor(() => expect(results).toContain('evict refused'), 5000);
    reclaimer.take(new Map());
    expect(told).toEqual(['Warning ReclaimBlocked: no; tried again']);
  });

  const words = { type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed', message: 'why' };
  it.each<[PodStep['kind'], object]>([
    ['explain', { metadata: { annotations: { [annotated]: 'why' } }, status: { conditions: [words] } }],
    [
      'retract',
      {
        metadata: { annotations: { [annotated]: null } },
        status: { conditions: [{ type: 'DisruptionTarget', $patch: 'delete' }] },
      },
    ],
  ])('is told why it goes, or no longer (%s)', async (kind, body) => {
    const { reclaimer, asked, bodies, results } = world(() => undefined);
    reclaimer.take(new Map([step(kind)]));
    await vi.waitFor(() => expect(results).toEqual([`${kind} done`]), 25_000);
    expect(asked).toEqual(['PATCH p/status annotated 200']);
    expect(bodies).toMatchObject([body]);
    expect(bodies).toMatchObject([{ metadata: { uid: 'p' } }]);
  });

  it('is no failure when it is gone by then', async () => {
    const { reclaimer, asked, results } = world((body) => (body.includes('"uid":"p"') ? 404 : undefined), ['DELETE']);
    reclaimer.take(new Map([step('delete'), step('delete', 'q')]));
    await vi.waitFor(() => expect(asked).toEqual(expect.arrayContaining(['DELETE p 404', 'DELETE q 200'])), 25_000);
    await reclaimer.stop();
    expect(results).toEqual(['delete done']);
  });

  it.each<PodStep['kind']>(['evict', 'delete', 'exceed', 'stray'])(
    'stays where that is called off while it is told why it goes (%s)',
    async (kind) => {
      const { reclaimer, asked } = world((body) => {
        if (body.includes('"LeaseClosed"')) reclaimer.take(new Map([step('retract')]));
        return undefined;
      });
      reclaimer.take(new Map([step(kind)]));
      await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1), 25_000);
      await reclaimer.stop();
      expect(asked).toEqual(['PATCH p/status annotated 200', 'PATCH p/status annotated 200']);
    },
  );

  it('is left alone while nobody knows who leads', async () => {
    const { reclaimer, asked, lead } = world(() => ((lead.isCurrent = false), undefined));
    reclaimer.take(new Map([step('delete')]));
    await vi.waitFor(() => expect(asked).toHaveLength(1), 5000);
    await reclaimer.stop();
    expect(asked).toEqual(['PATCH p/status annotated 200']);
  });
});

describe('a pod whose end nobody will show at home', () => {
  it('is deleted before its finalizer goes: an agent that dies in between leaves one that the next one finds', async () => {
    const { reclaimer, asked } = world(() => undefined);
    reclaimer.take(new Map([step('unfollow')]));
    await vi.waitFor(() => expect(asked).toHaveLength(2), 5000);
    expect(asked).toEqual(['DELETE p 200', 'PATCH p 200']);
  });
});
