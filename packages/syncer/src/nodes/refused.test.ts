import { ApiError, ConnectionError, type EventSubject, type KubeObject } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { tellingRefusals } from './refused.ts';
import { sampleBinding } from './samples.ts';

const vnode: KubeObject = { metadata: { name: 'vnode-c-n1', uid: 'v' } };

function world(failure: () => Error | undefined, known?: KubeObject) {
  const told: string[] = [];
  let now = 0;
  const context = {
    binding: () => sampleBinding(),
    homeEvents: {
      event: ({ kind }: EventSubject, _type: string, reason: string, message: string) =>
        void told.push(`${kind} ${reason}: ${message}`),
      flush: () => Promise.resolve(),
    },
  };
  const reconcile = tellingRefusals(
    context,
    () => known,
    async () => {
      const error = failure();
      if (error) throw error;
      return { againInMs: 7 };
    },
    () => now,
  );
  return { told, pass: (ms: number) => void (now += ms), of: (name: string) => reconcile(name).catch(() => 'failed') };
}

const refused = (code: number, method = 'POST') =>
  new ApiError(code, { reason: 'Forbidden', message: 'policy says no' }, method, '/api/v1/nodes');

test('a vnode that home does not take is told on the binding: once for all of them, and again after an hour', async () => {
  const { told, of, pass } = world(() => refused(403));
  for (const name of ['n1', 'n2', 'n1']) expect(await of(name)).toBe('failed');
  expect(told).toEqual([
    'ClusterBinding VnodeRefused: this cluster refuses the vnode of node n1, which is tried again: policy says no',
  ]);
  pass(3_600_000);
  await of('n2');
  expect(told).toHaveLength(2);
});

test('one that cannot be changed says so itself', async () => {
  const { told, of } = world(() => refused(422, 'PATCH'), vnode);
  for (let n = 0; n < 3; n++) await of('n1');
  expect(told).toEqual([
    'Node VnodeRefused: this cluster refuses what is to change of the vnode, which is tried again: policy says no',
  ]);
});

test('a webhook that does not answer is told of the second time', async () => {
  const { told, of } = world(() => refused(500));
  await of('n1');
  expect(told).toEqual([]);
  await of('n1');
  expect(told).toHaveLength(1);
});

test.each<[string, () => Error | undefined, unknown]>([
  ['a server that does not answer', () => new ConnectionError('https://home', 'ETIMEDOUT', 'no answer'), 'failed'],
  ['a change meanwhile', () => refused(409), 'failed'],
  ['a question that is not answered', () => refused(500, 'GET'), 'failed'],
  ['what goes well', () => undefined, { againInMs: 7 }],
])('%s is no refusal', async (_, failure, outcome) => {
  const { told, of } = world(failure);
  for (let n = 0; n < 3; n++) expect(await of('n1')).toEqual(outcome);
  expect(told).toEqual([]);
});
