/** Resizes of pods that run: their room, and what becomes of those that fail half way. */
import { ConnectionError } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { failure, type Sent, world } from './follow-fixtures.ts';

test('of two pods resized in the same moment only one gets the room that is left', async () => {
  const { run, resize, sent, used } = world();
  run('a', '100m');
  run('b', '100m');
  const [first, second] = [resize('a', '700m'), resize('b', '700m')];
  expect(sent.map(({ subresource }) => subresource)).toEqual(['resize']);
  expect((await second).own.resize).toMatchObject({ reason: 'Deferred' });
  expect(used()).toBe(800_000_000n);
  sent[0]?.answer();
  await expect.poll(() => sent.length).toBe(2);
  // The note of what was asked for.
  expect(sent[1]?.patch).toMatchObject({ metadata: { annotations: { 'kubeocean.io/asked': expect.any(String) } } });
  sent[1]?.answer();
  expect((await first).own.resize).toBeUndefined();
  // The watch has not told of it yet.
  expect((await resize('b', '700m')).own.resize).toMatchObject({ reason: 'Deferred' });
});

test('a resize that failed takes no room', async () => {
  const { run, resize, sent, used } = world();
  run('a', '100m');
  const failing = resize('a', '700m');
  expect(used()).toBe(700_000_000n);
  sent[0]?.answer(new ConnectionError('worker', 'ECONNRESET', 'connection lost'));
  expect((await failing).failure).toMatchObject({ code: 'ECONNRESET' });
  expect(used()).toBe(100_000_000n);
});

test('a resize that only takes less waits for no room, but for a lease that takes no resize', async () => {
  const { run, resize, lease, sent } = world();
  run('a', '500m');
  lease.phase = 'Closing';
  expect((await resize('a', '200m')).own.resize).toMatchObject({ reason: 'Deferred' });
  Object.assign(lease, { phase: 'Active', allocatable: {} });
  void resize('a', '200m');
  expect(sent).toHaveLength(1);
});

const noteOf = ({ patch }: Sent) =>
  (patch as { metadata: { annotations?: Record<string, string> } }).metadata.annotations?.['kubeocean.io/asked'];

describe('a worker without pods/resize', () => {
  test('is told, is not noted as asked, and is asked again rarely', async () => {
    const { run, resize, sent, told } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    sent[0]?.answer(failure(404));
    const { own, againInMs } = await first;
    expect(own).toMatchObject({ behind: false, resize: { reason: 'Infeasible' } });
    expect(againInMs).toBeGreaterThan(200_000);
    expect(told).toEqual([expect.stringContaining('FailedUpdate: the worker cluster cannot resize pods')]);
    expect((await resize('a', '200m')).own.resize).toMatchObject({ reason: 'Infeasible' });
    expect(sent).toHaveLength(1);
  });

  test('is not what a pod that is gone means', async () => {
    const { run, resize, isGone, sent, told } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    isGone('a');
    sent[0]?.answer(failure(404));
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(failure(404));
    expect((await first).own.resize).toBeUndefined();
    expect(told).toEqual([]);
  });
});

describe('a resize that went through is undone again', () => {
  test('though the image that came with it was refused: its amounts are noted by themselves', async () => {
    const { run, resize, has, askedOf, sent } = world();
    run('a', '100m');
    const asked = askedOf('a');
    const first = resize('a', '200m', { image: 'b' });
    sent[0]?.answer();
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(failure(403));
    await expect.poll(() => sent.length).toBe(3);
    expect(sent[2]).toMatchObject({ patch: { metadata: { uid: 'worker-a' } }, subresource: undefined });
    expect(noteOf(sent[2] as Sent)).toBe(asked.replace('100m', '200m'));
    sent[2]?.answer();
    await first;
    has('a', '200m', asked.replace('100m', '200m'));
    const back = resize('a', '100m');
    expect(sent[3]).toMatchObject({ subresource: 'resize' });
    sent[3]?.answer();
    await expect.poll(() => sent.length).toBe(5);
    sent[4]?.answer();
    await back;
  });

  test('though its note was lost, and home has changed back before the watch told of it', async () => {
    const { run, resize, has, askedOf, sent } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    sent[0]?.answer();
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(new ConnectionError('worker', 'ECONNRESET', 'lost'));
    expect((await first).failure).toBeDefined();
    await resize('a', '100m');
    expect(sent).toHaveLength(2);
    has('a', '200m', askedOf('a'));
    const back = resize('a', '100m');
    expect(sent[2]).toMatchObject({ subresource: 'resize' });
    sent[2]?.answer();
    await back;
  });
});

test.each([
  ['no answer', new ConnectionError('worker', 'ECONNRESET', 'lost')],
  ['only the answer of a balancer', failure(504)],
])('a resize of which %s came is undone, should it be done all the same', async (_, lost) => {
  const { run, resize, has, askedOf, sent } = world();
  run('a', '100m');
  const first = resize('a', '200m');
  sent[0]?.answer(lost);
  await first;
  await resize('a', '100m');
  has('a', '200m', askedOf('a'));
  const back = resize('a', '100m');
  expect(sent[1]).toMatchObject({ subresource: 'resize' });
  sent[1]?.answer();
  await back;
});
