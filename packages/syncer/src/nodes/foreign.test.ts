import type { ClusterBinding } from '@kubeocean/shared/api';
import { describe, expect, it } from 'vitest';
import type { OwnCondition } from '../binding/report.ts';
import { createForeignVnodes, foreignMessage, isForeignVnode } from './foreign.ts';

const go = { 'kubeocean.io/managed-by': 'kubeocean', 'kubeocean.io/physical-cluster-id': 'cls' };

it.each([
  ['what gocrane/kubeocean made', go, true],
  ['ours', { ...go, 'kubeocean.io/binding-uid': 'u' }, false],
  ['of another clusterID', { ...go, 'kubeocean.io/physical-cluster-id': 'cls2' }, false],
  ["a user's", {}, false],
])('%s', (_, labels, expected) =>
  expect(isForeignVnode({ metadata: { name: 'vnode-cls-n', labels } }, 'cls')).toBe(expected),
);

it('names what is in the way and the next step', () => {
  expect(foreignMessage('b', ['v1'])).toMatch(/^the vnode v1 is of gocrane\/kubeocean .*"kubeocean adopt b"/);
  expect(foreignMessage('b', ['v2', 'v1'])).toMatch(/^2 vnodes \(the first: v1\) are/);
});

describe('the condition', () => {
  function made(binding: Partial<ClusterBinding> = {}) {
    const told: OwnCondition[] = [];
    const report = {
      condition: (one: OwnCondition) => void told.push(one),
      facts() {},
      flush: async () => {},
      stop: async () => {},
    };
    const foreign = createForeignVnodes({ report, bindingName: 'b', binding: () => binding as ClusterBinding });
    return { told, foreign };
  }

  it('is there while something is in the way', () => {
    const { told, foreign } = made();
    foreign.found('n1', 'v1');
    foreign.found('n1', 'v1');
    foreign.found('n2', 'v2');
    foreign.gone('n1');
    foreign.gone('n2');
    expect(told.map(({ status, message }) => `${status} ${message.slice(0, 12)}`)).toEqual([
      'True the vnode v1',
      'True 2 vnodes (th',
      'True the vnode v2',
      'False nothing of g',
    ]);
  });

  it('is not mentioned where there never was anything', () => {
    const { told, foreign } = made();
    foreign.gone('n1');
    expect(told).toEqual([]);
  });

  it('is taken back by a syncer that did not set it', () => {
    const conditions = [{ type: 'ForeignState', status: 'True' as const }];
    const { told, foreign } = made({ status: { conditions } });
    foreign.gone('n1');
    expect(told).toMatchObject([{ status: 'False' }]);
  });
});
