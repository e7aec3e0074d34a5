import type { LeasedNode } from '@kubeocean/shared/api';
import { countPods, type DesiredRecord, type PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { findOutOfPlace } from './out-of-place.ts';

const tenants = [{ namespace: 'w', serviceAccount: 's', bindings: ['b'] }];
const labels = { 'kubeocean.io/cluster-binding': 'b' };
const spec = { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' };

function lease(ceiling: Record<string, string> | undefined): DesiredRecord {
  return { namespace: 'w', name: 'b.n', labels, spec, status: { phase: 'Active', ...(ceiling && { ceiling }) } };
}

function pod(name: string, cpu: string, change: object = {}, nodeName = 'n'): PodForRequests {
  return {
    metadata: { namespace: 'w', name, uid: name, labels, creationTimestamp: `2026-01-01T00:00:0${name}Z`, ...change },
    spec: {
      nodeName,
      containers: [{ name: 'c', resources: { requests: { cpu } } }],
      terminationGracePeriodSeconds: 900,
    },
    status: { phase: 'Running' },
  };
}

function ended(one: PodForRequests): PodForRequests {
  return { ...one, status: { phase: 'Failed' } };
}

function find(list: PodForRequests[], ceiling: Record<string, string> | undefined, records: LeasedNode[] = []) {
  const open = [lease(ceiling)];
  const pods = countPods(list, tenants).lent();
  const found = findOutOfPlace({ open, records, pods, tenants, maxGraceSeconds: 600 });
  return { beyond: [...found.beyond.keys()], strays: [...found.strays.keys()], found };
}

const none = { beyond: [], strays: [] };

describe('pods out of place', () => {
  it('are none within the ceiling', () => {
    expect(find([pod('1', '2'), pod('2', '2')], { cpu: '4', pods: '2' })).toMatchObject(none);
  });

  it('are the newest beyond it, told why and by how much grace', () => {
    const { beyond, found } = find([pod('2', '2'), pod('1', '2'), pod('3', '1')], { cpu: '4', pods: '9' });
    expect(beyond).toEqual(['3']);
    expect(found.beyond.get('3')).toMatchObject({
      kind: 'exceed',
      message: 'node n has no room left for it in what is lent to b (cpu 4, pods 9)',
      graceSeconds: 600,
    });
  });

  it('are those under a record that is there as under one that is to come', () => {
    const there: LeasedNode = { metadata: { namespace: 'w', name: 'b.n' }, spec, status: { phase: 'Active' } };
    expect(find([pod('1', '2'), pod('2', '3')], { cpu: '4' }, [there])).toMatchObject({ beyond: ['2'], strays: [] });
  });

  it('are by number too', () => {
    expect(find([pod('1', '0'), pod('2', '0')], { cpu: '4', pods: '1' }).beyond).toEqual(['2']);
  });

  it.each<[string, number, object | undefined]>([
    ['as long as it may', 600, undefined],
    ['years', 315_360_000, { kind: 'shorten', graceSeconds: 600 }],
  ])('are those, of ones that their tenant deleted, that were given %s: cut short', (_, seconds, step) => {
    const change = { deletionTimestamp: 'x', deletionGracePeriodSeconds: seconds };
    const { found } = find([pod('1', '99', change), pod('2', '1', change, 'm')], { cpu: '4' });
    for (const cut of [found.beyond.get('1'), found.strays.get('2')]) {
      if (step) expect(cut).toMatchObject(step);
      else expect(cut).toBeUndefined();
    }
  });

  it('are none where no ceiling was ever written, nor those that end or have ended', () => {
    expect(find([pod('1', '99')], undefined)).toMatchObject(none);
    expect(find([pod('1', '99')], { cpu: 'written by hand' })).toMatchObject(none);
    expect(find([pod('1', '99', { deletionTimestamp: 'x' })], { cpu: '1' })).toMatchObject(none);
    expect(find([ended(pod('1', '99'))], { cpu: '1' })).toMatchObject(none);
  });

  it('are those on a node without a record', () => {
    const { strays, found } = find([pod('1', '1', {}, 'm')], { cpu: '4' });
    expect(strays).toEqual(['1']);
    expect(found.strays.get('1')).toMatchObject({ kind: 'stray', graceSeconds: 600 });
    expect(found.strays.get('1')?.message).toBe(
      'node m is not lent to b: there is no LeasedNode for it in namespace w',
    );
  });

  it('are not those that have ended, on a node without a record neither', () => {
    expect(find([ended(pod('1', '1', {}, 'm'))], { cpu: '4' })).toMatchObject(none);
  });

  it('are counted without those that have ended', () => {
    const list = [ended(pod('1', '2')), pod('2', '2'), pod('3', '1')];
    expect(find(list, { cpu: '2' }).beyond).toEqual(['3']);
  });

  it('are not those under any record, closed ones too: that is the taking back’s', () => {
    const closed: LeasedNode = {
      metadata: { namespace: 'w', name: 'b.m' },
      spec: { ...spec, nodeName: 'm' },
      status: { phase: 'Closed' },
    };
    expect(find([pod('1', '1', {}, 'm')], { cpu: '4' }, [closed])).toMatchObject(none);
  });

  it('are not the owner’s own, nor those without a binding, which others see to', () => {
    expect(find([pod('1', '99', { namespace: 'default' }, 'm')], { cpu: '4' })).toMatchObject(none);
    expect(find([pod('1', '99', { labels: {} }, 'm')], { cpu: '4' })).toMatchObject(none);
  });
});
