import { describe, expect, it } from 'vitest';
import { podRequests, type PodForRequests } from './requests.ts';
import { formatResources } from './resources.ts';

type Spec = PodForRequests['spec'];

function requests(spec: Spec, status?: PodForRequests['status']): Record<string, string> {
  return formatResources(podRequests({ metadata: { name: 'p' }, spec, ...(status && { status }) }));
}

function container(name: string, cpu?: string, memory?: string, restartPolicy?: string) {
  return {
    name,
    resources: { requests: { ...(cpu && { cpu }), ...(memory && { memory }) } },
    ...(restartPolicy && { restartPolicy }),
  };
}

const cases: [string, Spec, Record<string, string>][] = [
  ['without requests is one pod', { containers: [{ name: 'a' }] }, { pods: '1' }],
  [
    'adds up its containers',
    { containers: [container('a', '100m', '64Mi'), container('b', '1', '1Gi')] },
    { cpu: '1100m', memory: '1088Mi', pods: '1' },
  ],
  [
    'takes an init container where it needs more',
    { containers: [container('a', '100m', '1Gi')], initContainers: [container('i', '2', '10Mi')] },
    { cpu: '2', memory: '1Gi', pods: '1' },
  ],
  [
    'adds a sidecar to its containers',
    { containers: [container('a', '1')], initContainers: [container('s', '500m', '', 'Always')] },
    { cpu: '1500m', pods: '1' },
  ],
  [
    'adds earlier sidecars, and only those, to an init container',
    {
      containers: [container('a', '1')],
      initContainers: [
        container('before', '1', '', 'Always'),
        container('i', '4'),
        container('after', '500m', '', 'Always'),
      ],
    },
    { cpu: '5', pods: '1' },
  ],
  [
    'adds overhead',
    { containers: [container('a', '1')], overhead: { cpu: '250m', memory: '120Mi' } },
    { cpu: '1250m', memory: '120Mi', pods: '1' },
  ],
  [
    'lets pod-level requests replace what containers ask for, per resource',
    { containers: [container('a', '1', '1Gi')], resources: { requests: { cpu: '3', 'example.com/gpu': '9' } } },
    { cpu: '3', memory: '1Gi', pods: '1' },
  ],
];

describe('a pod', () => {
  it.each(cases)('%s', (_, spec, expected) => expect(requests(spec)).toEqual(expected));

  it('being resized counts the largest of asked for, set aside and in force', () => {
    const status = {
      containerStatuses: [
        { name: 'a', resources: { requests: { cpu: '3', memory: '1Gi' } }, allocatedResources: { cpu: '2' } },
      ],
    };
    expect(requests({ containers: [container('a', '1', '2Gi')] }, status)).toEqual({
      cpu: '3',
      memory: '2Gi',
      pods: '1',
    });
  });

  it('whose resize is infeasible does not count what was asked for', () => {
    const status = {
      containerStatuses: [{ name: 'a', resources: { requests: { cpu: '1' } } }],
      conditions: [{ type: 'PodResizePending', reason: 'Infeasible' }],
    };
    expect(requests({ containers: [container('a', '100')] }, status)).toEqual({ cpu: '1', pods: '1' });
  });
});
