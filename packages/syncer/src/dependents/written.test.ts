import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { createWritten } from './written.ts';

function copy(resourceVersion: string): KubeObject {
  return { metadata: { namespace: 'mount', name: 'a', uid: 'u', resourceVersion, annotations: {} } };
}

test('our own write counts until the watch has caught up', () => {
  const store = new Store<KubeObject>();
  const written = createWritten(store, 'mount');
  store.set(copy('9'));
  written.note(copy('11'));
  store.set(copy('10'));
  expect(written.latest('a')?.metadata.resourceVersion).toBe('11');
  store.set(copy('12'));
  expect(written.latest('a')?.metadata.resourceVersion).toBe('12');
});

test('revisions that are no numbers keep nothing from being known', () => {
  const failed: unknown[] = [];
  const store = new Store<KubeObject>({}, { onListenerError: (error) => failed.push(error) });
  const written = createWritten(store, 'mount');
  written.note(copy('x1'));
  store.set(copy('x2'));
  written.note(copy('x2'));
  expect(failed).toEqual([]);
  expect(written.latest('a')?.metadata.resourceVersion).toBe('x2');
});

test('a copy that went before the answer to its writing came is not there; one made after that is', async () => {
  const store = new Store<KubeObject>();
  const written = createWritten(store, 'mount');
  async function writes(revision: number): Promise<void> {
    await written.alone('a', async () => {
      store.set(copy(String(revision)));
      store.remove('mount/a', copy('12'));
      written.note(copy(String(revision)));
    });
  }
  await writes(11);
  expect(written.latest('a')).toBeUndefined();
  await writes(13);
  expect(written.latest('a')?.metadata.resourceVersion).toBe('13');
});
