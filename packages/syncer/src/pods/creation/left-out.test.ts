import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guardsLost, hostnameWords, leftOut, leftOutWords } from './left-out.ts';
import { arbitraryPod, FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

function without(pod: Pod, change: (spec: Record<string, unknown>, main: Record<string, unknown>) => void): Pod {
  const made = structuredClone(pod);
  change(made.spec, made.spec.containers[0] as Record<string, unknown>);
  return made;
}

const asked = samplePod({
  hostUsers: false,
  resources: { limits: { memory: '1Gi' } },
  securityContext: { supplementalGroupsPolicy: 'Strict', runAsUser: 0 },
  containers: [
    {
      name: 'main',
      image: 'a',
      args: ['-x'],
      env: [
        { name: 'A', value: '' },
        { name: 'B', value: '1' },
      ],
      resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
      restartPolicyRules: [{ action: 'Restart' }],
      lifecycle: { stopSignal: 'SIGUSR1' },
      volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'Enabled' }],
      securityContext: { procMount: 'Default' },
    },
  ],
  volumes: [{ name: 'v', emptyDir: {} }],
  tolerations: [{ key: 'a', operator: 'Exists' }],
});

describe('fields that the worker left out', () => {
  test.each<[string, Parameters<typeof without>[1], string[]]>([
    ['none', () => undefined, []],
    [
      'of the pod',
      (spec) => ['hostUsers', 'resources'].forEach((field) => delete spec[field]),
      ['hostUsers', 'resources'],
    ],
    [
      'zero',
      (spec) => void (spec['securityContext'] = { supplementalGroupsPolicy: 'Strict' }),
      ['securityContext.runAsUser'],
    ],
    [
      'of a container',
      (_, main) => ['lifecycle', 'restartPolicyRules'].forEach((field) => delete main[field]),
      ['containers[main].restartPolicyRules', 'containers[main].lifecycle'],
    ],
    [
      'of a mount',
      (_, main) => void (main['volumeMounts'] = [{ name: 'v', mountPath: '/v' }]),
      ['containers[main].volumeMounts[v].recursiveReadOnly'],
    ],
    ['a variable', (_, main) => void (main['env'] = [{ name: 'B', value: '1' }]), ['containers[main].env[A]']],
    ['a container', (spec) => void (spec['containers'] = [{ name: 'other' }]), ['containers[main]']],
    ['what says nothing', (_, main) => void (main['env'] = [{ name: 'A' }, { name: 'B', value: '1' }]), []],
    ['what is set by default', (_, main) => void delete main['resizePolicy'], []],
    ['procMount, where it is the default', (_, main) => void (main['securityContext'] = {}), []],
    ['whole volumes, which are told by others', (spec) => void (spec['volumes'] = []), []],
    [
      'what was only changed or added',
      (spec, main) => {
        main['image'] = 'mirror/a';
        main['args'] = ['-y', '-z'];
        main['env'] = [
          { name: 'N', value: 'x' },
          { name: 'A', value: 'y' },
          { name: 'B', value: '2' },
        ];
        spec['containers'] = [{ name: 'proxy' }, main];
        spec['tolerations'] = [{ key: 'b' }, { key: 'c' }];
        spec['new'] = 1;
      },
      [],
    ],
  ])('%s', (_, change, paths) => {
    expect(leftOut(asked, without(asked, change))).toEqual(paths);
  });

  test('none of what an API server keeps as it was asked for', () => {
    fc.assert(
      fc.property(arbitraryPod, (home) => {
        const pod = toWorkerPod(home, FACTS);
        expect(leftOut(pod, structuredClone(pod))).toEqual([]);
        expect(guardsLost(pod, structuredClone(pod))).toEqual([]);
      }),
    );
  });

  test('are named, the first ten', () => {
    const spec = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`new${at}`, 1]));
    const words = leftOutWords(samplePod(spec), samplePod());
    expect(words).toContain('without new0, new1,');
    expect(words).toContain('new9 and 2 more: its API server is too old');
    expect(leftOutWords(samplePod(), samplePod())).toBeUndefined();
  });
});

test.each<[string, object, object, string[]]>([
  ['its own users', { hostUsers: false }, {}, ['hostUsers']],
  ['home’s users, which is the default', { hostUsers: true }, {}, []],
  [
    'groups',
    { securityContext: { supplementalGroupsPolicy: 'Strict' } },
    { securityContext: {} },
    ['supplementalGroupsPolicy'],
  ],
  ['groups that are merged', { securityContext: { supplementalGroupsPolicy: 'Merge' } }, {}, []],
  [
    'a profile of the pod',
    { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } },
    {},
    ['appArmorProfile'],
  ],
  [
    'a profile of one container',
    { containers: [{ name: 'a', securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }, { name: 'b' }] },
    { containers: [{ name: 'a' }, { name: 'b', securityContext: { seccompProfile: {} } }] },
    ['seccompProfile'],
  ],
  [
    'what is shown of /proc',
    { containers: [{ name: 'a', securityContext: { procMount: 'Unmasked' } }] },
    { containers: [{ name: 'a', securityContext: { procMount: 'Default' } }] },
    ['procMount'],
  ],
  [
    'mounts that are read-only all the way down',
    { initContainers: [{ name: 'i', volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'Enabled' }] }] },
    { initContainers: [{ name: 'i', volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true }] }] },
    ['recursiveReadOnly'],
  ],
  [
    'mounts that are so where that can be',
    { containers: [{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'IfPossible' }] }] },
    { containers: [{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
    [],
  ],
  [
    'a mount from which nothing is run',
    {
      containers: [
        { name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v', bindMountOptions: ['noexec', 'nodev'] }] },
      ],
    },
    { containers: [{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v', bindMountOptions: ['nodev'] }] }] },
    ['bindMountOptions'],
  ],
  [
    'a directory that is not everybody’s',
    { volumes: [{ name: 'v', emptyDir: { mode: 0o700 } }] },
    { volumes: [{ name: 'v', emptyDir: {} }] },
    ['mode of emptyDir'],
  ],
  [
    'a sidecar, which would be waited for',
    { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
    { initContainers: [{ name: 's' }] },
    ['sidecars'],
  ],
  [
    'a sidecar beside another’s',
    { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
    {
      initContainers: [
        { name: 'proxy', restartPolicy: 'Always' },
        { name: 's', restartPolicy: 'Always' },
      ],
    },
    [],
  ],
  ['limits of the pod as a whole', { resources: { limits: { memory: '1Gi' } } }, {}, ['resources of the pod']],
  ['resources of the pod that say nothing', { resources: { limits: {} } }, {}, []],
  [
    'a container that runs once, which would be run again and again',
    { restartPolicy: 'Always', containers: [{ name: 'a', restartPolicy: 'Never' }, { name: 'b' }] },
    { restartPolicy: 'Always', containers: [{ name: 'a' }, { name: 'b' }] },
    ['restartPolicy of containers'],
  ],
  [
    'an init container that is tried once',
    { restartPolicy: 'Always', initContainers: [{ name: 'i', restartPolicy: 'Never' }] },
    { restartPolicy: 'Always', initContainers: [{ name: 'i' }] },
    ['restartPolicy of containers'],
  ],
  [
    'when a container is started anew',
    {
      restartPolicy: 'Never',
      containers: [{ name: 'a', restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart' }] }],
    },
    { restartPolicy: 'Never', containers: [{ name: 'a' }] },
    ['restartPolicy of containers'],
  ],
  [
    'what a container says as the pod does',
    { restartPolicy: 'Never', containers: [{ name: 'a', restartPolicy: 'Never' }] },
    { restartPolicy: 'Never', containers: [{ name: 'a' }] },
    [],
  ],
])('what a pod must not be run without: %s', (_, wanted, made, lost) => {
  expect(guardsLost(samplePod({ ...wanted }), samplePod({ ...made }))).toEqual(lost);
  expect(guardsLost(samplePod({ ...wanted }), samplePod({ ...wanted }))).toEqual([]);
});

test.each<[string, object, string | undefined]>([
  ['setHostnameAsFQDN', { subdomain: 'team', setHostnameAsFQDN: true }, 'setHostnameAsFQDN'],
  ['hostnameOverride itself', { hostnameOverride: 'db.example' }, 'hostnameOverride'],
  ['neither', {}, undefined],
])('a host name that the worker does not know is told in the words of who asked for it: %s', (_, spec, field) => {
  const home = samplePod({ ...spec });
  const pod = toWorkerPod(home, FACTS);
  const { hostnameOverride: _dropped, ...older } = pod.spec;
  const words =
    field &&
    `the worker cluster is too old for ${field}, which needs Kubernetes 1.35 there: the host name is web-5d9c7b-abcde`;
  expect(hostnameWords(home, pod, { ...pod, spec: older })).toBe(words);
  expect(hostnameWords(home, pod, pod)).toBeUndefined();
});
