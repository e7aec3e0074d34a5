import { expect, test } from 'vitest';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from './to-worker.ts';

const env = (fieldPath: string) => {
  const containers = [{ name: 'main', env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] }];
  return toWorkerPod(samplePod({ containers }), FACTS).spec.containers[0]?.env?.find(({ name }) => name === 'X');
};

test.each([
  ['metadata.name', 'web-5d9c7b-abcde'],
  ['metadata.namespace', 'shop'],
  ['metadata.uid', '22222222-2222-2222-2222-222222222222'],
  ['spec.nodeName', 'vnode-cls-example-node1'],
  ['spec.serviceAccountName', 'builder'],
  ["metadata.labels['app']", 'web'],
  ["metadata.labels['none']", ''],
  ["metadata.labels['constructor']", ''],
  ["metadata.annotations['note']", 'a $$(b) "c"'],
])('%s is the value of home, literally', (fieldPath, value) => {
  expect(env(fieldPath)).toEqual({ name: 'X', value });
});

test('what only the worker knows is left to it', () => {
  expect(env('status.podIP')).toEqual({ name: 'X', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
});

test("names home's API server unless the pod does", () => {
  const own = [{ name: 'KUBERNETES_SERVICE_PORT', value: '1' }];
  const [first] = toWorkerPod(samplePod({ containers: [{ name: 'main', env: own }] }), FACTS).spec.containers;
  // All of them: the worker's kubelet adds those of its own API server that are missing.
  expect(first?.env).toEqual([
    { name: 'KUBERNETES_SERVICE_HOST', value: '10.1.0.1' },
    { name: 'KUBERNETES_SERVICE_PORT_HTTPS', value: '6443' },
    { name: 'KUBERNETES_PORT', value: 'tcp://10.1.0.1:6443' },
    { name: 'KUBERNETES_PORT_6443_TCP', value: 'tcp://10.1.0.1:6443' },
    { name: 'KUBERNETES_PORT_6443_TCP_PROTO', value: 'tcp' },
    { name: 'KUBERNETES_PORT_6443_TCP_PORT', value: '6443' },
    { name: 'KUBERNETES_PORT_6443_TCP_ADDR', value: '10.1.0.1' },
    { name: 'KUBERNETES_SERVICE_PORT', value: '1' },
  ]);
});
