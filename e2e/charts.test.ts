/**
 * What the charts render, by the real helm: valid for several kinds of values, no right more than each part needs, pods
 * without privileges, and values that are misspelt or cannot work refused. No cluster is needed.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, type RunResult } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { programPath } from './harness/index.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

interface Rendered {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  rules?: Rule[];
  subjects?: { kind: string; name: string; namespace?: string }[];
  roleRef?: { kind: string; name: string };
  data?: Record<string, string>;
  spec?: { replicas?: number; template?: { spec: PodSpec } };
  [field: string]: unknown;
}

interface PodSpec {
  serviceAccountName: string;
  securityContext: Record<string, unknown>;
  affinity: Record<string, unknown>;
  containers: { image: string; imagePullPolicy: string; args: string[]; securityContext: Record<string, unknown> }[];
  volumes: Record<string, unknown>[];
}

type Chart = 'kubeocean' | 'kubeocean-worker';

function template(chart: Chart, values: string[], anyExit = false): Promise<RunResult> {
  const set = values.flatMap((value) => ['--set', value]);
  const command = [programPath('helm'), 'template', chart, join(checkout, 'charts', chart), '--kube-version', '1.34.0'];
  return run([...command, ...set], { anyExit });
}

/** The objects of a chart; kubectl reads the YAML, as it would to apply it. */
async function render(chart: Chart, ...values: string[]): Promise<Rendered[]> {
  const { stdout } = await template(chart, values);
  const { stdout: json } = await run(
    [programPath('kubectl'), 'patch', '--local', '--type=merge', '-p', '{}', '-f', '-', '-o', 'json'],
    { input: stdout },
  );
  // kubectl prints one object after the other.
  const objects = JSON.parse(`[${json.trim().replaceAll(/^\}\n\{$/gm, '},\n{')}]`) as (Rendered & {
    items?: Rendered[];
  })[];
  return objects.flatMap((object) => object.items ?? [object]);
}

function find(objects: Rendered[], kind: string, name: string, namespace?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
  );
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${namespace ?? ''}/${name} instead of 1`);
  return found[0] as Rendered;
}

function podSpec(deployment: Rendered): PodSpec {
  const spec = deployment.spec?.template?.spec;
  if (!spec) throw new Error(`${deployment.kind} ${deployment.metadata.name} has no pods`);
  return spec;
}

/** All rules bound to a ServiceAccount cluster-wide, or in a namespace. */
function rightsOf(objects: Rendered[], account: string, namespace?: string): Rule[] {
  const kind = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
  return objects
    .filter((object) => object.kind === kind && object.metadata.namespace === namespace)
    .filter(({ subjects }) =>
      subjects?.some((subject) => subject.kind === 'ServiceAccount' && subject.name === account),
    )
    .flatMap(({ roleRef }) => {
      if (!roleRef) return [];
      return find(objects, roleRef.kind, roleRef.name, roleRef.kind === 'Role' ? namespace : undefined).rules ?? [];
    });
}

function verbsOn(rules: Rule[], resource: string): string[] {
  return rules
    .filter(({ resources }) => resources.includes(resource) || resources.includes('*'))
    .flatMap(({ verbs }) => verbs)
    .toSorted();
}

const bothCharts: Chart[] = ['kubeocean', 'kubeocean-worker'];

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
    const folder = join(checkout, 'charts', chart);
    const command = [programPath('helm'), 'template', chart, folder, '--kube-version', '1.34.0', '-n', release];
    const { stdout } = await run(command);
    expect(stdout).not.toMatch(new RegExp(`^kind: Namespace\nmetadata:\n  name: ${namespace}$`, 'm'));
  });

  it.each<[Chart, string, RegExp]>([
    ['kubeocean', 'manger.replicas=1', /additional properties 'manger' not allowed/],
    ['kubeocean', 'manager.replica=1', /at '\/manager': additional properties 'replica' not allowed/],
    ['kubeocean', 'manager.replicas=many', /at '\/manager\/replicas': got string, want integer/],
    [
      'kubeocean',
      'proxier.servingCertificate=none',
      /servingCertificate': value must be one of 'self-signed', 'csr', 'secret'/,
    ],
    ['kubeocean', 'image.pullPolicy=Sometimes', /pullPolicy': value must be one of/],
    ['kubeocean-worker', 'tenant=a', /additional properties 'tenant' not allowed/],
    ['kubeocean-worker', 'agent.timeZone=+08:00', /at '\/agent\/timeZone'/],
    ['kubeocean-worker', 'tenants[0].namespace=kube-system', /at '\/tenants\/0/],
    ['kubeocean-worker', 'tenants=null', /missing property 'tenants'/],
  ])('%s refuses %s', async (chart, value, message) => {
    const { status, stderr } = await template(chart, [value], true);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

describe('kubeocean', () => {
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
      'syncer.extraArgs={--log-level=debug}',
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
      syncer: { extraArgs: ['--log-level=debug'] },
      proxier: { resources: {} },
    });
    expect(JSON.stringify(spec.affinity)).toContain('"key":"type","operator":"NotIn","values":["virtual-kubelet"]');
  });
});

const twoTenants = [
  'tenants[0].namespace=lend-a',
  'tenants[0].serviceAccount=a',
  'tenants[0].bindings={one,two}',
  'tenants[1].namespace=lend-b',
  'tenants[1].serviceAccount=b',
  'tenants[1].bindings={*}',
];

describe('kubeocean-worker', () => {
  it.each([
    ['default', [], [['kubeocean-worker', 'kubeocean-syncer']]],
    [
      'two tenants',
      twoTenants,
      [
        ['lend-a', 'a'],
        ['lend-b', 'b'],
      ],
    ],
  ])(
    "%s: a syncer's credential is one Role in its own namespace, and the agent's port of metrics",
    async (_, values, tenants) => {
      const objects = await render('kubeocean-worker', ...values);
      for (const [namespace, account] of tenants as [string, string][]) {
        const bindings = objects.filter(({ subjects }) =>
          subjects?.some((subject) => subject.name === account && subject.namespace === namespace),
        );
        expect(bindings.map(({ kind, metadata }) => [kind, metadata.namespace])).toEqual(
          expect.arrayContaining([
            ['RoleBinding', namespace],
            ['RoleBinding', 'kubeocean-agent'],
          ]),
        );
        expect(bindings).toHaveLength(2);
        expect(rightsOf(objects, account, 'kubeocean-agent')).toEqual([
          {
            apiGroups: [''],
            resources: ['services/proxy'],
            resourceNames: ['https:kubeocean-agent:stats'],
            verbs: ['get'],
          },
        ]);
        const rights = rightsOf(objects, account, namespace);
        for (const resource of ['leasednodes', 'events'])
          expect(verbsOn(rights, resource)).toEqual(['get', 'list', 'watch']);
        for (const resource of [
          'roles',
          'rolebindings',
          'pods/status',
          'pods/binding',
          'leasednodes/status',
          'nodes',
        ]) {
          expect([resource, verbsOn(rights, resource)]).toEqual([resource, []]);
        }
        const tokens = rights.filter(({ resources }) => resources.includes('serviceaccounts/token'));
        expect(tokens.map(({ resourceNames }) => resourceNames)).toEqual([[account]]);
        const secret = find(objects, 'Secret', account, namespace);
        expect(secret.metadata.annotations?.['kubernetes.io/service-account.name']).toBe(account);
        const labels = find(objects, 'Namespace', namespace).metadata.labels;
        for (const mode of ['enforce', 'warn', 'audit']) {
          expect(labels?.[`pod-security.kubernetes.io/${mode}`]).toBe('baseline');
        }
      }
    },
  );

  it('lets the agent write only in the mount namespaces, and read no Secret', async () => {
    const objects = await render('kubeocean-worker', ...twoTenants);
    const cluster = rightsOf(objects, 'kubeocean-agent');
    const written = cluster.filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)));
    expect(written.flatMap(({ resources }) => resources)).toEqual([
      'resourceleasingpolicies/status',
      'events',
      'tokenreviews',
    ]);
    // Kubelets are read with another account's tokens: the agent's own opens nothing there.
    expect(cluster.flatMap(({ resources }) => resources).filter((name) => name.startsWith('nodes/'))).toEqual([]);
    expect(rightsOf(objects, 'kubeocean-agent-stats')).toEqual([
      { apiGroups: [''], resources: ['nodes/metrics', 'nodes/stats'], verbs: ['get'] },
    ]);
    const tokens = rightsOf(objects, 'kubeocean-agent', 'kubeocean-agent').filter(({ resources }) =>
      resources.includes('serviceaccounts/token'),
    );
    expect(tokens.map(({ resourceNames }) => resourceNames)).toEqual([['kubeocean-agent-stats']]);
    const all = ['lend-a', 'lend-b', 'kubeocean-agent'].flatMap((name) => rightsOf(objects, 'kubeocean-agent', name));
    expect(verbsOn([...cluster, ...all], 'secrets')).toEqual([]);
    expect(verbsOn(rightsOf(objects, 'kubeocean-agent', 'lend-b'), 'pods/eviction')).toEqual(['create']);
  });

  it('tells the agent its tenants', async () => {
    const objects = await render('kubeocean-worker', ...twoTenants);
    const config = find(objects, 'ConfigMap', 'kubeocean-agent', 'kubeocean-agent').data?.['tenants.json'];
    expect(JSON.parse(config ?? '')).toEqual([
      { namespace: 'lend-a', serviceAccount: 'a', bindings: ['one', 'two'] },
      { namespace: 'lend-b', serviceAccount: 'b', bindings: ['*'] },
    ]);
  });

  it('guards the mount namespaces by policies that touch no other namespace', async () => {
    const objects = await render('kubeocean-worker', ...twoTenants);
    for (const name of ['kubeocean-tenants', 'kubeocean-tenants-objects', 'kubeocean-tenants-volumes']) {
      const { spec } = find(objects, 'ValidatingAdmissionPolicy', name) as { spec?: Record<string, unknown> };
      expect(spec?.['failurePolicy']).toBe('Fail');
      const key = 'kubernetes.io/metadata.name';
      expect(spec?.['matchConstraints']).toMatchObject({
        namespaceSelector: { matchExpressions: [{ key, operator: 'In', values: ['lend-a', 'lend-b'] }] },
      });
      expect(JSON.stringify(spec?.['matchConditions'])).toContain(
        String.raw`[\"system:serviceaccounts:lend-a\",\"system:serviceaccounts:lend-b\"]`,
      );
      const binding = find(objects, 'ValidatingAdmissionPolicyBinding', name) as { spec?: Record<string, unknown> };
      expect(binding.spec).toMatchObject({ policyName: name, validationActions: ['Deny'] });
    }
    const all = ['lend-a', 'lend-b'].flatMap((namespace) => [
      ...rightsOf(objects, 'a', namespace),
      ...rightsOf(objects, 'b', namespace),
    ]);
    expect(verbsOn(all, 'leaseguards')).toEqual([]);
  });

  it('caps the mount namespaces only when asked to', async () => {
    const plain = await render('kubeocean-worker', ...twoTenants);
    expect(plain.filter(({ kind }) => kind === 'ResourceQuota')).toEqual([]);
    const objects = await render('kubeocean-worker', ...twoTenants, 'quota.count/pods=2000');
    for (const namespace of ['lend-a', 'lend-b']) {
      const { spec } = find(objects, 'ResourceQuota', 'kubeocean-tenants', namespace);
      expect(spec).toMatchObject({ hard: { 'count/pods': 2000 } });
    }
  });

  it('limits the network of lent pods only when asked to', async () => {
    const plain = await render('kubeocean-worker', ...twoTenants);
    expect(plain.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
    const objects = await render(
      'kubeocean-worker',
      ...twoTenants,
      'networkPolicy.mode=restricted',
      'networkPolicy.computingCIDRs={10.20.0.0/16}',
      'networkPolicy.allowedCIDRs[0].cidr=0.0.0.0/0',
      'networkPolicy.allowedCIDRs[0].except={169.254.0.0/16}',
    );
    const blocks = [
      { podSelector: {} },
      { ipBlock: { cidr: '10.20.0.0/16' } },
      { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
    ];
    for (const namespace of ['lend-a', 'lend-b']) {
      expect(find(objects, 'NetworkPolicy', 'kubeocean-tenants', namespace).spec).toMatchObject({
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: blocks }],
        egress: [{ to: blocks }, { ports: [{ port: 53 }, { port: 53 }] }],
      });
    }
  });

  it('refuses two tenants in one namespace', async () => {
    const values = twoTenants.map((value) => value.replace('lend-b', 'lend-a'));
    const { status, stderr } = await template('kubeocean-worker', values, true);
    expect(status).not.toBe(0);
    expect(stderr).toContain(
      'the namespace lend-a is given twice; each computing cluster needs a namespace of its own',
    );
  });

  it('runs lent pods below everything, preempting nothing', async () => {
    const priority = find(await render('kubeocean-worker'), 'PriorityClass', 'kubeocean-default');
    expect(priority).toMatchObject({ value: -10000, preemptionPolicy: 'Never', globalDefault: false });
  });
});
