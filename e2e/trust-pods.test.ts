/**
 * The worker's owner need not trust the computing cluster: what its credential could be misused for is tried with that
 * very credential on the worker's real API server, and refused. Here: the pods that it may not make.
 */
import { ChartName, LeaseGuards } from '@kubeocean/shared/api';
import { type Json, type KubeObject, Pods, type Resource } from '@kubeocean/shared/kube';
import { beforeAll, describe, it } from 'vitest';
import { cleanup, merged, waitFor } from './harness/index.ts';
import {
  account,
  agent,
  type Attack,
  bare,
  bindingLabel,
  borrower,
  claim,
  container,
  create,
  fromBare,
  guardOf,
  id,
  inNamespace,
  mount,
  nodeTerm,
  OBJECTS,
  open,
  others,
  owner,
  pod,
  POD_SECURITY,
  POLICY,
  refused,
  RIGHTS,
  setUp,
  shut,
  terms,
  volume,
} from './trust/rig.ts';

/** All pods of all namespaces, on all nodes of the same system. */
const term = { labelSelector: {}, namespaceSelector: {}, topologyKey: 'kubernetes.io/os' };
const toOthers = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
const rather = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] };

const ResourceClaims: Resource = {
  group: 'resource.k8s.io',
  version: 'v1',
  plural: 'resourceclaims',
  kind: 'ResourceClaim',
  namespaced: true,
};

beforeAll(async () => {
  await setUp();
  await claim();
});

describe('a stolen credential of a computing cluster', () => {
  describe('makes no pod', () => {
    it.each<Attack>([
      ['on a node outside its window', () => create({}, shut), POLICY, `is not open for pods of the binding "${id}"`],
      [
        'on it directly',
        () => borrower.create(Pods, pod({}, shut, true)),
        POLICY,
        `is not open for pods of the binding "${id}"`,
      ],
      ['on a node that is not lent', () => create({}, 'node99'), POLICY, 'node node99 is not open for pods'],
      ['for a binding that claims nothing', () => create(bindingLabel('other')), POLICY, 'of the binding "other"'],
      ['without its binding', () => create(bindingLabel(null)), POLICY, 'of the binding ""'],
      ['that names no node', () => create({ spec: { affinity: null } }), POLICY, 'must name exactly one node'],
      [
        'with two terms',
        () => create(terms(nodeTerm(open), { matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] })),
        POLICY,
        'must name exactly one node',
      ],
      [
        'with two lent terms',
        () => create(terms(nodeTerm(open), nodeTerm(open))),
        POLICY,
        'must name exactly one node',
      ],
      [
        'with a node selector instead',
        () => create({ spec: { affinity: null, nodeSelector: { 'kubernetes.io/hostname': open } } }),
        POLICY,
        'must name exactly one node',
      ],
      [
        'by a label of the node',
        () => create(terms({ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [open] }] })),
        POLICY,
        'must name exactly one node',
      ],
      [
        'on all nodes but one',
        () => create(terms({ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['x'] }] })),
        POLICY,
        'must name exactly one node',
      ],
      [
        'to be placed later',
        () => create({ spec: { schedulingGates: [{ name: 'x/y' }] } }),
        POLICY,
        'scheduling gates',
      ],
      ...['podAntiAffinity', 'podAffinity'].map(
        (field): Attack => [
          `that keeps others off every node by ${field}`,
          () => create({ spec: { affinity: { [field]: toOthers } } }),
          POLICY,
          'must have neither podAffinity nor podAntiAffinity',
        ],
      ),
      [
        'that would rather have others elsewhere',
        () => create({ spec: { affinity: { podAntiAffinity: rather } } }),
        POLICY,
        'must have neither podAffinity nor podAntiAffinity',
      ],
      [
        'as another ServiceAccount',
        () => create({ spec: { serviceAccountName: account } }),
        POLICY,
        'must run as the ServiceAccount default',
      ],
      [
        'with a token',
        () => create({ spec: { automountServiceAccountToken: true } }),
        POLICY,
        'must run as the ServiceAccount default with automountServiceAccountToken false',
      ],
      [
        'that projects a token',
        () => create(volume({ projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } })),
        POLICY,
        'may project only configMap, secret and downwardAPI',
      ],
      [
        'with a volume of a kind not allowed',
        () => create(volume({ nfs: { server: '192.0.2.1', path: '/' } })),
        POLICY,
        'volumes of a lent pod must be of the kinds configMap, secret, emptyDir',
      ],
      [
        'above the owner’s',
        () => create({ spec: { priorityClassName: 'system-node-critical' } }),
        POLICY,
        'priorityClassName of a lent pod must be one of kubeocean-default',
      ],
      [
        'of no class',
        () => create({ spec: { priorityClassName: null } }),
        POLICY,
        'priorityClassName of a lent pod must be one of kubeocean-default',
      ],
      [
        'with annotations for the owner’s plug-ins',
        () => create({ metadata: { annotations: { 'k8s.v1.cni.cncf.io/networks': 'host' } } }),
        POLICY,
        'refused: k8s.v1.cni.cncf.io/networks',
      ],
      [
        'that names the zone in which the scheduler is to put it',
        () => create({ metadata: { labels: { 'topology.kubernetes.io/zone': 'a' } } }),
        POLICY,
        'refused: topology.kubernetes.io/zone',
      ],
      [
        'that the owner could not get rid of',
        () => create({ metadata: { finalizers: ['example.com/stay'] } }),
        POLICY,
        'the only finalizer of a lent pod may be kubeocean.io/home-sync',
      ],
      ['with a hostPath', () => create(volume({ hostPath: { path: '/' } })), POD_SECURITY, 'hostPath'],
      ['in the host’s network', () => create({ spec: { hostNetwork: true } }), POD_SECURITY, 'host namespaces'],
      ['among the host’s processes', () => create({ spec: { hostPID: true } }), POD_SECURITY, 'host namespaces'],
      [
        'that is privileged',
        () => create(container({ securityContext: { privileged: true } })),
        POD_SECURITY,
        'privileged',
      ],
      [
        'without seccomp',
        () => create({ spec: { securityContext: { seccompProfile: { type: 'Unconfined' } } } }),
        POD_SECURITY,
        'seccompProfile',
      ],
      [
        'that sets the host’s limits',
        () => create({ spec: { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '65536' }] } } }),
        POD_SECURITY,
        'forbidden sysctls',
      ],
      [
        'to which the scheduler gives devices for a resource that is not lent',
        () => owner.create(ResourceClaims, { metadata: { namespace: mount, name: 'devices' }, spec: {} }),
        OBJECTS,
        'devices of this cluster are not lent by claims',
      ],
      ['in the agent’s namespace', () => inNamespace('kubeocean-agent'), RIGHTS, 'in the namespace "kubeocean-agent"'],
      ['in another tenant’s', () => inNamespace(others), RIGHTS, `in the namespace "${others}"`],
      ['in kube-system', () => inNamespace('kube-system'), RIGHTS, 'in the namespace "kube-system"'],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));
  });

  describe('where the namespace has no Pod Security label is refused by the policy', () => {
    beforeAll(async () => {
      await waitFor('the parameters', () => guardOf(bare));
    });
    function createBare(changes: Json): Promise<KubeObject> {
      return fromBare.create(Pods, merged(pod(changes), { metadata: { namespace: bare } }) as KubeObject);
    }
    const power = 'must not be privileged, add capabilities';
    it.each<Attack>([
      [
        'any pod, since nothing is lent there',
        () => createBare({}),
        POLICY,
        `node node1 is not open for pods of the binding "${id}"`,
      ],
      ['hostPath', () => createBare(volume({ hostPath: { path: '/' } })), POLICY, ''],
      ['hostNetwork', () => createBare({ spec: { hostNetwork: true } }), POLICY, ''],
      ['privileged', () => createBare(container({ securityContext: { privileged: true } })), POLICY, ''],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));

    it('each for its own reason', async () => {
      // The node is opened by the owner's hand, so that nothing else is wrong with the pods; the agent takes it back.
      agent.pause();
      cleanup(() => agent.resume());
      await owner.patch(LeaseGuards, bare, ChartName.leaseGuard, { spec: { open: { [open]: [id] } } });
      await waitFor('an ordinary pod accepted', () =>
        fromBare.create(Pods, merged(pod(), { metadata: { namespace: bare } }) as KubeObject, { dryRun: true }),
      );
      await refused(createBare(volume({ hostPath: { path: '/' } })), POLICY, 'must be of the kinds configMap');
      for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) {
        await refused(createBare({ spec: { [field]: true } }), POLICY, 'hostNetwork, hostPID, hostIPC');
      }
      await refused(createBare(container({ securityContext: { privileged: true } })), POLICY, power);
      const add = ['SYS_ADMIN'];
      await refused(createBare(container({ securityContext: { capabilities: { add } } })), POLICY, power);
      await refused(createBare(container({ ports: [{ containerPort: 80, hostPort: 80 }] })), POLICY, power);
      const init = { name: 'i', image: 'registry.example/none:1', securityContext: { privileged: true } };
      await refused(createBare({ spec: { initContainers: [init] } }), POLICY, power);
      const httpGet = { host: '169.254.169.254', port: 80 };
      for (const asks of [
        { livenessProbe: { httpGet } },
        { readinessProbe: { tcpSocket: httpGet } },
        { startupProbe: { httpGet } },
        { lifecycle: { postStart: { httpGet } } },
        { lifecycle: { preStop: { httpGet } } },
      ]) {
        await refused(createBare(container(asks)), POLICY, 'must name no host but their own pod');
      }
      const { host: _, ...own } = httpGet;
      const probed = merged(pod(container({ livenessProbe: { httpGet: own } })), { metadata: { namespace: bare } });
      await fromBare.create(Pods, probed as KubeObject, { dryRun: true });
      agent.resume();
      await waitFor('the agent to put it right', async () => {
        return Object.keys((await guardOf(bare)).spec.open).length === 0;
      });
    });
  });
});
