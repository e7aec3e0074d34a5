/**
 * The worker's owner need not trust the computing cluster: what its credential could be misused for is tried with that
 * very credential on the worker's real API server, and refused. Here: everything that is not a pod, and the guard itself.
 */
import {
  Annotation,
  ChartName,
  claimName,
  LeaseGuards,
  LeasedNodes,
  ResourceLeasingPolicies,
} from '@kubeocean/shared/api';
import {
  ConfigMaps,
  type Json,
  type KubeClient,
  type KubeObject,
  Leases,
  Namespaces,
  Nodes,
  Pods,
  RoleBindings,
  Secrets,
  ServiceAccounts,
  ValidatingAdmissionPolicies,
  ValidatingAdmissionPolicyBindings,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { Claims } from '../packages/syncer/src/volumes/types.ts';
import { cleanup, kubectl, Roles, uniqueName, waitFor } from './harness/index.ts';
import {
  account,
  agent,
  type Attack,
  borrower,
  claim,
  claimLease,
  id,
  mount,
  OBJECTS,
  open,
  owner,
  pod,
  POLICY,
  refused,
  RIGHTS,
  setUp,
  shut,
  tenantsFile,
  windowFarFromNow,
} from './trust/rig.ts';

beforeAll(async () => {
  await setUp();
  await claim();
});

describe('a stolen credential of a computing cluster', () => {
  describe('writes nothing that decides what is lent', () => {
    it.each<Attack>([
      [
        'the list of open nodes',
        () => borrower.patch(LeaseGuards, mount, ChartName.leaseGuard, { spec: { open: { [shut]: [id] } } }),
        RIGHTS,
        'cannot patch resource "leaseguards"',
      ],
      [
        'nor deletes it',
        () => borrower.delete(LeaseGuards, mount, ChartName.leaseGuard),
        RIGHTS,
        'cannot delete resource "leaseguards"',
      ],
      [
        'the agent’s heartbeat',
        () => borrower.patch(Leases, mount, ChartName.agent, { spec: { renewTime: '2099-01-01T00:00:00.000000Z' } }),
        OBJECTS,
        'the only Leases a computing cluster may write are its claims',
      ],
      ['nor deletes that', () => borrower.delete(Leases, mount, ChartName.agent), OBJECTS, 'are its claims'],
      ['another Lease', () => borrower.create(Leases, claimLease('leader')), OBJECTS, 'are its claims'],
      [
        'a LeasedNode',
        () => borrower.patch(LeasedNodes, mount, `${id}.${shut}`, { metadata: { labels: { a: 'b' } } }),
        RIGHTS,
        'cannot patch resource "leasednodes"',
      ],
      [
        'its status',
        () =>
          borrower.patch(
            LeasedNodes,
            mount,
            `${id}.${shut}`,
            { status: { phase: 'Active' } },
            { subresource: 'status' },
          ),
        RIGHTS,
        'cannot patch resource "leasednodes/status"',
      ],
      [
        'a policy',
        () => borrower.patch(ResourceLeasingPolicies, '', `${id}-shut`, { spec: { timeWindows: null } }),
        RIGHTS,
        'cannot patch resource "resourceleasingpolicies"',
      ],
      [
        'the admission policy',
        () => borrower.delete(ValidatingAdmissionPolicies, '', id),
        RIGHTS,
        'cannot delete resource "validatingadmissionpolicies"',
      ],
      [
        'its binding',
        () => borrower.delete(ValidatingAdmissionPolicyBindings, '', id),
        RIGHTS,
        'cannot delete resource "validatingadmissionpolicybindings"',
      ],
      [
        'a label of its namespace',
        () => borrower.patch(Namespaces, '', mount, { metadata: { labels: { a: 'b' } } }),
        RIGHTS,
        'cannot patch',
      ],
      ['a node', () => borrower.patch(Nodes, '', shut, { spec: { unschedulable: null } }), RIGHTS, 'cannot patch'],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));

    it('a claim that the owner took back', async () => {
      const name = claimName('given-back');
      await borrower.create(Leases, claimLease(name));
      const annotate = (by: KubeClient, value: string | null) =>
        by.patch(Leases, mount, name, { metadata: { annotations: { [Annotation.release]: value } } });
      const words = 'is set and removed by the worker cluster';
      await refused(annotate(borrower, 'true'), OBJECTS, words);
      await annotate(owner, 'true');
      await refused(annotate(borrower, null), OBJECTS, words);
      await refused(borrower.delete(Leases, mount, name), OBJECTS, words);
      await owner.delete(Leases, mount, name);
    });
  });

  describe('gets no other rights', () => {
    const secret = { namespace: mount, name: uniqueName('token') };
    const annotations = { 'kubernetes.io/service-account.name': 'default' };
    function requestToken(name: string, spec: Json): Promise<unknown> {
      return borrower.create(ServiceAccounts, { metadata: { namespace: mount, name }, spec }, { subresource: 'token' });
    }
    function volumeClaim(spec: Json, metadata: Json = {}): Promise<unknown> {
      const body = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec };
      return borrower.create(Claims, { metadata: { namespace: mount, name: 'data', ...metadata }, spec: body });
    }
    it.each<Attack>([
      [
        'by a token Secret',
        () =>
          borrower.create(Secrets, {
            metadata: { ...secret, annotations },
            type: 'kubernetes.io/service-account-token',
          }),
        OBJECTS,
        'Secrets with tokens of this cluster',
      ],
      [
        'by changing its own',
        () => borrower.patch(Secrets, mount, account, { metadata: { annotations } }),
        OBJECTS,
        'Secrets with tokens',
      ],
      [
        'by a token for the API server',
        () => requestToken(account, { expirationSeconds: 3600 }),
        OBJECTS,
        'one audience kubeocean-worker-agent',
      ],
      [
        'by a token that lives long',
        () => requestToken(account, { audiences: ['kubeocean-worker-agent'], expirationSeconds: 86_400 }),
        OBJECTS,
        'live at most 3600 s',
      ],
      [
        'by another’s token',
        () => requestToken('default', {}),
        RIGHTS,
        'cannot create resource "serviceaccounts/token"',
      ],
      [
        'by a role',
        () => borrower.create(Roles, { metadata: { namespace: mount, name: 'all' }, rules: [] }),
        RIGHTS,
        'cannot create resource "roles"',
      ],
      [
        'by a binding of a role',
        () =>
          borrower.create(RoleBindings, {
            metadata: { namespace: mount, name: 'all' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
            subjects: [{ kind: 'ServiceAccount', name: account, namespace: mount }],
          }),
        RIGHTS,
        'cannot create resource "rolebindings"',
      ],
      [
        'by a new ServiceAccount',
        () => borrower.create(ServiceAccounts, { metadata: secret }),
        RIGHTS,
        'cannot create',
      ],
      ...[Secrets, ConfigMaps].flatMap((kind) =>
        [{ name: 'sh.helm.release.v1.kubeocean-worker.v2' }, { name: secret.name, labels: { owner: 'helm' } }].map(
          (release): Attack => [
            `by a release of helm among ${kind.plural}, ${release.name}`,
            () => borrower.create(kind, { metadata: { namespace: mount, ...release } }),
            OBJECTS,
            'releases of helm',
          ],
        ),
      ),
      [
        'by changing one',
        async () => {
          const { metadata } = await owner.create<KubeObject>(Secrets, {
            metadata: { namespace: mount, name: uniqueName('release'), labels: { owner: 'helm' } },
          });
          return borrower.patch(Secrets, mount, metadata.name, { metadata: { labels: null } });
        },
        OBJECTS,
        'releases of helm',
      ],
      ['by a volume of no class', () => volumeClaim({ storageClassName: '' }), OBJECTS, 'must be one of: (none)'],
      ['by a volume of the owner’s', () => volumeClaim({ volumeName: 'pv1' }), OBJECTS, ''],
      [
        'by a finalizer on a copy',
        () => borrower.create(ConfigMaps, { metadata: { ...secret, finalizers: ['example.com/stay'] } }),
        OBJECTS,
        'only pods may be given a finalizer',
      ],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));
  });
});

/** The node's lease ends and begins again; the policy refuses and takes pods by it. */
async function closesAndOpens(): Promise<void> {
  await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: [windowFarFromNow()] } });
  await waitFor('the pod refused', async () => {
    await refused(borrower.create(Pods, pod(), { dryRun: true }), POLICY, `node ${open} is not open for pods`);
    return true;
  });
  await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: null } });
  await waitFor('the pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
}

describe('the guard', () => {
  it('closes a node in the policy as soon as it is not lent any more', async () => {
    await closesAndOpens();
  });

  it('refuses every pod while the list is missing, which the agent makes again', async () => {
    agent.pause();
    cleanup(() => agent.resume());
    await owner.delete(LeaseGuards, mount, ChartName.leaseGuard);
    await waitFor('the pod refused', async () => {
      await refused(borrower.create(Pods, pod(), { dryRun: true }), POLICY, 'no params found', 422);
      return true;
    });
    agent.resume();
    await waitFor('the pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
  });

  it('decides by the present list also after it was taken away and installed again', async () => {
    await kubectl('worker-1', ['delete', 'validatingadmissionpolicy,validatingadmissionpolicybinding', id]);
    await waitFor('pods no longer guarded', () =>
      borrower.create(Pods, pod({ spec: { affinity: null } }), { dryRun: true }),
    );
    await kubectl('worker-1', ['apply', '-f', tenantsFile]);
    await waitFor('pods guarded again', async () => {
      const attempt = borrower.create(Pods, pod({ spec: { affinity: null } }), { dryRun: true });
      await refused(attempt, POLICY, 'must name exactly one node');
      return true;
    });
    await closesAndOpens();
  });

  it('names no type that the API server does not know', async () => {
    for (const name of [id, `${id}-objects`]) {
      const checked = await waitFor(`${name} checked`, async () => {
        const found = await owner.get<KubeObject & { status?: { typeChecking?: Json } }>(
          ValidatingAdmissionPolicies,
          '',
          name,
        );
        return found.status?.typeChecking;
      });
      expect(checked).toEqual({});
    }
  });
});
