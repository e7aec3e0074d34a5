import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import type { KubeClient } from './client.ts';
import { createReflector, type ReflectorOptions } from './reflector.ts';
import { ConfigMaps } from './resources.ts';
import type { Change } from './store.ts';
import type { KubeList, KubeObject } from './types.ts';

function named(name: string, resourceVersion: string, rest: { uid?: string; data?: string } = {}): KubeObject {
  const { uid = `u-${name}`, data = '' } = rest;
  return { metadata: { namespace: 'a', name, uid, resourceVersion }, data };
}

/** Gives these lists, one after the other, and tells of these events in the first watch, to its end. @returns what was told */
async function changesOf(
  lists: KubeObject[][],
  events: { type: string; object: object }[],
  project: NonNullable<ReflectorOptions<KubeObject>['project']>,
): Promise<Change<KubeObject>[]> {
  async function* pages(): AsyncGenerator<KubeList> {
    yield { items: lists.shift() ?? [], metadata: { resourceVersion: '1' } };
  }
  let opened = 0;
  const stream = async (): Promise<unknown> => {
    if (opened++ > 0) return new Promise(() => undefined);
    const text = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    return Object.assign(Readable.from([Buffer.from(text)]), { headers: {}, socket: { setTimeout: () => undefined } });
  };
  const stop = new AbortController();
  const reflector = createReflector({ pages, transport: { stream } } as unknown as KubeClient, {
    resource: ConfigMaps,
    random: () => 0,
    project,
  });
  const told: Change<KubeObject>[] = [];
  reflector.store.onChange((change) => told.push(change));
  void reflector.run(stop.signal);
  await vi.waitFor(() => expect(opened).toBe(2), 10_000);
  stop.abort();
  return told;
}

test('a deletion that a watch tells of is told apart from what a later list only lacks', async () => {
  const lists = [[named('asked', '1'), named('left-out', '1'), named('vanished', '1')], []];
  const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
  const events = [
    { type: 'DELETED', object: named('asked', '5', { data: 'last' }) },
    { type: 'MODIFIED', object: named('left-out', '6', { data: 'other' }) },
    { type: 'ERROR', object: expired },
  ];
  const told = await changesOf(lists, events, (object) => (object['data'] === 'other' ? undefined : object));
  const ends = told.filter(({ current }) => !current);
  expect(ends.map(({ key, deleted }) => [key, deleted?.metadata.resourceVersion])).toEqual([
    ['a/asked', '5'],
    ['a/left-out', undefined],
    ['a/vanished', undefined],
  ]);
});

test('what is deleted goes, and a namesake is another, also where of an object nothing but its name is kept', async () => {
  const events = [
    { type: 'DELETED', object: named('gone', '5') },
    { type: 'ADDED', object: named('again', '6', { uid: 'next' }) },
    { type: 'DELETED', object: named('again', '7', { uid: 'u-again' }) },
  ];
  const told = await changesOf([[named('gone', '1'), named('again', '1')]], events, ({ metadata }) => {
    const { namespace = '', name } = metadata;
    return { metadata: { namespace, name } };
  });
  expect(told.map(({ key, current }) => [key, current?.metadata.uid])).toEqual([
    ['a/gone', 'u-gone'],
    ['a/again', 'u-again'],
    ['a/gone', undefined],
    ['a/again', undefined],
    ['a/again', 'next'],
  ]);
});
