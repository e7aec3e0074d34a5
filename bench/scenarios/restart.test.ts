import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { changesOf, notReplaced } from './restart.ts';

function pod(name: string, uid: string, ready = true): KubeObject {
  return { metadata: { name, uid }, status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] } };
}

describe('what became of the pods that were there', () => {
  const known = new Map([
    ['ns/a', { uid: '1', revisions: 3 }],
    ['ns/b', { uid: '2', revisions: 3 }],
    ['ns/earlier', { uid: '9', revisions: 3, gone: 5 }],
  ]);

  it('nothing, when they are as they were; new ones are not asked about', () => {
    const now = new Map([...known, ['ns/probe', { uid: '7', revisions: 5 }]]);
    expect(changesOf(known, now)).toEqual({ deletions: 0, recreations: 0, rewritten: 0 });
  });

  it('tells deletions, re-creations and writes apart', () => {
    const rewritten = new Map([...known, ['ns/a', { uid: '1', revisions: 5 }]]);
    expect(changesOf(known, rewritten)).toEqual({ deletions: 0, recreations: 0, rewritten: 2 });
    const deleted = new Map([...known, ['ns/a', { uid: '1', revisions: 4, gone: 100 }]]);
    expect(changesOf(known, deleted)).toEqual({ deletions: 1, recreations: 0, rewritten: 0 });
    const again = new Map([...known, ['ns/a', { uid: '5', revisions: 1 }]]);
    expect(changesOf(known, again)).toEqual({ deletions: 0, recreations: 1, rewritten: 0 });
  });
});

describe('the replacing of processes', () => {
  const deleted = [pod('syncer-1', 'u1'), pod('syncer-2', 'u2')];

  it('is over when as many others are Ready', () =>
    expect(notReplaced(deleted, [pod('syncer-3', 'u3'), pod('syncer-4', 'u4')])).toBeUndefined());

  it.each([
    ['syncer-2 is still there', [pod('syncer-3', 'u3'), pod('syncer-4', 'u4'), pod('syncer-2', 'u2')]],
    ['1 of 2 new pods are Ready', [pod('syncer-3', 'u3'), pod('syncer-4', 'u4', false)]],
    ['0 of 2 new pods are Ready', []],
    ['syncer-1 is still there', deleted],
  ])('is not while %s', (words, now) => expect(notReplaced(deleted, now)).toBe(words));
});
