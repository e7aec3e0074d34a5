import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type Change, Store } from './store.ts';
import type { KubeObject } from './types.ts';

interface Thing extends KubeObject {
  node?: string;
}

function thing(name: string, uid: string, resourceVersion: string, node?: string): Thing {
  return { metadata: { namespace: 'ns', name, uid, resourceVersion }, ...(node && { node }) };
}

function recorded(store: Store<Thing>): string[] {
  const told: string[] = [];
  store.onChange(({ key, previous, current }: Change<Thing>) => {
    const show = (object: Thing | undefined) =>
      object ? `${object.metadata.uid}@${object.metadata.resourceVersion}` : '-';
    told.push(`${key} ${show(previous)} > ${show(current)}`);
  });
  return told;
}

const byNode = { node: (object: Thing) => (object.node ? [object.node] : []) };

test('additions, changes and deletions are told with what was before', () => {
  const store = new Store<Thing>();
  const told = recorded(store);
  store.set(thing('a', 'u1', '1'));
  store.set(thing('a', 'u1', '2'));
  store.remove('ns/a');
  store.remove('ns/a');
  expect(told).toEqual(['ns/a - > u1@1', 'ns/a u1@1 > u1@2', 'ns/a u1@2 > -']);
  expect(store.size).toBe(0);
});

test('the same name with another UID is a deletion and an addition', () => {
  const store = new Store<Thing>(byNode);
  const told = recorded(store);
  store.set(thing('a', 'u1', '1', 'n1'));
  store.set(thing('a', 'u2', '5', 'n2'));
  expect(told.slice(1)).toEqual(['ns/a u1@1 > -', 'ns/a - > u2@5']);
  expect(store.byIndex('node', 'n1')).toEqual([]);
  store.replace([thing('a', 'u3', '9', 'n1')]);
  expect(told.slice(3)).toEqual(['ns/a u2@5 > -', 'ns/a - > u3@9']);
  // Revisions of a server that was set up anew are no continuation of ours.
  store.replace([thing('a', 'u4', '9', 'n1')]);
  expect(told.slice(5)).toEqual(['ns/a u3@9 > -', 'ns/a - > u4@9']);
});

test('a list tells what vanished meanwhile as deleted with its last state, and what is unchanged not at all', () => {
  const store = new Store<Thing>();
  store.replace([thing('a', 'u1', '1'), thing('b', 'u2', '2'), thing('c', 'u3', '3')]);
  const told = recorded(store);
  store.replace([thing('b', 'u2', '2'), thing('c', 'u3', '7'), thing('d', 'u4', '8')]);
  expect(told).toEqual(['ns/a u1@1 > -', 'ns/c u3@3 > u3@7', 'ns/d - > u4@8']);
});

test('only a deletion that the server told of says so, with the last state', () => {
  const store = new Store<Thing>();
  const told: unknown[] = [];
  store.replace(['a', 'b', 'c'].map((name) => thing(name, name, '1')));
  store.onChange(({ key, current, deleted }) => {
    if (!current) told.push([key, deleted?.metadata.resourceVersion]);
  });
  store.remove('ns/a', thing('a', 'a', '2'));
  store.set(thing('b', 'another', '3'));
  store.replace([thing('b', 'another', '3')]);
  expect(told).toEqual([
    ['ns/a', '2'],
    ['ns/b', undefined],
    ['ns/c', undefined],
  ]);
});

test('it has synced after the first list, even an empty one, and not before', async () => {
  const store = new Store<Thing>();
  store.set(thing('a', 'u1', '1'));
  expect(store.hasSynced).toBe(false);
  store.replace([]);
  await store.synced;
  expect(store.hasSynced).toBe(true);
  expect([...store.keys()]).toEqual([]);
});

test('an index moves with its object, and an unknown index is refused', () => {
  const store = new Store<Thing>(byNode);
  store.set(thing('a', 'u1', '1'));
  expect(store.byIndex('node', 'n1')).toEqual([]);
  store.set(thing('a', 'u1', '2', 'n1'));
  expect(store.byIndex('node', 'n1').map((object) => object.metadata.name)).toEqual(['a']);
  store.set(thing('a', 'u1', '3', 'n2'));
  expect(store.byIndex('node', 'n1')).toEqual([]);
  expect(store.byIndex('node', 'n2')).toHaveLength(1);
  expect(() => store.byIndex('zone', 'z')).toThrow('the store has no index named zone');
});

test('a listener that throws keeps nothing from the others, and is reported', () => {
  const onListenerError = vi.fn<(error: unknown) => void>();
  const store = new Store<Thing>({}, { onListenerError });
  store.onChange(() => {
    throw new Error('cannot take it');
  });
  const told = recorded(store);
  store.set(thing('a', 'u1', '1'));
  expect(told).toHaveLength(1);
  expect(onListenerError).toHaveBeenCalledWith(new Error('cannot take it'));
});

test('a listener that ended its subscription hears no more', () => {
  const store = new Store<Thing>();
  const heard: string[] = [];
  const end = store.onChange(({ key }) => heard.push(key));
  store.set(thing('a', 'u1', '1'));
  end();
  store.set(thing('b', 'u2', '2'));
  expect(heard).toEqual(['ns/a']);
});

const things = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    uid: fc.constantFrom('u1', 'u2'),
    version: fc.integer({ min: 1, max: 4 }),
    node: fc.constantFrom('n1', 'n2', ''),
  }),
  { selector: ({ name }) => name },
);

test('whatever happens, what is told adds up to what is stored, and the index agrees', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ replace: things }),
      fc.record({ set: things.filter((list) => list.length > 0) }),
      fc.record({ remove: fc.constantFrom('a', 'b', 'c', 'd', 'e') }),
    ),
  );
  fc.assert(
    fc.property(steps, (script) => {
      const store = new Store<Thing>(byNode);
      const mirror = new Map<string, Thing>();
      store.onChange(({ key, previous, current }) => {
        expect(mirror.get(key)).toBe(previous);
        if (previous && current) expect(previous.metadata.uid).toBe(current.metadata.uid);
        if (current) mirror.set(key, current);
        else mirror.delete(key);
      });
      const build = (list: { name: string; uid: string; version: number; node: string }[]) =>
        list.map((item) => thing(item.name, item.uid, String(item.version), item.node));
      for (const step of script) {
        if ('replace' in step) {
          const list = build(step.replace);
          store.replace(list);
          expect([...store.keys()].toSorted()).toEqual(list.map((item) => `ns/${item.metadata.name}`).toSorted());
        } else if ('set' in step) for (const item of build(step.set)) store.set(item);
        else store.remove(`ns/${step.remove}`);
      }
      expect(new Map([...store.keys()].map((key) => [key, store.get(key)]))).toEqual(mirror);
      for (const node of ['n1', 'n2']) {
        const expected = [...store.values()].filter((object) => object.node === node);
        expect(new Set(store.byIndex('node', node))).toEqual(new Set(expected));
      }
    }),
  );
});
