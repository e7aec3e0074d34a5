import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KubeClient } from './client.ts';
import { messageOf } from './errors.ts';
import { backOffMs, createReflector } from './reflector.ts';
import { ConfigMaps } from './resources.ts';
import { isOlder } from './revisions.ts';
import type { KubeList } from './types.ts';

test('waits from 0.8 s doubling to 30 s, half of it by chance', () => {
  expect([1, 2, 3, 6, 7, 50].map((failures) => backOffMs(failures, () => 1))).toEqual([
    800, 1600, 3200, 25_600, 30_000, 30_000,
  ]);
  expect(backOffMs(1, () => 0)).toBe(400);
});

test.each([
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['99999999999999999998', '99999999999999999999', true],
  ['', '5', false],
  ['abc', '5', false],
])('revision %s comes before %s: %s', (a, b, older) => {
  expect(isOlder(a, b)).toBe(older);
});

test('an object that cannot be read is told of and stays as it was; all others are seen', async () => {
  const named = (name: string, resourceVersion: string, data = 'good') => ({
    metadata: { namespace: 'a', name, uid: `u-${name}`, resourceVersion },
    data,
  });
  const events = [
    { type: 'MODIFIED', object: named('known', '2', 'bad') },
    { type: 'ADDED', object: named('new', '3', 'bad') },
    { type: 'ADDED', object: named('after', '4') },
    { type: 'DELETED', object: named('gone', '5', 'bad') },
  ];
  async function* pages(): AsyncGenerator<KubeList> {
    const items = [named('known', '1'), named('gone', '1'), named('never', '1', 'bad')];
    yield { items, metadata: { resourceVersion: '1' } };
  }
  let opened = 0;
  const stream = async (): Promise<unknown> => {
    if (opened++ > 0) return new Promise(() => undefined);
    const text = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    return Object.assign(Readable.from([Buffer.from(text)]), { headers: {}, socket: { setTimeout: () => undefined } });
  };
  const errors: string[] = [];
  const stop = new AbortController();
  const reflector = createReflector({ pages, transport: { stream } } as unknown as KubeClient, {
    resource: ConfigMaps,
    onError: (error, doing) => errors.push(`${doing}: ${messageOf(error)}`),
    project(object) {
      if (object['data'] === 'bad') throw new Error('no data');
      return object;
    },
  });
  void reflector.run(stop.signal);
  await vi.waitFor(() => expect(opened).toBe(2));
  stop.abort();
  const seen = Object.fromEntries(
    [...reflector.store.values()].map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
  );
  expect(seen).toEqual({ known: '1', after: '4' });
  expect(reflector.lists).toBe(1);
  expect(errors).toEqual(
    ['list: never', 'watch: known', 'watch: new', 'watch: gone'].map((text) => {
      const [doing, name] = text.split(': ');
      return `${doing}: ConfigMap a/${name} cannot be read, stays as it was: no data`;
    }),
  );
});

describe('a server that ends each watch at once', () => {
  const MOST = 30;
  let opened = 0;
  let stop: AbortController;

  /** Answers watch after watch with the line that `next` gives, and ends it. Stands still after so many. */
  function serverThatSays(next: (revision: number) => object): KubeClient {
    const stream = async (): Promise<unknown> => {
      if (opened === MOST) return new Promise(() => undefined);
      opened++;
      const response = Readable.from([Buffer.from(`${JSON.stringify(next(opened))}\n`)]);
      return Object.assign(response, { headers: {}, socket: { setTimeout: () => undefined } });
    };
    async function* pages(): AsyncGenerator<KubeList> {
      yield { items: [], metadata: { resourceVersion: '0' } };
    }
    return { pages, transport: { stream } } as unknown as KubeClient;
  }

  async function within(ms: number, client: KubeClient) {
    const errors: unknown[] = [];
    const options = { resource: ConfigMaps, onError: (error: unknown) => errors.push(error), random: () => 0 };
    const reflector = createReflector(client, options);
    void reflector.run(stop.signal);
    for (let passed = 0; passed < ms; passed += 10) await vi.advanceTimersByTimeAsync(10);
    expect(errors).toEqual([]);
    return reflector.store;
  }

  beforeEach(() => {
    opened = 0;
    stop = new AbortController();
    vi.useFakeTimers();
  });
  afterEach(() => {
    stop.abort();
    vi.useRealTimers();
  });

  test('but tells of a change in each is asked again without a pause', async () => {
    const client = serverThatSays((revision) => ({
      type: 'ADDED',
      object: {
        metadata: { namespace: 'a', name: `m${revision}`, uid: `u${revision}`, resourceVersion: `${revision}` },
      },
    }));
    const store = await within(1000, client);
    expect([...store.keys()]).toHaveLength(MOST);
  });

  test('and tells of nothing is asked more and more rarely', async () => {
    const client = serverThatSays((revision) => ({
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: `${revision}` } },
    }));
    await within(10_000, client);
    // After 0, 0.4, 1.2, 2.8 and 6 seconds.
    expect(opened).toBe(5);
  });

  test('and tells of something only once is asked more and more rarely from then on', async () => {
    const client = serverThatSays((revision) => ({
      type: revision === 1 ? 'ADDED' : 'BOOKMARK',
      object: { metadata: { namespace: 'a', name: 'm', uid: 'u', resourceVersion: `${revision}` } },
    }));
    await within(10_000, client);
    expect(opened).toBe(6);
  });

  test('because it has forgotten the revision of the list is asked for all it has more and more rarely', async () => {
    const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
    const client = serverThatSays(() => ({ type: 'ERROR', object }));
    const reflector = createReflector(client, { resource: ConfigMaps, random: () => 0 });
    void reflector.run(stop.signal);
    for (let passed = 0; passed < 10_000; passed += 10) await vi.advanceTimersByTimeAsync(10);
    expect(reflector.lists).toBe(5);
  });
});

describe('what answers is no API server for a while', () => {
  const object = { metadata: { namespace: 'a', name: 'kept', uid: 'u', resourceVersion: '1' } };
  const json = { 'content-type': 'application/json' };

  test('its page is no watch: that is told, and no sign of life', async () => {
    const watches = [
      () => Object.assign(Readable.from([Buffer.from('<html></html>')]), { headers: { 'content-type': 'text/html' } }),
      () => Object.assign(Readable.from([]), { headers: json, socket: { setTimeout: () => undefined } }),
    ];
    async function* pages(): AsyncGenerator<KubeList> {
      yield { items: [object], metadata: { resourceVersion: '1' } };
    }
    const list = (): Promise<KubeList> => Promise.resolve({ items: [object], metadata: { resourceVersion: '1' } });
    const stream = async (): Promise<unknown> => watches.shift()?.() ?? new Promise(() => undefined);
    const happened: string[] = [];
    const stop = new AbortController();
    const reflector = createReflector({ pages, list, transport: { stream } } as unknown as KubeClient, {
      resource: ConfigMaps,
      random: () => 0,
      onError: (error) => happened.push(messageOf(error)),
      onContact: () => happened.push('contact'),
    });
    void reflector.run(stop.signal);
    await vi.waitFor(() => expect(reflector.watches).toBe(1), 10_000);
    stop.abort();
    const page = 'the answer is text/html and no watch: what answers is no API server';
    // The list, the page, the sample that is compared after it, the watch.
    expect(happened).toEqual(['contact', page, 'contact', 'contact']);
  });

  test('a list without a revision empties no store', async () => {
    const lists = [
      { items: [object], metadata: { resourceVersion: '1' } },
      { items: [], metadata: {} } as unknown as KubeList,
      { items: [object], metadata: { resourceVersion: '2' } },
    ];
    async function* pages(): AsyncGenerator<KubeList> {
      const next = lists.shift();
      if (next) yield next;
    }
    const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
    let opened = 0;
    const stream = async (): Promise<unknown> => {
      if (opened++ > 0) return new Promise(() => undefined);
      const line = Buffer.from(`${JSON.stringify({ type: 'ERROR', object: expired })}\n`);
      return Object.assign(Readable.from([line]), { headers: json, socket: { setTimeout: () => undefined } });
    };
    const stop = new AbortController();
    const errors: string[] = [];
    const reflector = createReflector({ pages, transport: { stream } } as unknown as KubeClient, {
      resource: ConfigMaps,
      random: () => 0,
      onError: (error) => errors.push(messageOf(error)),
    });
    const gone: string[] = [];
    reflector.store.onChange(({ key, current }) => void (current ?? gone.push(key)));
    void reflector.run(stop.signal);
    await vi.waitFor(() => expect(opened).toBe(2), 10_000);
    stop.abort();
    expect([gone, reflector.lists]).toEqual([[], 2]);
    expect(errors).toContain('the answer is no list of configmaps: it names no resourceVersion');
  });
});

test.each<[string, string, number]>([
  ['was another at our revision: its state was put back and went on', '4', 2],
  ['has changed since', '8', 1],
])('a server that comes back with an object that %s', async (_, version, lists) => {
  const object = (resourceVersion: string) => ({
    metadata: { namespace: 'a', name: 'm', uid: 'u', resourceVersion },
  });
  let listed = 0;
  async function* pages(): AsyncGenerator<KubeList> {
    const first = listed++ === 0;
    yield { items: [object(first ? '3' : version)], metadata: { resourceVersion: first ? '5' : '9' } };
  }
  const list = (): Promise<KubeList> =>
    Promise.resolve({ items: [object(version)], metadata: { resourceVersion: '9' } });
  let opened = 0;
  const stream = async (): Promise<unknown> => {
    if (opened++ === 0) throw new Error('connection reset');
    return new Promise(() => undefined);
  };
  const stop = new AbortController();
  const reflector = createReflector({ pages, list, transport: { stream } } as unknown as KubeClient, {
    resource: ConfigMaps,
    random: () => 0,
  });
  void reflector.run(stop.signal);
  await vi.waitFor(() => expect(opened).toBe(2), 20_000);
  stop.abort();
  expect(reflector.lists).toBe(lists);
});

test('a server that is down for hours is told of now and then, and of another cause at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    let cause = 'refused';
    let failures = 0;
    const news: string[] = [];
    // oxlint-disable-next-line require-yield
    async function* pages(): AsyncGenerator<KubeList> {
      throw new Error(cause);
    }
    const stop = new AbortController();
    const reflector = createReflector({ pages } as unknown as KubeClient, {
      resource: ConfigMaps,
      random: () => 0,
      onError(error, _, isNews) {
        failures++;
        if (isNews) news.push(messageOf(error));
      },
    });
    void reflector.run(stop.signal);
    await vi.advanceTimersByTimeAsync(8 * 3_600_000);
    expect(failures).toBeGreaterThan(1900);
    expect(news.length).toBeLessThan(20);
    cause = 'Unauthorized';
    await vi.advanceTimersByTimeAsync(30_000);
    expect(news.slice(-2)).toEqual(['Unauthorized', 'Unauthorized']);
    stop.abort();
  } finally {
    vi.useRealTimers();
  }
});
