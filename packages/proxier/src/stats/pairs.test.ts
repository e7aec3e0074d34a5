import { Annotation, migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { ApiError, ConnectionError } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { agentRefusal } from './agent.ts';
import { pairUp } from './pairs.ts';

const home = (name: string, uid: string) => ({ metadata: { namespace: 'shop', name, uid }, spec: {} });
const counterpart = (name: string, homeUID?: string) => ({
  metadata: {
    name: workerName('b', 'shop', name),
    uid: `worker-${name}`,
    ...(homeUID && { annotations: { [Annotation.virtualPodUID]: homeUID } }),
  },
});

it('pairs pods only when name and UID both say so', () => {
  const pods = [home('a', '1'), home('b', '2'), home('c', '3'), home('d', '4')];
  const found = pairUp('b', pods, [
    counterpart('a', '1'),
    counterpart('b', '1'),
    counterpart('c'),
    counterpart('x', '4'),
  ]);
  expect([...found.values()].map(({ name, workerUID }) => [name, workerUID])).toEqual([['a', 'worker-a']]);
});

it('knows a pod that was adopted with its name', () => {
  const adopted = { ...counterpart('a', '1').metadata, name: migratedWorkerName('shop', 'a') };
  expect([...pairUp('b', [home('a', '1')], [{ metadata: adopted }]).keys()]).toEqual([adopted.name]);
});

it.each([
  [
    new ConnectionError('https://w', 'ECONNREFUSED', 'refused'),
    503,
    /the worker cluster does not answer \(ECONNREFUSED\)/,
  ],
  [
    new ApiError(503, { kind: 'Status', message: 'no endpoints available' }, 'GET', '/'),
    503,
    /agent does not run \(no endpoints/,
  ],
  [new ApiError(404, { kind: 'Status', message: 'services not found' }, 'GET', '/'), 503, /agent does not run/],
  [new ApiError(403, { kind: 'Status', message: 'forbidden' }, 'GET', '/'), 502, /chart kubeocean-worker/],
  [new ApiError(403, { message: 'not lent\n' }, 'GET', '/'), 502, /agent answers: not lent$/],
  [new ApiError(401, { message: 'no token' }, 'GET', '/'), 502, /agent answers: no token/],
  [new ApiError(504, { message: 'kubelet silent' }, 'GET', '/'), 504, /kubelet silent/],
  [new Error('broken'), 502, /no metrics: broken/],
])('%s is answered %d', (error, code, message) => {
  const refusal = agentRefusal(error);
  expect(refusal.code).toBe(code);
  expect(refusal.message).toMatch(message);
});
