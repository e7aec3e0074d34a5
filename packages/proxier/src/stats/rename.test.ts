import { seriesOf } from '@kubeocean/shared/stats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PodPair, renameExposition, renameSummary } from './rename.ts';

const MOUNT = 'kubeocean-worker';
const web: PodPair = {
  namespace: 'shop',
  name: 'web',
  uid: 'aaaaaaaa-1111-1111-1111-aaaaaaaaaaaa',
  workerName: 'web-0123',
  workerUID: 'bbbbbbbb-2222-2222-2222-bbbbbbbbbbbb',
  createdAt: 0,
  claims: new Map([['data', 'claim']]),
};
const pairs = new Map([[web.workerName, web]]);

describe('renameExposition', () => {
  it.each([
    [
      'resource metrics',
      'c{container="a",namespace="kubeocean-worker",pod="web-0123"} 0.012 1700000000000',
      'c{container="a",namespace="shop",pod="web"} 0.012 1700000000000',
    ],
    [
      'cgroups of cgroupfs',
      'c{id="/kubepods/podbbbbbbbb-2222-2222-2222-bbbbbbbbbbbb/1",name="k8s_a_web-0123_x",namespace="kubeocean-worker",pod="web-0123"} 1',
      'c{id="/kubepods/podaaaaaaaa-1111-1111-1111-aaaaaaaaaaaa/1",name="k8s_a_web_x",namespace="shop",pod="web"} 1',
    ],
    [
      'cgroups of systemd',
      'c{id="/kubepods.slice/kubepods-podbbbbbbbb_2222_2222_2222_bbbbbbbbbbbb.slice",namespace="kubeocean-worker",pod="web-0123"} 1',
      'c{id="/kubepods.slice/kubepods-podaaaaaaaa_1111_1111_1111_aaaaaaaaaaaa.slice",namespace="shop",pod="web"} 1',
    ],
    ['another pod of the mount namespace', 'c{namespace="kubeocean-worker",pod="web-9"} 1', undefined],
    ['a pod of that name in another namespace', 'c{namespace="default",pod="web-0123"} 1', undefined],
    ['the node', 'node_cpu 1', undefined],
    ['a pod without a name', 'c{namespace="kubeocean-worker",pod=""} 1', undefined],
  ])('%s', (_, line, expected) => {
    expect(renameExposition(`${line}\n`, MOUNT, pairs)).toBe(expected === undefined ? '' : `${expected}\n`);
  });

  it('keeps HELP and TYPE of what is left', () => {
    const text = '# HELP a A\n# TYPE a gauge\na{namespace="x",pod="y"} 1\n# HELP b B\n# TYPE b gauge\n';
    const line = 'b{namespace="kubeocean-worker",pod="web-0123"} 1\n';
    expect(renameExposition(text + line, MOUNT, pairs)).toBe(
      '# HELP b B\n# TYPE b gauge\nb{namespace="shop",pod="web"} 1\n',
    );
  });

  it('never lets through a name that is not on the list, nor another value', () => {
    const name = fc.constantFrom('web-0123', 'web', 'other', '');
    const namespace = fc.constantFrom(MOUNT, 'shop', 'kube-system');
    const value = fc.double().map(String);
    fc.assert(
      fc.property(fc.array(fc.record({ name, namespace, value })), (all) => {
        const text = all.map((one) => `m{namespace="${one.namespace}",pod="${one.name}"} ${one.value} 5\n`).join('');
        const renamed = [...seriesOf(renameExposition(text, MOUNT, pairs))];
        const expected = all.filter((one) => one.namespace === MOUNT && one.name === 'web-0123');
        expect(renamed).toEqual(
          expected.map((one) => ({
            metric: 'm',
            labels: new Map([
              ['namespace', 'shop'],
              ['pod', 'web'],
            ]),
            value: one.value,
            timestamp: 5,
          })),
        );
      }),
    );
  });
});

describe('renameSummary', () => {
  const ref = { name: web.workerName, namespace: MOUNT, uid: web.workerUID };
  const summary = (...pods: object[]) => JSON.stringify({ node: { nodeName: 'node1' }, pods });

  it('gives pods their home names, with whatever else is told of them', () => {
    const volume = [
      { name: 'data', usedBytes: 5, pvcRef: { name: 'pvc-x', namespace: MOUNT } },
      { name: 'unknown', usedBytes: 6, pvcRef: { name: 'pvc-y', namespace: MOUNT } },
    ];
    expect(
      renameSummary(summary({ podRef: ref, cpu: { usageNanoCores: 1 }, new: true, volume }), MOUNT, pairs),
    ).toEqual([
      {
        podRef: { name: 'web', namespace: 'shop', uid: web.uid },
        cpu: { usageNanoCores: 1 },
        new: true,
        volume: [
          { name: 'data', usedBytes: 5, pvcRef: { name: 'claim', namespace: 'shop' } },
          { name: 'unknown', usedBytes: 6 },
        ],
      },
    ]);
  });

  it('leaves numbers of 64 bits as the kubelet wrote them', () => {
    const text = `{"node":{"nodeName":"n"},"pods":[{"podRef":${JSON.stringify(ref)},"volume":[{"name":"ceph","inodesFree":18446744073709551615}]}]}`;
    expect(JSON.stringify(renameSummary(text, MOUNT, pairs))).toContain('"inodesFree":18446744073709551615');
  });

  it('leaves out other pods, and namesakes with another UID', () => {
    const others = [
      { ...ref, namespace: 'default' },
      { ...ref, name: 'x' },
      { ...ref, uid: 'earlier' },
    ];
    expect(renameSummary(summary(...others.map((podRef) => ({ podRef }))), MOUNT, pairs)).toEqual([]);
  });
});
