import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import type { ExplainedPod, PodFacts } from './facts.ts';
import { explainPod } from './pod.ts';
import { binding, mount, now, policy, record, vnode } from './samples.ts';
import { explanationText } from './text.ts';

describe('pod', () => {
  const pod: ExplainedPod = {
    metadata: { namespace: 'default', name: 'web', uid: 'u' },
    spec: { nodeName: 'vnode-cls-n1' },
    status: { phase: 'Pending' },
  };
  const name = workerName('uid-b', 'default', 'web');
  const counterpart: ExplainedPod = {
    metadata: { namespace: mount, name, annotations: { [Annotation.virtualPodUID]: 'u' } },
    spec: { nodeName: 'n1' },
    status: {
      phase: 'Pending',
      containerStatuses: [{ name: 'c', state: { waiting: { reason: 'ImagePullBackOff' } } }],
    },
  };

  function facts(at: ExplainedPod | undefined, of: ExplainedPod | undefined): PodFacts {
    return {
      now,
      namespace: 'default',
      name: 'web',
      home: {
        server: 'https://home',
        pod: { value: at },
        node: { value: at?.spec.nodeName ? vnode : undefined },
        binding: { value: at?.spec.nodeName ? binding : undefined },
        events: {
          value: [
            {
              metadata: { name: 'e' },
              type: 'Warning',
              reason: 'FailedDependency',
              message: 'waiting',
              count: 3,
              lastTimestamp: '2026-11-20T11:58:00Z',
            },
          ],
        },
        vnodes: { value: 1 },
        networkPolicies: { value: [] },
      },
      worker: {
        server: 'https://worker',
        where: `${mount}/${name}`,
        pod: { value: of },
        events: { value: [] },
        record: { value: record({ phase: 'Active', allocatable: { cpu: '4' } }) },
        policy: { value: policy('p') },
      },
    };
  }

  test('with its counterpart', () => {
    const answer = explainPod(facts(pod, counterpart), 'UTC');
    expect(answer && explanationText(answer).split('\n')).toEqual([
      'Pod default/web: Pending.',
      '',
      'Now:',
      '  At home it is bound to vnode-cls-n1, which is Ready.',
      `  Its counterpart in the worker: ${mount}/${name}, Pending, on node n1.`,
      '  The worker node n1: lent to b under policy p: cpu 4.',
      '',
      'Why not, or not more:',
      '  vnode-cls-n1 has the taint kubeocean.io/lease-unknown:NoSchedule: nothing is known of the lease: its record is missing, or the worker agent is silent.',
      '  Container c waits in the worker: ImagePullBackOff',
      '',
      'What happens next:',
      '  No window closes: it stays lent until the policy, the node or the claim changes.',
      '',
      'Last events:',
      '  home, 2 min ago, 3 times: Warning FailedDependency: waiting',
      '',
    ]);
  });

  test.each([
    ['Running', undefined, 'Running and Ready'],
    // Of a DaemonSet's: Ready for its DaemonSet's sake.
    ['Pending', 'NotRun', 'Pending (NotRun)'],
  ])('%s, and its condition Ready', (phase, reason, said) => {
    const conditions = [{ type: 'Ready', status: 'True', ...(reason && { reason }) }] as const;
    const status = { phase, ...(reason && { reason }), conditions: [...conditions] };
    expect(explainPod(facts({ ...pod, status }, undefined), 'UTC')?.summary).toBe(`Pod default/web: ${said}.`);
  });

  test('a counterpart made for another pod of the name is told', () => {
    const other = {
      ...counterpart,
      metadata: { ...counterpart.metadata, annotations: { [Annotation.virtualPodUID]: 'v' } },
    };
    expect(explainPod(facts(pod, other), 'UTC')?.now.join('\n')).toContain('That pod was not made for this one');
  });

  test.each<[string, ExplainedPod, 'now' | 'why' | 'next', string]>([
    ['none yet', pod, 'now', `The worker cluster has no pod ${mount}/${name} yet, or any more.`],
    [
      'ended',
      { ...pod, status: { phase: 'Failed', reason: 'LeaseClosed', message: 'the lease is over' } },
      'why',
      'The lease is over.',
    ],
    ['never again', { ...pod, status: { phase: 'Succeeded' } }, 'next', 'It has ended and is never run again.'],
    [
      'not run',
      {
        ...pod,
        status: {
          phase: 'Pending',
          conditions: [
            {
              type: 'kubeocean.io/NotRun',
              status: 'True',
              reason: 'DaemonSet',
              message: 'pods of DaemonSets are not run',
            },
          ],
        },
      },
      'why',
      'kubeocean.io/NotRun (DaemonSet): pods of DaemonSets are not run',
    ],
    ['no node', { ...pod, spec: {} }, 'why', 'It does not tolerate kubeocean.io/vnode:NoSchedule'],
  ])('%s', (_, at, section, words) => {
    expect(explainPod(facts(at, undefined), 'UTC')?.[section].join('\n')).toContain(words);
  });

  test('a pod that its lease ended says why once', () => {
    const message = 'policy p: no time window of policy p is open';
    const conditions = [{ type: 'DisruptionTarget', status: 'True' as const, reason: 'LeaseClosed', message }];
    const ended = { ...pod, status: { phase: 'Failed', reason: 'LeaseClosed', message, conditions } };
    const told = explainPod(facts(ended, undefined), 'UTC')?.why.filter((line) => line.includes('no time window'));
    expect(told).toEqual([`P${message.slice(1)}.`]);
  });

  test('a counterpart of an earlier pod of the name is waited for, not left alone', () => {
    const { metadata } = counterpart;
    const annotations = {
      [Annotation.virtualPodUID]: 'earlier',
      [Annotation.virtualPodName]: 'web',
      [Annotation.virtualPodNamespace]: 'default',
    };
    const earlier = { ...counterpart, metadata: { ...metadata, annotations, labels: { [Label.bindingUID]: 'uid-b' } } };
    const known = facts(pod, earlier);
    if (known.worker) known.worker.events = { value: [{ metadata: { name: 'e' }, reason: 'BackOff' }] };
    const answer = explainPod(known, 'UTC');
    const told = answer?.now.join('\n');
    expect([...(answer?.why ?? []), ...(answer?.events ?? [])].join()).not.toMatch(/ImagePullBackOff|BackOff/);
    expect(told).toContain(
      'That pod was made for an earlier pod of this name: once it is gone, this one gets its own.',
    );
    expect(told).not.toContain('left alone');
  });

  describe('that is being deleted', () => {
    const metadata = { ...pod.metadata, deletionTimestamp: '2026-11-20T12:00:00Z' };
    const next = (of: ExplainedPod | undefined, change: (known: PodFacts) => void = () => undefined) => {
      const known = facts({ ...pod, metadata }, of);
      if (known.worker) known.worker.record = { value: undefined };
      change(known);
      return explainPod(known, 'UTC')?.next;
    };
    const nothing = ['Nothing of it is left in the worker: it goes at once.'];

    test('goes when its containers have ended, or at once', () => {
      expect(next(counterpart)).toEqual(['It goes once its containers in the worker have ended.']);
      expect(next(undefined)).toEqual(nothing);
      expect(next({ ...counterpart, metadata: { ...counterpart.metadata, annotations: {} } })).toEqual(nothing);
    });

    test('is not said to have left the worker by who could not look, nor on an ordinary node', () => {
      expect(next(undefined, (known) => delete known.worker)).toEqual([]);
      const refused = { unknown: 'The Pod: forbidden' };
      expect(next(undefined, ({ worker }) => worker && (worker.pod = refused))).toEqual([]);
      const ordinary = { value: { metadata: { name: 'node1' } } };
      expect(next(undefined, ({ home }) => home && (home.node = ordinary))).toEqual([]);
    });
  });

  test.each<[string, object[], boolean]>([
    ['its key', [{ key: 'kubeocean.io/vnode', operator: 'Exists' }], true],
    ['everything', [{ operator: 'Exists' }], true],
    ['its key without a value', [{ key: 'kubeocean.io/vnode' }], true],
    ['its key with a value that it has not', [{ key: 'kubeocean.io/vnode', operator: 'Equal', value: 'true' }], false],
    ['another effect', [{ key: 'kubeocean.io/vnode', operator: 'Exists', effect: 'NoExecute' }], false],
  ])('the taint of vnodes is tolerated by %s or not', (_, tolerations, tolerated) => {
    const why = explainPod(facts({ ...pod, spec: { tolerations } }, undefined), 'UTC')?.why.join() ?? '';
    expect(why.includes('does not tolerate')).toBe(!tolerated);
  });

  test('neither here nor there', () => {
    expect(explainPod(facts(undefined, undefined), 'UTC')).toBeUndefined();
  });
});

test('pod: refused by the worker', () => {
  const message = 'the worker cluster refused what the pod needs: exceeded quota';
  const answer = explainPod(
    {
      now,
      namespace: 'default',
      name: 'web',
      home: {
        server: 'https://home',
        pod: {
          value: {
            metadata: { namespace: 'default', name: 'web', uid: 'u' },
            spec: { nodeName: 'vnode-cls-n1' },
            status: {
              phase: 'Pending',
              reason: 'RefusedByWorker',
              message,
              conditions: [{ type: 'kubeocean.io/Refused', status: 'True', reason: 'FailedCreate', message }],
            },
          },
        },
        node: { value: { ...vnode, spec: {} } },
        binding: { value: binding },
        events: { value: [] },
        vnodes: { value: 1 },
        networkPolicies: { value: [] },
      },
      worker: {
        server: 'https://worker',
        where: `${mount}/web`,
        pod: { value: undefined },
        events: { value: [] },
        record: { value: record({ phase: 'Active', allocatable: { cpu: '8', pods: '110' } }) },
        policy: { value: policy('p') },
      },
    },
    'UTC',
  );
  expect(answer && explanationText(answer).trimEnd()).toBe(`Pod default/web: Pending (RefusedByWorker).

Now:
  At home it is bound to vnode-cls-n1, which is Ready.
  The worker cluster has no pod kubeocean-worker/web yet, or any more.
  The worker node n1: lent to b under policy p: cpu 8, pods 110.

Why not, or not more:
  kubeocean.io/Refused (FailedCreate): the worker cluster refused what the pod needs: exceeded quota

What happens next:
  The syncer tries again by itself, ever more rarely, at most 5 min apart.
  No window closes: it stays lent until the policy, the node or the claim changes.`);
});
