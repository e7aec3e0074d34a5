/** What the worker's chart renders, by the real helm: whose rights go how far, and what the values do. */
import { describe, expect, it } from 'vitest';
import { find, render, renderWith, rightsOf, verbsOn } from './charts/render.ts';
import { helmTemplate } from './harness/index.ts';

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

  it('takes names of tenants that YAML alone would read as numbers or truth', async () => {
    const tenants = [
      { namespace: '1234', serviceAccount: '1e3', bindings: ['*'] },
      { namespace: 'true', serviceAccount: '0', bindings: ['*'] },
    ];
    const networkPolicy = { mode: 'restricted', computingCIDRs: [], allowedCIDRs: [] };
    const values = { tenants, networkPolicy, quota: { 'count/pods': 1 }, 'image.pullSecrets': ['5'] };
    const objects = await renderWith('kubeocean-worker', { values });
    for (const { namespace, serviceAccount } of tenants) {
      const named = rightsOf(objects, serviceAccount, namespace).flatMap(({ resourceNames = [] }) => resourceNames);
      expect(named).toEqual([serviceAccount, namespace]);
      for (const kind of ['ResourceQuota', 'NetworkPolicy']) find(objects, kind, 'kubeocean-tenants', namespace);
    }
  });

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
    const set = twoTenants.map((value) => value.replace('lend-b', 'lend-a'));
    const { status, stderr } = await helmTemplate('kubeocean-worker', { set, anyExit: true });
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
