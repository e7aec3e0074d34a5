import { Annotation, vnodeHashedName } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { isElsewhere } from './elsewhere.ts';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

const clusterID = 'cls-example';
const made = (placed?: string, annotation?: string): Pod => {
  const pod = toWorkerPod(samplePod(), FACTS);
  if (placed !== undefined) pod.spec.nodeName = placed;
  if (annotation !== undefined) pod.metadata.annotations = { [Annotation.virtualNodeName]: annotation };
  return pod;
};
const LONG = `n${'x'.repeat(60)}`;
const ADOPTED = 'vnode-cls-example-nxxxxxxxxxxx-66586dac9e07faaf34aeaf7de9700f3b';
const unplaced = made(undefined, 'vnode-cls-example-gone');
delete unplaced.spec['affinity'];

test.each<[string, Pod, string | undefined, boolean]>([
  ['on its vnode', made(), 'vnode-cls-example-node1', false],
  ['on a real node', made(), 'node1', true],
  ['on another vnode, before the worker placed it', made(), 'vnode-cls-example-node2', true],
  ['on another vnode, once the worker placed it', made('node1'), 'vnode-cls-example-node2', true],
  ['on no node yet', made(), undefined, false],
  ['its annotation was changed by hand', made('node1', 'vnode-cls-example-x'), 'vnode-cls-example-node1', false],
  ['the vnode has the longer name', made('node1', 'vnode-x'), vnodeHashedName(clusterID, 'node1'), false],
  ['the vnode was adopted with its name', made(LONG, 'vnode-x'), ADOPTED, false],
  ['it says so itself, whatever the vnode is called', made('node1', 'vnode-old'), 'vnode-old', false],
  ['nothing but the annotation says where', unplaced, 'vnode-cls-example-node1', true],
])('%s', (_, worker, nodeName, expected) => {
  const home = samplePod({ nodeName });
  expect(isElsewhere(worker, home, clusterID)).toBe(expected);
});
