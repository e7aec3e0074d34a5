/** Which object of the mount namespace a copy is written to, or taken away from: never to one that is not ours. */
import { Label } from '@kubeocean/shared/api';
import { ApiError, ConfigMaps, type KubeObject } from '@kubeocean/shared/kube';
import { beforeEach, describe, expect, test } from 'vitest';
import { WritesHeld } from '../gate.ts';
import { bindingUID, copyName, pathOfCopy, serveClusters, type World } from './copies-fixtures.ts';
import { ForeignObject, removeCopy, writeCopy } from './write-copy.ts';

const served = serveClusters();
const path = pathOfCopy('configmap');
const labels = { [Label.bindingUID]: bindingUID };
let world: World;
/** Bodies of the writes. */
let bodies: KubeObject[];

beforeEach(() => {
  world = served.world();
  bodies = [];
  served.refuse = (_, body) => void bodies.push(body as KubeObject);
});

const desired = (): KubeObject => ({ metadata: { name: copyName, namespace: 'mount', labels }, data: { a: 'new' } });
const write = (formerUID?: string) =>
  writeCopy(world.context, ConfigMaps, world.written.configmap, desired(), formerUID);
const remove = () => removeCopy(world.context, ConfigMaps, world.written.configmap, copyName);

function stands(more: Partial<KubeObject['metadata']> = { labels }): KubeObject {
  const metadata = { name: copyName, namespace: 'mount', uid: 'u', resourceVersion: '7', ...more };
  const object = { metadata, data: { a: 'old' } };
  served.objects.set(path, object);
  return object;
}

function known(more?: Partial<KubeObject['metadata']>): void {
  world.stored.configmap.set(stands(more));
}

describe('an object that stands where a copy belongs, and that the watch does not tell of,', () => {
  test.each<[string, Partial<KubeObject['metadata']>, string | undefined]>([
    ['has no label', {}, undefined],
    ['is of another binding', { labels: { [Label.bindingUID]: 'another' } }, undefined],
    ['is another than the one that lost its label', {}, 'former'],
  ])('is left alone when it %s', async (_, metadata, formerUID) => {
    const object = stands(metadata);
    await expect(write(formerUID)).rejects.toThrow(ForeignObject);
    expect(served.writes).toEqual([`POST ${copyName}`]);
    expect(served.objects.get(path)).toBe(object);
  });

  test.each<[string, Partial<KubeObject['metadata']>, string | undefined]>([
    ['has our label', { labels }, undefined],
    ['only lost its label', {}, 'u'],
  ])('is written, as it was looked at, when it %s', async (_, metadata, formerUID) => {
    stands(metadata);
    await write(formerUID);
    expect(served.writes).toEqual([`POST ${copyName}`, `PUT ${copyName}`]);
    expect(bodies[1]?.metadata).toMatchObject({ uid: 'u', resourceVersion: '7', labels });
    expect(served.objects.get(path)).toMatchObject({ data: { a: 'new' } });
  });
});

test('a copy that went, of which the watch has not told, is made anew', async () => {
  known();
  served.objects.delete(path);
  await write();
  expect(served.writes).toEqual([`PUT ${copyName}`, `POST ${copyName}`]);
});

const immutable = { field: 'data', message: 'field is immutable when `immutable` is set' };

test.each<[string, string, object]>([
  ['another was quicker', 'PUT', { code: 409, reason: 'Conflict' }],
  ['a policy refuses it', 'PUT', { code: 422 }],
  [
    'more than what cannot change is wrong',
    'PUT',
    { details: { causes: [immutable, { field: 'data', message: 'x' }] } },
  ],
  ['another field cannot change', 'PUT', { details: { causes: [{ ...immutable, field: 'metadata.name' }] } }],
  ['only the code says so', 'PUT', { code: 403, details: { causes: [immutable] } }],
])('a copy stays where it is when %s', async (_, method, refusal) => {
  known();
  served.refuse = (asked) => (asked === method ? { ...refusal } : undefined);
  await expect(write()).rejects.toThrow(ApiError);
  expect(served.writes).toEqual([`PUT ${copyName}`]);
});

test('a copy that cannot be changed is made anew: that one, and only once the new one is sure to come', async () => {
  known();
  let isWelcome = false;
  served.refuse = (method, body) => {
    bodies.push(body as KubeObject);
    if (method === 'PUT') return { details: { causes: [immutable] } };
    return method === 'POST' && !isWelcome ? { code: 403 } : undefined;
  };
  await expect(write()).rejects.toThrow(ApiError);
  expect(served.writes).toEqual([`PUT ${copyName}`, `dry POST ${copyName}`]);
  [isWelcome, served.writes, bodies] = [true, [], []];
  await write();
  expect(served.writes.slice(1)).toEqual([`dry POST ${copyName}`, `DELETE ${copyName}`, `POST ${copyName}`]);
  expect(bodies[2]).toMatchObject({ preconditions: { uid: 'u' } });
});

test.each([
  ['made', () => write()],
  ['changed', () => (known(), write())],
  ['removed', () => (known(), remove())],
])('no copy is %s while writes to the worker are held', async (_, turn) => {
  world.context.mayWriteWorker = () => false;
  await expect(turn()).rejects.toThrow(WritesHeld);
  expect(served.writes).toEqual([]);
});

describe('a copy that nobody needs any more', () => {
  test('goes, but not one that has its name by then', async () => {
    known();
    await remove();
    expect(served.writes).toEqual([`DELETE ${copyName}`]);
    expect(bodies[0]).toMatchObject({ preconditions: { uid: 'u' } });
    expect(world.written.configmap.latest(copyName), 'the watch has yet to tell').toBeUndefined();
  });

  test.each([404, 409])('is gone when the worker answers %i', async (code) => {
    known();
    served.refuse = () => ({ code });
    await remove();
    expect(world.written.configmap.latest(copyName)).toBeUndefined();
  });

  test('is still there when the worker refuses that', async () => {
    known();
    served.refuse = () => ({ code: 403 });
    await expect(remove()).rejects.toThrow(ApiError);
    expect(world.written.configmap.latest(copyName)).toBeDefined();
  });

  test.each<[string, () => void]>([
    ['that is not known', () => stands()],
    ['that is not ours', () => known({ labels: { [Label.bindingUID]: 'another' } })],
  ])('%s is left alone', async (_, setup) => {
    setup();
    await remove();
    expect(served.writes).toEqual([]);
  });
});
