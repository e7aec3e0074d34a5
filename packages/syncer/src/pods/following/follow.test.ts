import { expect, test } from 'vitest';
import { referencesOf } from '../../dependents/references.ts';
import { failure, world } from './follow-fixtures.ts';

test('a debug container that the worker fails on keeps neither resize nor image back', async () => {
  const { run, resize, sent } = world();
  run('a', '100m');
  const spec = { ephemeralContainers: [{ name: 'd', image: 'd' }] };
  const first = resize('a', '200m', { image: 'b', spec });
  for (const [at, [subresource, error]] of [
    ['ephemeralcontainers', failure(500)] as const,
    ['resize', undefined] as const,
    [undefined, undefined] as const,
  ].entries()) {
    await expect.poll(() => sent.length).toBe(at + 1);
    expect(sent[at]?.subresource).toBe(subresource);
    sent[at]?.answer(error);
  }
  expect(await first).toMatchObject({ failure: { code: 500 } });
});

test('a debug container waits for nothing but what it refers to itself', async () => {
  const { run, resize, sent, prepared } = world();
  run('a', '100m');
  const refersTo = (name: string) => [{ secretRef: { name } }];
  const main = { name: 'main', image: 'a', resources: { requests: { cpu: '100m' } } };
  const spec = {
    containers: [{ ...main, envFrom: refersTo('not-taken') }],
    ephemeralContainers: [{ name: 'd', image: 'd', envFrom: refersTo('own') }],
  };
  const first = resize('a', '100m', { spec });
  await expect.poll(() => sent.length).toBe(1);
  sent[0]?.answer();
  await first;
  expect(prepared.flatMap((home) => referencesOf(home).objects.map(({ name }) => name))).toEqual(['own']);
});

test('an annotation that the worker puts back each time is written no more often than other repairs', async () => {
  const { run, resize, sent } = world();
  run('a', '100m');
  const first = resize('a', '100m', { annotations: { 'cni/x': '1' } });
  sent[0]?.answer();
  await first;
  const { againInMs } = await resize('a', '100m', { annotations: { 'cni/x': '1' } });
  expect(againInMs).toBeGreaterThan(5000);
  expect(sent).toHaveLength(1);
  // What home changes is followed at once.
  const other = resize('a', '100m', { annotations: { 'cni/x': '2' } });
  expect(sent).toHaveLength(2);
  sent[1]?.answer();
  await other;
});

test('a webhook of the worker that does not answer is told of from the second time on, once', async () => {
  const { run, resize, sent, told } = world();
  run('a', '100m');
  for (const [turn, expected] of [0, 1, 1].entries()) {
    const following = resize('a', '100m', { image: 'b' });
    await expect.poll(() => sent.length).toBe(turn + 1);
    sent[turn]?.answer(failure(500));
    expect(await following).toMatchObject({ failure: { code: 500 } });
    expect(told).toHaveLength(expected);
  }
  expect(told[0]).toBe('FailedUpdate: the worker cluster refused it: answer 500');
});
