import { describe, expect, it } from 'vitest';
import { podRequests, type PodForRequests, requestsText } from './requests.ts';
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
    'is what the pod as a whole asks for in cpu, memory and huge pages, and in nothing else',
    {
      containers: [container('a', '100m', '64Mi')],
      resources: { requests: { cpu: '1', memory: '1Gi', 'hugepages-2Mi': '4Mi', 'ephemeral-storage': '9Gi' } },
    },
    { cpu: '1', memory: '1Gi', 'hugepages-2Mi': '4Mi', pods: '1' },
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

  it.each([
    ['what is set aside for a container', { containerStatuses: [{ name: 'a', allocatedResources: { cpu: '3' } }] }],
    [
      'what an init container has',
      {
        initContainerStatuses: [{ name: 'i', resources: { requests: { cpu: '3' } }, allocatedResources: { cpu: '2' } }],
      },
    ],
  ])('being resized counts %s', (_, status) => {
    const spec = { containers: [container('a', '1')], initContainers: [container('i', '1')] };
    expect(requests(spec, status)).toEqual({ cpu: '3', pods: '1' });
  });

  it('whose resize is infeasible does not count what was asked for', () => {
    const status = {
      containerStatuses: [{ name: 'a', resources: { requests: { cpu: '1' } } }],
      conditions: [{ type: 'PodResizePending', reason: 'Infeasible' }],
    };
    expect(requests({ containers: [container('a', '100')] }, status)).toEqual({ cpu: '1', pods: '1' });
  });

  describe('with requests of its own that is being resized', () => {
    const spec = { containers: [container('a', '500m', '1Gi')], resources: { requests: { cpu: '1' } } };
    const deferred = [{ type: 'PodResizePending', reason: 'Deferred' }];
    const infeasible = [{ type: 'PodResizePending', reason: 'Infeasible' }];
    const both = { resources: { requests: { cpu: '6' } }, allocatedResources: { cpu: '4' } };

    it.each([
      ['counts what is in force', { ...both, conditions: deferred }, '6'],
      ['counts what is set aside', { resources: { requests: { cpu: '2' } }, allocatedResources: { cpu: '4' } }, '4'],
      ['counts what is set aside alone', { resources: {}, allocatedResources: { cpu: '4' } }, '4'],
      [
        'counts what is asked for',
        { resources: { requests: { cpu: '500m' } }, allocatedResources: { cpu: '700m' } },
        '1',
      ],
      ['counts what is asked for where the kubelet says nothing', { conditions: deferred }, '1'],
      ['counts what is asked for where it says only what is set aside', { allocatedResources: { cpu: '4' } }, '1'],
    ])('%s', (_, status, cpu) => expect(requests(spec, status)).toEqual({ cpu, memory: '1Gi', pods: '1' }));

    it('counts what is in force whatever else it asks for', () => {
      const asking = { ...spec, resources: { requests: { cpu: '1', 'example.com/gpu': '9' } } };
      expect(requests(asking, both)).toEqual({ cpu: '6', memory: '1Gi', pods: '1' });
    });

    it('does not count what is infeasible', () => {
      const asking = { ...spec, resources: { requests: { cpu: '100' } } };
      expect(requests(asking, { ...both, conditions: infeasible })['cpu']).toBe('6');
    });
  });

  it('without requests of its own counts what its containers ask for where the kubelet does not tell all that it has', () => {
    const spec = { containers: [container('a', '2', '1Gi')] };
    for (const cpu of ['1', '5']) {
      expect(requests(spec, { resources: { requests: { cpu } } })).toEqual({ cpu: '2', memory: '1Gi', pods: '1' });
    }
  });

  it('without requests of its own counts what the kubelet set aside for it as a whole', () => {
    const status = { resources: { requests: { cpu: '1' } }, allocatedResources: { cpu: '3' } };
    expect(requests({ containers: [container('a', '2', '1Gi')] }, status)).toEqual({
      cpu: '3',
      memory: '1Gi',
      pods: '1',
    });
  });
});

describe('the text by which pods are known to take the same', () => {
  const spec = { containers: [container('a', '1')], resources: { requests: { cpu: '1' } } };
  const metadata = { name: 'p' };

  it.each([
    { resources: {} },
    { resources: { requests: { cpu: '6' } } },
    { allocatedResources: { cpu: '6' } },
    { conditions: [{ type: 'PodResizePending', reason: 'Infeasible' }] },
  ])('differs by what is told of the whole pod: %j', (status) => {
    expect(requestsText({ metadata, spec, status })).not.toBe(requestsText({ metadata, spec }));
  });

  it('differs by every amount, and by whether there is any', () => {
    const given = (of: Record<string, unknown>) => [of, { resources: {} }, { resources: { requests: { cpu: '1' } } }];
    const one = (cpu: string) => ({ resources: { requests: { cpu } } });
    const statuses: Record<string, unknown>[] = [
      ...given({}),
      one('2'),
      ...['containerStatuses', 'initContainerStatuses'].flatMap((list) =>
        [...given({}), one('2'), { allocatedResources: { cpu: '1' } }].map((of) => ({
          [list]: [{ name: 'a', ...of }],
        })),
      ),
    ];
    const texts = statuses.map((status) => requestsText({ metadata, spec, status }));
    expect(new Set(texts).size).toBe(texts.length);
  });
});
