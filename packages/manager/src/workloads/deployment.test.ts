import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { binding, settings as plain } from '../bindings/fixtures.ts';
import type { Settings } from '../settings.ts';
import { accessObjects } from './access.ts';
import { deployment } from './deployment.ts';
import type { ComponentName } from './made.ts';

const settings: Settings = {
  ...plain,
  syncer: { ...plain.syncer, image: 'repo/syncer:v1' },
  proxier: { ...plain.proxier, image: 'repo/proxier:v1', replicas: 3 },
  clusterDNS: '10.0.0.10',
};

interface PodSpec {
  containers: [
    { args: string[]; image: string; securityContext: object; volumeMounts: { name: string; mountPath: string }[] },
  ];
  volumes: { name: string; secret: object }[];
  securityContext: object;
  terminationGracePeriodSeconds: number;
}

function render(component: ComponentName, change: Partial<Settings> = {}, name = 'a') {
  const { object } = deployment(binding(name), component, { ...settings, ...change });
  const { replicas, selector, template } = object['spec'] as {
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  };
  return {
    object,
    replicas,
    selector,
    labels: template.metadata.labels,
    pod: template.spec,
    container: template.spec.containers[0],
  };
}

const hash = (object: KubeObject) => object.metadata.annotations?.['kubeocean.io/template-hash'];

describe('deployment', () => {
  it.each<[ComponentName, number, number, string[]]>([
    [
      'syncer',
      2,
      // More than the 25 after which the process says that it is late, and ends.
      30,
      [
        '--cluster-binding-name=a',
        '--worker-kubeconfig=/etc/kubeocean/worker/kubeconfig',
        '--log-level=info',
        '--leader-election-id=kubeocean-syncer-cls-example',
        '--cluster-dns=10.0.0.10',
        '--cluster-domain=cluster.local',
      ],
    ],
    [
      'proxier',
      3,
      45,
      [
        '--cluster-binding-name=a',
        '--worker-kubeconfig=/etc/kubeocean/worker/kubeconfig',
        '--log-level=info',
        '--serving-certificate=csr',
      ],
    ],
  ])('%s: name, owner, selector, flags', (component, replicas, grace, args) => {
    const made = render(component);
    expect(made.object.metadata).toMatchObject({
      name: `kubeocean-${component}-cls-example`,
      namespace: 'kubeocean-system',
      ownerReferences: [{ kind: 'ClusterBinding', name: 'a', uid: 'uid-of-a', controller: true }],
    });
    expect(made.selector.matchLabels).toEqual({
      'kubeocean.io/cluster-binding': 'a',
      'kubeocean.io/component': component,
    });
    expect(made.labels).toMatchObject({
      ...made.selector.matchLabels,
      'app.kubernetes.io/name': `kubeocean-${component}`,
    });
    expect(made.replicas).toBe(replicas);
    expect(made.container.args).toEqual(args);
    expect(made.pod.terminationGracePeriodSeconds).toBe(grace);
  });

  it.each<ComponentName>(['syncer', 'proxier'])('%s: runs with nothing it does not need', (component) => {
    const { pod, container } = render(component);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.volumes[0]).toMatchObject({
      secret: {
        secretName: 'worker-cluster-kubeconfig',
        defaultMode: 0o440,
        items: [{ key: 'kubeconfig', path: 'kubeconfig' }],
      },
    });
    expect(container.volumeMounts[0]).toMatchObject({ mountPath: '/etc/kubeocean/worker' });
    expect(JSON.stringify(pod)).toContain('"key":"type","operator":"NotIn","values":["virtual-kubelet"]');
  });

  it('mounts a serving certificate only for the proxier that takes one from a Secret', () => {
    const { pod, container } = render('proxier', { servingCertificate: 'secret' });
    expect(pod.volumes[1]).toMatchObject({ secret: { secretName: 'kubeocean-proxier-cls-example-tls' } });
    expect(container.args).toContain('--serving-certificate-secret-dir=/etc/kubeocean/serving');
    expect(render('syncer', { servingCertificate: 'secret' }).pod.volumes).toHaveLength(1);
  });

  it('changes its hash with what is rendered, and only then', () => {
    const { object } = render('syncer');
    expect(hash(render('syncer').object)).toBe(hash(object));
    const image = { syncer: { ...settings.syncer, image: 'repo/syncer:v2' } };
    expect(hash(render('syncer', image).object)).not.toBe(hash(object));
    expect(hash(render('syncer', {}, 'b').object)).not.toBe(hash(object));
  });
});

describe('accessObjects', () => {
  it('binds the roles of the chart, the leases only in two namespaces', () => {
    const list = accessObjects(binding('a')).map(({ resource, object }) => {
      const role = (object['roleRef'] as { name: string } | undefined)?.name ?? '';
      return `${resource.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name} ${role}`.trim();
    });
    expect(list).toEqual([
      'ServiceAccount kubeocean-system/kubeocean-syncer-cls-example',
      'ClusterRoleBinding /kubeocean-syncer-cls-example kubeocean-syncer',
      'ServiceAccount kubeocean-system/kubeocean-proxier-cls-example',
      'ClusterRoleBinding /kubeocean-proxier-cls-example kubeocean-proxier',
      'RoleBinding kubeocean-system/kubeocean-syncer-cls-example kubeocean-syncer-leases',
      'RoleBinding kube-node-lease/kubeocean-syncer-cls-example kubeocean-syncer-leases',
      'Service kubeocean-system/kubeocean-proxier-cls-example',
    ]);
  });

  it('of a proxier: one more before one less, and time for its sessions as its flags say', () => {
    const { object, pod } = render('proxier');
    expect((object['spec'] as { strategy: object }).strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    expect(pod.terminationGracePeriodSeconds).toBe(45);
    expect((render('syncer').object['spec'] as { strategy?: object }).strategy).toBeUndefined();
  });

  it.each<[string[], number]>([
    [['--drain-seconds=300'], 315],
    [['--drain-seconds', '600'], 615],
    [['--serving-certificate-secret-dir', '--drain-seconds=7', '--drain-seconds', '0'], 15],
    [['--session-limit=5', '--drain-seconds', '60', '--log-level', 'debug'], 45],
    [['--drain-seconds=soon'], 45],
    [['--help'], 45],
  ])('of a proxier with %j ends after the time that the proxier itself reads in them', (extraArgs, seconds) => {
    const proxier = { ...settings.proxier, extraArgs };
    expect(render('proxier', { proxier }).pod.terminationGracePeriodSeconds).toBe(seconds);
  });

  it.each<ComponentName>(['syncer', 'proxier'])('%s: the priority class that it is told, if any', (component) => {
    expect(render(component).pod).not.toHaveProperty('priorityClassName');
    const told = { ...settings[component], priorityClassName: 'system-cluster-critical' };
    expect(render(component, { [component]: told }).pod).toMatchObject({
      priorityClassName: 'system-cluster-critical',
    });
  });

  it.each<ComponentName>(['syncer', 'proxier'])('%s: pull secrets, if there are any', (component) => {
    expect(render(component).pod).not.toHaveProperty('imagePullSecrets');
    expect(render(component, { imagePullSecrets: ['a', 'b'] }).pod).toMatchObject({
      imagePullSecrets: [{ name: 'a' }, { name: 'b' }],
    });
  });
});
