import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { homeKeyOf, isPredecessor, lostItsLabel, relationOf } from './ownership.ts';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from '../translation/to-worker.ts';

const home = samplePod();
const worker = toWorkerPod(home, FACTS);

function with_(annotations: Record<string, string>, labels: Record<string, string> = {}) {
  const { metadata } = worker;
  return {
    ...worker,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, ...annotations },
      labels: { ...metadata.labels, ...labels },
    },
  };
}

function renamed(name: string) {
  const given = name.replace('MD5', createHash('md5').update('shop/web-5d9c7b-abcde').digest('hex'));
  return { ...worker, metadata: { ...worker.metadata, name: given } };
}

describe('forged', () => {
  test.each([
    ['nothing', with_({}), 'same', 'shop/web-5d9c7b-abcde'],
    ['the UID', with_({ 'kubeocean.io/virtual-pod-uid': 'x' }), 'namesake', 'shop/web-5d9c7b-abcde'],
    ['no UID', with_({ 'kubeocean.io/virtual-pod-uid': '' }), 'disagrees', 'shop/web-5d9c7b-abcde'],
    ['the name', with_({ 'kubeocean.io/virtual-pod-name': 'other' }), 'disagrees', undefined],
    ['the namespace', with_({ 'kubeocean.io/virtual-pod-namespace': 'kube-system' }), 'disagrees', undefined],
    ['nothing, with the name it was adopted with', renamed('web-5d9c7b-abcde-MD5'), 'same', 'shop/web-5d9c7b-abcde'],
    ['a name that nobody derives', renamed('web-5d9c7b-abcde'), 'disagrees', undefined],
    ['the binding', with_({}, { 'kubeocean.io/binding-uid': 'x' }), 'foreign', undefined],
  ])('%s', (_, pod, relation, key) => {
    expect(relationOf(pod, home, FACTS.bindingUID)).toBe(relation);
    expect(homeKeyOf(pod, FACTS.bindingUID)).toBe(key);
  });
});

test.each<[string, string | undefined, string, boolean]>([
  ['home never ran', undefined, 'Pending', true],
  ['home ran as another', 'another', 'Running', true],
  ['home ran as another, and has ended', 'another', 'Succeeded', true],
  ['home ran as this one, whose UID somebody changed', 'w', 'Running', false],
  ['home ran, and does not say as which', undefined, 'Running', false],
  ['home has ended, and does not say as which', undefined, 'Failed', true],
])('a namesake is a predecessor or not: %s', (_, shown, phase, expected) => {
  const annotations: Record<string, string> = {};
  if (shown !== undefined) annotations['kubeocean.io/physical-pod-uid'] = shown;
  const atHome = { ...home, metadata: { ...home.metadata, annotations }, status: { phase } };
  const namesake = with_({ 'kubeocean.io/virtual-pod-uid': 'x' });
  expect(isPredecessor({ ...namesake, metadata: { ...namesake.metadata, uid: 'w' } }, atHome)).toBe(expected);
});

describe('without the label of the binding', () => {
  const shown = { ...home, metadata: { ...home.metadata, annotations: { 'kubeocean.io/physical-pod-uid': 'w' } } };
  const unlabelled = (annotations: Record<string, string> = {}, uid = 'w') => {
    const pod = with_(annotations, { 'kubeocean.io/binding-uid': '' });
    return { ...pod, metadata: { ...pod.metadata, uid } };
  };

  test.each([
    ['its counterpart, shown at home', unlabelled(), shown, true],
    ['home was never shown it', unlabelled(), home, false],
    ['home was shown another', unlabelled({}, 'other'), shown, false],
    ['it speaks of another UID', unlabelled({ 'kubeocean.io/virtual-pod-uid': 'x' }), shown, false],
    ['it speaks of another pod', unlabelled({ 'kubeocean.io/virtual-pod-name': 'x' }), shown, false],
    ['it has its label', { ...worker, metadata: { ...worker.metadata, uid: 'w' } }, shown, false],
  ])('%s', (_, pod, atHome, expected) => {
    expect(lostItsLabel(pod, atHome, FACTS.bindingUID)).toBe(expected);
  });
});
