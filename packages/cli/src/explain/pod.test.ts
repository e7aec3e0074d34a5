import { Annotation, workerName } from '@kubeocean/shared/api';
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
    ['never again', { ...pod, status: { phase: 'Succeeded' } }, 'next', 'It has ended and is never run again'],
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
  The syncer asks the worker again, ever more rarely, at most 5 min apart.
  No window closes: it stays lent until the policy, the node or the claim changes.`);
});
