/** Lists in pages, from a server of the tests' own; real API servers page in e2e/kube.test.ts. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { TestServer } from '../testing/api-server.ts';
import { KubeClient } from './client.ts';
import { ConfigMaps, Pods } from './resources.ts';
import type { KubeObject, Resource } from './types.ts';

let server: TestServer;
/** Tokens that were asked for, '' for the first page. */
let asked: string[] = [];

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  asked = [];
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** Answers with page after page of one object each; `sorted` as custom resources' lists are written. */
function serve(pages: number, { sorted = false, failing = '' } = {}): void {
  server.answer = (request, response) => {
    const query = new URL(request.url ?? '', 'https://server').searchParams;
    const token = query.get('continue') ?? '';
    expect(query.get('limit')).toBe('1');
    asked.push(token);
    if (token !== '' && token === failing) {
      response.statusCode = 410;
      response.end(JSON.stringify({ reason: 'Expired', code: 410 }));
      return;
    }
    const number = Number(token || '0');
    const metadata = { resourceVersion: '5', ...(number + 1 < pages && { continue: `${number + 1}` }) };
    const items = [{ metadata: { name: `pod-${number}`, managedFields: [{ manager: 'x' }] }, spec: { n: number } }];
    const head = { kind: 'List', apiVersion: 'v1' };
    response.end(JSON.stringify(sorted ? { items, ...head, metadata } : { ...head, metadata, items }));
  };
}

async function readAll(resource: Resource = Pods): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  const client = new KubeClient(server.transport());
  for await (const page of client.pages(resource, { limit: 1 })) objects.push(...page.items);
  return objects;
}

const object = (number: number) => ({ metadata: { name: `pod-${number}` }, spec: { n: number } });

describe('pages of a list', () => {
  test.each([
    ['pods', Pods, false],
    ['another kind', ConfigMaps, false],
    ['custom resources', ConfigMaps, true],
  ])('of %s come one after the other, without managedFields', async (_, resource, sorted) => {
    serve(3, { sorted });
    expect(await readAll(resource)).toEqual([object(0), object(1), object(2)]);
    expect(asked).toEqual(['', '1', '2']);
  });

  test('are asked for one ahead of the one that is looked at, and no further', async () => {
    serve(5);
    const pages = new KubeClient(server.transport()).pages(Pods, { limit: 1 });
    await pages.next();
    await vi.waitFor(() => expect(asked).toEqual(['', '1']));
    // Nobody looks at the second one yet.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked).toEqual(['', '1']);
    await pages.next();
    await vi.waitFor(() => expect(asked).toEqual(['', '1', '2']));
    await pages.return(undefined);
  });

  test('end with an error when one fails, which is told when it is its turn', async () => {
    serve(3, { failing: '1' });
    const pages = new KubeClient(server.transport()).pages(Pods, { limit: 1 });
    expect((await pages.next()).value?.items).toEqual([object(0)]);
    await vi.waitFor(() => expect(asked).toEqual(['', '1']));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(pages.next()).rejects.toMatchObject({ code: 410 });
  });

  test('that nobody wants any more ask for nothing', async () => {
    serve(3, { failing: '1' });
    for await (const page of new KubeClient(server.transport()).pages(Pods, { limit: 1 })) {
      expect(page.items).toHaveLength(1);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked).toEqual(['', '1']);
  });

  test('of an empty list of metadata only have no items', async () => {
    server.answer = (_, response) => response.end('{"metadata":{"resourceVersion":"5"},"items":null}');
    expect(await readAll()).toEqual([]);
  });
});
