/**
 * The rights that a worker's owner and a platform team give away, exactly: one that is added shows here, and has to be
 * argued for. No cluster is needed. What they can be misused for is tried in e2e/trust*.test.ts and e2e/home-trust.test.ts.
 */
import { expect, it } from 'vitest';
import { find, render, type Rule } from './charts/render.ts';

const ALL = 'create delete get list patch update watch';
const READ = 'get list watch';

/** `group/resource` (with the names it is limited to) and its verbs. */
function flat(rules: readonly Rule[] = []): Record<string, string> {
  const rights: Record<string, string> = {};
  for (const { apiGroups, resources, resourceNames, verbs } of rules) {
    for (const group of apiGroups) {
      for (const resource of resources) {
        const key = `${group}/${resource}${resourceNames ? ` ${resourceNames.join(' ')}` : ''}`;
        expect(rights, 'given twice').not.toHaveProperty([key]);
        rights[key] = verbs.toSorted().join(' ');
      }
    }
  }
  return rights;
}

it('a computing cluster’s credential in the worker', async () => {
  const objects = await render(
    'kubeocean-worker',
    'tenants[0].namespace=lend-a',
    'tenants[0].serviceAccount=a',
    'tenants[0].bindings={one}',
  );
  expect(flat(find(objects, 'Role', 'a', 'lend-a').rules)).toEqual({
    '/pods': ALL,
    '/pods/log': 'get',
    '/pods/exec': 'create get',
    '/pods/attach': 'create get',
    '/pods/portforward': 'create get',
    '/pods/ephemeralcontainers': 'patch update',
    '/pods/resize': 'patch update',
    '/configmaps': ALL,
    '/secrets': ALL,
    '/persistentvolumeclaims': ALL,
    'coordination.k8s.io/leases': ALL,
    'cloud.tencent.com/leasednodes': READ,
    '/events': READ,
    'events.k8s.io/events': READ,
    '/serviceaccounts/token a': 'create',
    '/namespaces lend-a': 'get',
  });
});

it('a syncer at home', async () => {
  const objects = await render('kubeocean');
  expect(flat(find(objects, 'ClusterRole', 'kubeocean-syncer').rules)).toEqual({
    'cloud.tencent.com/clusterbindings': 'get list patch watch',
    'cloud.tencent.com/clusterbindings/status': 'patch',
    '/nodes': ALL,
    '/nodes/status': 'patch',
    '/pods': 'delete get list patch watch',
    '/pods/status': 'patch',
    '/pods/eviction': 'create',
    '/configmaps': READ,
    '/secrets': READ,
    '/services': READ,
    '/namespaces': READ,
    'discovery.k8s.io/endpointslices': READ,
    'networking.k8s.io/networkpolicies': READ,
    '/serviceaccounts/token': 'create',
    'storage.k8s.io/storageclasses': READ,
    '/persistentvolumeclaims': 'get list patch watch',
    '/persistentvolumeclaims/status': 'patch',
    '/persistentvolumes': 'create delete get list patch watch',
    '/events': 'create patch',
    'events.k8s.io/events': 'create patch',
  });
  expect(flat(find(objects, 'ClusterRole', 'kubeocean-syncer-leases').rules)).toEqual({
    'coordination.k8s.io/leases': ALL,
  });
});

it('a proxier at home', async () => {
  expect(flat(find(await render('kubeocean'), 'ClusterRole', 'kubeocean-proxier').rules)).toEqual({
    'cloud.tencent.com/clusterbindings': 'get',
    '/nodes': READ,
    '/pods': READ,
    'authentication.k8s.io/tokenreviews': 'create',
    'authorization.k8s.io/subjectaccessreviews': 'create',
  });
});
