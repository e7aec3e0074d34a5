import { describe, expect, test } from 'vitest';
import { pod, tenants } from './allocate-fixtures.ts';
import type { PodForRequests } from './requests.ts';
import { formatResources } from './resources.ts';
import { countPods, requestsOf } from './usage.ts';

const mine = { 'kubeocean.io/cluster-binding': 'b1' };

function lent(name: string, change: object = {}, phase = 'Running', labels: object = mine): PodForRequests {
  const made = pod(name, 'n1', '1', 'kubeocean-worker', labels, phase);
  return { ...made, metadata: { ...made.metadata, ...change } };
}

const held = { finalizers: ['kubeocean.io/home-sync'] };
const ending = { deletionTimestamp: '2026-11-20T12:00:00Z' };
const told = { annotations: { 'kubeocean.io/lease-closed': 'why' } };

describe('pods are counted', () => {
  const usage = countPods(
    [
      pod('own', 'n1', '2'),
      pod('own-ended', 'n1', '4', 'default', {}, 'Succeeded'),
      pod('own-elsewhere', 'n2', '8'),
      lent('a', told),
      lent('held', { ...held, ...ending }),
      lent('leaving', ending),
      lent('unsynced', held, 'Failed'),
      lent('over', {}, 'Failed'),
      lent('nobodys', {}, 'Running', {}),
      // Those that wait for a node take none.
      { ...lent('waiting'), spec: { containers: [] } },
      { ...lent('unplaced'), spec: { nodeName: '', containers: [] } },
    ],
    tenants,
  );

  test('native ones that have not ended, by node', () => {
    expect(formatResources(usage.on('n1').native)).toEqual({ cpu: '2', pods: '1' });
    expect(formatResources(usage.on('n2').native)).toEqual({ cpu: '8', pods: '1' });
    expect(usage.on('n3').native.size).toBe(0);
  });

  test('lent ones by binding: those that take room, that leave it, and that home has yet to show', () => {
    const group = usage.group('n1', 'kubeocean-worker/b1');
    expect(formatResources(group.requests)).toEqual({ cpu: '3', pods: '3' });
    expect(formatResources(group.leaving)).toEqual({ cpu: '1', pods: '1' });
    expect(group).toMatchObject({ present: 5, unfinished: 3, unsynced: 1 });
    expect(usage.group('n2', 'kubeocean-worker/b1')).toMatchObject({ present: 0, unfinished: 0, unsynced: 0 });
  });

  test('all pods of mount namespaces are found, each once, and no others', () => {
    const groups = [...usage.lent()];
    expect(groups.map(({ node, group, label, told: words }) => [node, group, label, words])).toEqual([
      ['n1', 'kubeocean-worker/b1', 'b1', 1],
      ['n1', 'kubeocean-worker/', '', 0],
    ]);
    const names = groups.map(({ pods }) => pods.map(({ metadata }) => metadata.name));
    expect(names).toEqual([['a', 'held', 'leaving', 'unsynced', 'over'], ['nobodys']]);
  });
});

test('what is counted already is not counted again', () => {
  const counted = new Map([['cpu', { nanos: 1n, format: 'DecimalSI' as const }]]);
  expect(requestsOf({ ...pod('a', 'n', '7'), counted })).toBe(counted);
});
