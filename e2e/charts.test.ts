/**
 * What the charts render, by the real helm: valid for several kinds of values, no right more than each part needs, pods
 * without privileges, and values that are misspelt or cannot work refused. No cluster is needed.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { type Chart, helmTemplate, programPath, rendered } from './harness/index.ts';
import { find, podSpec, render, rightsOf, verbsOn } from './charts/render.ts';

const bothCharts: Chart[] = ['kubeocean', 'kubeocean-worker'];

/** The value `tenants` with one entry, for `--set`. */
function tenant(namespace: string, serviceAccount: string): string {
  return `tenants[0].namespace=${namespace},tenants[0].serviceAccount=${serviceAccount},tenants[0].bindings[0]=*`;
}

describe('both charts', () => {
  it('pass helm lint', async () => {
    const charts = bothCharts.map((chart) => join(checkout, 'charts', chart));
    const { stdout } = await run([programPath('helm'), 'lint', '--strict', ...charts]);
    expect(stdout).toContain('2 chart(s) linted, 0 chart(s) failed');
  });

  it.each(bothCharts)('%s: no rule has a wildcard', async (chart) => {
    const rules = (await render(chart)).flatMap((object) => object.rules ?? []);
    expect(rules.length).toBeGreaterThan(0);
    for (const rule of rules) expect([...rule.apiGroups, ...rule.resources, ...rule.verbs]).not.toContain('*');
  });

  it.each(bothCharts)('%s: pods run without any privilege', async (chart) => {
    const deployments = (await render(chart)).filter(({ kind }) => kind === 'Deployment');
    expect(deployments).toHaveLength(1);
    for (const deployment of deployments) {
      const spec = podSpec(deployment);
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.volumes.every((volume) => 'configMap' in volume)).toBe(true);
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it.each(bothCharts)(
    '%s: namespaces and kinds stay on uninstall, and all lies in the fixed namespaces',
    async (chart) => {
      const objects = await render(chart);
      const kept = objects.filter(({ kind }) => kind === 'Namespace' || kind === 'CustomResourceDefinition');
      expect(kept.length).toBeGreaterThan(1);
      for (const { metadata } of kept) expect(metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
      const namespaces = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []));
      const expected =
        chart === 'kubeocean'
          ? ['kube-node-lease', 'kube-system', 'kubeocean-system']
          : ['kubeocean-agent', 'kubeocean-worker'];
      expect([...namespaces].toSorted()).toEqual(expected);
    },
  );

  it.each<[Chart, string, string]>([
    ['kubeocean', 'kubeocean-system', 'kubeocean-system'],
    ['kubeocean-worker', 'kubeocean-worker', 'kubeocean-worker'],
    ['kubeocean-worker', 'kubeocean-agent', 'kubeocean-agent'],
  ])('%s does not make the namespace it is installed into (%s)', async (chart, release, namespace) => {
    expect(await rendered(chart, { namespace: release })).not.toMatch(
      new RegExp(`^kind: Namespace\nmetadata:\n  name: "?${namespace}"?$`, 'm'),
    );
  });

  it.each<[Chart, string, RegExp]>([
    ['kubeocean', 'manger.replicas=1', /additional properties 'manger' not allowed/],
    ['kubeocean', 'manager.replica=1', /at '\/manager': additional properties 'replica' not allowed/],
    ['kubeocean', 'manager.replicas=many', /at '\/manager\/replicas': got string, want integer/],
    ['kubeocean', 'syncer.replicas=0', /at '\/syncer\/replicas': minimum: got 0, want 1/],
    ['kubeocean', 'proxier.replicas=0', /at '\/proxier\/replicas': minimum: got 0, want 1/],
    ['kubeocean', 'syncer.replicas=11', /at '\/syncer\/replicas': maximum: got 11, want 10/],
    [
      'kubeocean',
      'proxier.servingCertificate=none',
      /servingCertificate': value must be one of 'self-signed', 'csr', 'secret'/,
    ],
    ['kubeocean', 'image.pullPolicy=Sometimes', /pullPolicy': value must be one of/],
    // null takes a default away, and without it the processes would not start.
    ['kubeocean', 'logLevel=null', /at '': missing property 'logLevel'/],
    ['kubeocean', 'image.pullPolicy=null', /at '\/image': missing property 'pullPolicy'/],
    ['kubeocean', 'syncer.replicas=null', /at '\/syncer': missing property 'replicas'/],
    ['kubeocean', 'proxier.image=null', /at '\/proxier': missing property 'image'/],
    ['kubeocean', 'proxier.priorityClassName=High', /at '\/proxier\/priorityClassName': 'High' does not match/],
    ['kubeocean-worker', 'agent.priorityClassName=a_b', /at '\/agent\/priorityClassName': 'a_b' does not match/],
    ['kubeocean', 'syncer.tolerations[0].value=true', /at '\/syncer\/tolerations\/0\/value': got boolean, want string/],
    ['kubeocean-worker', 'agent.noticeSeconds=null', /at '\/agent': missing property 'noticeSeconds'/],
    ['kubeocean-worker', 'agent.tolerations[0].kye=a', /at '\/agent\/tolerations\/0': additional properties 'kye'/],
    ['kubeocean-worker', 'tenant=a', /additional properties 'tenant' not allowed/],
    ['kubeocean-worker', 'agent.timeZone=+08:00', /at '\/agent\/timeZone'/],
    ['kubeocean-worker', 'tenants[0].namespace=kube-system', /at '\/tenants\/0/],
    ['kubeocean-worker', tenant('kube-system', 'a'), /tenants: the namespace kube-system cannot be a tenant's/],
    ['kubeocean-worker', tenant('kubeocean-agent', 'a'), /tenants: the namespace kubeocean-agent cannot be a tenant's/],
    ['kubeocean-worker', tenant('a', 'default'), /tenants: the serviceAccount of the namespace a cannot be default/],
    [
      'kubeocean-worker',
      'lentPods.volumes={hostpath}',
      /at '\/lentPods\/volumes\/0': value must be one of 'configMap'/,
    ],
    ['kubeocean-worker', 'tenants=null', /missing property 'tenants'/],
  ])('%s refuses %s', async (chart, value, message) => {
    const { status, stderr } = await helmTemplate(chart, { set: [value], anyExit: true });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

describe('kubeocean', () => {
  it('keeps the pods that its manager may make from the nodes', async () => {
    const namespace = (await render('kubeocean')).find(({ kind }) => kind === 'Namespace');
    expect(namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce']).toBe('baseline');
  });

  it('gives the manager no Secrets outside kubeocean-system, and no way to make or widen a role', async () => {
    for (const certificate of ['self-signed', 'csr', 'secret']) {
      const objects = await render('kubeocean', `proxier.servingCertificate=${certificate}`);
      const cluster = rightsOf(objects, 'kubeocean-manager');
      for (const resource of ['secrets', 'pods', 'nodes', 'configmaps', 'roles', 'serviceaccounts/token']) {
        expect([resource, verbsOn(cluster, resource)]).toEqual([resource, []]);
      }
      expect(verbsOn(cluster, 'clusterroles')).toEqual(['bind']);
      const bind = cluster.find(({ verbs }) => verbs.includes('bind'));
      expect(bind?.resourceNames).toEqual(['kubeocean-syncer', 'kubeocean-proxier', 'kubeocean-syncer-leases']);
      const own = rightsOf(objects, 'kubeocean-manager', 'kubeocean-system');
      expect(verbsOn(own, 'secrets')).toEqual(['get', 'list', 'watch']);
      expect(verbsOn(own, 'roles')).toEqual([]);
      const leases = rightsOf(objects, 'kubeocean-manager', 'kube-node-lease');
      expect(leases.flatMap(({ resources }) => resources)).toEqual(['rolebindings']);
    }
  });

  it('lets certificates be approved only where the cluster signs them, and only of the kubelet-serving signer', async () => {
    expect(verbsOn(rightsOf(await render('kubeocean'), 'kubeocean-manager'), 'signers')).toEqual([]);
    const rules = rightsOf(await render('kubeocean', 'proxier.servingCertificate=csr'), 'kubeocean-manager');
    const approve = rules.filter(({ verbs }) => verbs.includes('approve'));
    expect(approve.map(({ resourceNames }) => resourceNames)).toEqual([['kubernetes.io/kubelet-serving']]);
  });

  it('lets syncers read Secrets but not write them, and proxiers neither', async () => {
    const objects = await render('kubeocean');
    const syncer = find(objects, 'ClusterRole', 'kubeocean-syncer').rules ?? [];
    expect(verbsOn(syncer, 'secrets')).toEqual(['get', 'list', 'watch']);
    expect(verbsOn(syncer, 'pods')).toEqual(['delete', 'get', 'list', 'patch', 'watch']);
    const proxier = find(objects, 'ClusterRole', 'kubeocean-proxier').rules ?? [];
    expect(verbsOn(proxier, 'secrets')).toEqual([]);
    const written = proxier.filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)));
    expect(written.flatMap(({ resources }) => resources)).toEqual(['tokenreviews', 'subjectaccessreviews']);
  });

  it('hands images and options to the manager', async () => {
    const objects = await render(
      'kubeocean',
      'image.tag=v9',
      'clusterDNS={10.0.0.10,fd00::a}',
      'syncer.replicas=1',
      'syncer.extraArgs={--mirror-normal-events=true}',
      'proxier.priorityClassName=system-cluster-critical',
    );
    const spec = podSpec(find(objects, 'Deployment', 'kubeocean-manager', 'kubeocean-system'));
    const [container] = spec.containers;
    expect(container?.image).toBe('kubeocean/kubeocean-manager:v9');
    expect(container?.args).toEqual(
      expect.arrayContaining([
        '--syncer-image=kubeocean/kubeocean-syncer:v9',
        '--proxier-image=kubeocean/kubeocean-proxier:v9',
        '--syncer-replicas=1',
        '--proxier-replicas=2',
        '--image-pull-policy=IfNotPresent',
        '--serving-certificate=self-signed',
        '--cluster-dns=10.0.0.10,fd00::a',
      ]),
    );
    const config = find(objects, 'ConfigMap', 'kubeocean-manager', 'kubeocean-system').data?.['workloads.json'];
    expect(JSON.parse(config ?? '')).toMatchObject({
      syncer: { extraArgs: ['--mirror-normal-events=true'] },
      proxier: { resources: {}, priorityClassName: 'system-cluster-critical' },
    });
    expect(JSON.stringify(spec.affinity)).toContain('"key":"type","operator":"NotIn","values":["virtual-kubelet"]');
  });

  it.each<[Chart, string, string]>([
    ['kubeocean', 'manager', 'kubeocean-system'],
    ['kubeocean-worker', 'agent', 'kubeocean-agent'],
  ])('%s gives the %s a priority class when it is told one', async (chart, part, namespace) => {
    const classOf = async (...values: string[]) =>
      podSpec(find(await render(chart, ...values), 'Deployment', `kubeocean-${part}`, namespace)).priorityClassName;
    expect(await classOf()).toBeUndefined();
    expect(await classOf(`${part}.priorityClassName=null`)).toBeUndefined();
    expect(await classOf(`${part}.priorityClassName=system-cluster-critical`)).toBe('system-cluster-critical');
  });

  it('takes resources off that are null, for the syncers and proxiers as for the manager', async () => {
    const objects = await render('kubeocean', 'manager.resources=null', 'syncer.resources=null');
    const [manager] = podSpec(find(objects, 'Deployment', 'kubeocean-manager', 'kubeocean-system')).containers;
    expect(manager).not.toHaveProperty('resources.limits');
    const config = find(objects, 'ConfigMap', 'kubeocean-manager', 'kubeocean-system').data?.['workloads.json'];
    expect(JSON.parse(config ?? '')).toMatchObject({ syncer: { resources: {} } });
    expect(JSON.parse(config ?? '')).not.toHaveProperty('syncer.resources.limits');
    expect(JSON.parse(config ?? '')).toHaveProperty('proxier.resources.limits');
  });
});
