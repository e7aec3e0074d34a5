/**
 * The worker's owner need not trust the computing cluster: what its credential could be misused for is tried with that
 * very credential on the worker's real API server, and refused. Here: what it is for, and what becomes of pods that run, and what it may read.
 */
import { claimName, Label, LeasedNodes, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import {
  ConfigMaps,
  type Json,
  type KubeObject,
  Leases,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  Secrets,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from './harness/index.ts';
import {
  account,
  type Attack,
  bindingLabel,
  borrower,
  claim,
  gone,
  id,
  mount,
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
  volume,
} from './trust/rig.ts';

beforeAll(setUp);

describe('a stolen credential of a computing cluster', () => {
  it('may claim, which is what it is for, and gets an open node', claim);

  it('makes the pods that the syncer makes, and does with them what the syncer does', async () => {
    // As the API server makes them from 1.35 on.
    const placed = {
      metadata: { labels: { 'topology.kubernetes.io/zone': 'a', 'topology.kubernetes.io/region': 'b' } },
    };
    // As those until 1.33 make them of a container with a profile.
    const profile = { 'container.apparmor.security.beta.kubernetes.io/main': 'runtime/default' };
    const profiled = pod({ metadata: { annotations: profile } });
    for (const made of [pod(), pod({}, open, true), pod(placed, open, true), profiled]) {
      const { namespace = '', name } = (await borrower.create<KubeObject>(Pods, made)).metadata;
      await borrower.patch(Pods, namespace, name, { metadata: { annotations: { 'kubeocean.io/downward.x': 'y' } } });
      const debug = { ephemeralContainers: [{ name: 'debug', image: 'registry.example/none:1' }] };
      await borrower.patch(
        Pods,
        namespace,
        name,
        { spec: debug },
        { subresource: 'ephemeralcontainers', type: 'strategic' },
      );
      await borrower.delete(Pods, namespace, name, { gracePeriodSeconds: 0 });
      await borrower.patch(Pods, namespace, name, { metadata: { finalizers: null } }).catch(gone);
    }
    const metadata = { namespace: mount, name: 'copy' };
    for (const kind of [ConfigMaps, Secrets]) {
      await borrower.create(kind, { metadata, data: { a: 'eA==' } });
      await borrower.patch(kind, mount, 'copy', { data: { a: 'eQ==' } });
      await borrower.delete(kind, mount, 'copy');
    }
    const token = { audiences: ['kubeocean-worker-agent'], expirationSeconds: 600 };
    const request = { metadata: { namespace: mount, name: account }, spec: token };
    await borrower.create(ServiceAccounts, request, { subresource: 'token' });
    await borrower.patch(Leases, mount, claimName(id), { spec: { renewTime: '2026-01-01T00:00:00.000000Z' } });
  });

  describe('with a pod that runs cannot', () => {
    let name: string;
    let shutName: string;
    beforeAll(async () => {
      ({ name } = (await borrower.create<KubeObject>(Pods, pod({}, open, true))).metadata);
      ({ name: shutName } = (await owner.create<KubeObject>(Pods, pod({}, shut, true))).metadata);
      // As a CNI plug-in or an operator of the owner does.
      const labels = { 'team.example.com/held': 'yes' };
      await owner.patch(Pods, mount, name, {
        metadata: { labels, annotations: { 'cni.example.com/ip': '192.0.2.7' } },
      });
    });
    function patch(changes: Json): Promise<unknown> {
      return borrower.patch(Pods, mount, name, changes);
    }
    function debug(securityContext: Json): Promise<unknown> {
      const ephemeralContainers = [{ name: 'root', image: 'registry.example/none:1', securityContext }];
      const options = { subresource: 'ephemeralcontainers', type: 'strategic' } as const;
      return borrower.patch(Pods, mount, name, { spec: { ephemeralContainers } }, options);
    }
    function resize(of: string): Promise<unknown> {
      const containers = [{ name: 'main', resources: { requests: { cpu: '15m' } } }];
      return borrower.patch(Pods, mount, of, { spec: { containers } }, { subresource: 'resize', type: 'strategic' });
    }
    it.each<Attack>([
      ['debug it with privilege', () => debug({ privileged: true }), POD_SECURITY, 'privileged'],
      ['move it to another binding', () => patch(bindingLabel('other')), POLICY, 'must stay as it is'],
      [
        'hold it by a finalizer',
        () => patch({ metadata: { finalizers: ['example.com/stay'] } }),
        POLICY,
        'only finalizer',
      ],
      [
        'label it for the owner’s plug-ins',
        () => patch({ metadata: { labels: { app: 'x' } } }),
        POLICY,
        'only labels and annotations',
      ],
      ...Object.entries({
        'take the owner’s label off': { labels: { 'team.example.com/held': null } },
        'take a plug-in’s annotation off': { annotations: { 'cni.example.com/ip': null } },
        'label it for the owner’s plug-ins without a value': { labels: { 'team.example.com/member': '' } },
        'annotate it without a value': { annotations: { 'team.example.com/member': '' } },
        'make a label of a plug-in’s annotation': { labels: { 'cni.example.com/ip': '192.0.2.7' } },
      }).map(([what, metadata]): Attack => [what, () => patch({ metadata }), POLICY, 'only labels and annotations']),
      ['grow it outside its window', () => resize(shutName), POLICY, 'is not open for pods'],
      [
        'bind it itself',
        () =>
          borrower.create(
            Pods,
            {
              metadata: { namespace: mount, name },
              apiVersion: 'v1',
              kind: 'Binding',
              target: { kind: 'Node', name: shut },
            },
            { subresource: 'binding' },
          ),
        RIGHTS,
        'cannot create resource "pods/binding"',
      ],
      [
        'write its status',
        () => borrower.patch(Pods, mount, name, { status: { phase: 'Failed' } }, { subresource: 'status' }),
        RIGHTS,
        'cannot patch resource "pods/status"',
      ],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));

    it('but resizes it in its window, and follows its image and its deadline', async () => {
      expect(await resize(name)).toBeDefined();
      const containers = [{ name: 'main', image: 'registry.example/none:2' }];
      await borrower.patch(Pods, mount, name, { spec: { containers } }, { type: 'strategic' });
      await patch({ spec: { activeDeadlineSeconds: 3600 } });
    });

    // Functions: the nodes are known only when the tests run.
    it.each<[string, () => Json]>([
      ['its node', () => ({ spec: { nodeName: shut } })],
      ['its account', () => ({ spec: { serviceAccountName: account } })],
      ['its priority', () => ({ spec: { priorityClassName: 'system-node-critical' } })],
      ['its volumes', () => volume({ secret: { secretName: account } })],
    ])('nor change %s', async (_, changes) => {
      // Kubernetes' own rule, on which the chart's policies rely.
      await expect(patch(changes())).rejects.toThrow(
        /Forbidden: pod updates may not change fields other than|may not be changed|forbidden/,
      );
    });
  });

  describe('with copies and claims', () => {
    const WORDS = 'labels and annotations of copies and claims must begin with kubeocean.io/';
    const found = { grafana_dashboard: '' };
    const ours = () => ({ [Label.clusterBinding]: id });
    const named = () => ({ namespace: mount, name: uniqueName('copy') });
    const made = () => borrower.create<KubeObject>(Secrets, { metadata: { ...named(), labels: ours() } });

    it.each<Attack>([
      ...[Secrets, ConfigMaps].flatMap((kind) =>
        (['labels', 'annotations'] as const).map(
          (part): Attack => [
            `${part} of ${kind.plural}`,
            () => borrower.create(kind, { metadata: { ...named(), [part]: found } }),
            OBJECTS,
            WORDS,
          ],
        ),
      ),
      [
        'a label given later',
        async () => borrower.patch(Secrets, mount, (await made()).metadata.name, { metadata: { labels: found } }),
        OBJECTS,
        WORDS,
      ],
      [
        'a label of a claim',
        () => borrower.patch(Leases, mount, claimName(id), { metadata: { labels: found } }),
        OBJECTS,
        WORDS,
      ],
    ])('speaks to no controller of the owner by %s', (_, attempt, by, words) => refused(attempt(), by, words));

    it('replaces what somebody else has labelled, with the label or without it', async () => {
      const { metadata } = await made();
      const labels = { 'example.com/seen': 'yes' };
      const labelled = await owner.patch<KubeObject>(Secrets, mount, metadata.name, { metadata: { labels } });
      const { namespace, name, resourceVersion } = labelled.metadata;
      const kept = await borrower.replace<KubeObject>(Secrets, {
        metadata: { namespace, name, resourceVersion, labels: { ...ours(), ...labels } },
        data: {},
      });
      expect(kept.metadata.labels).toMatchObject(labels);
      await borrower.replace<KubeObject>(Secrets, { metadata: { namespace, name, labels: ours() } });
    });
  });

  describe('reads nothing beyond its namespace', () => {
    const everywhere: Resource[] = [
      Nodes,
      Namespaces,
      Pods,
      Secrets,
      ConfigMaps,
      Leases,
      ResourceLeasingPolicies,
      LeasedNodes,
    ];
    it.each(everywhere)('no list of $plural', (resource) =>
      refused(
        borrower.list(resource),
        RIGHTS,
        `cannot list resource "${resource.plural}" in API group "${resource.group}" at the cluster scope`,
      ),
    );
    it.each([Pods, Secrets, ConfigMaps, LeasedNodes])(
      'no $plural of another tenant, of the agent or of the system',
      async (resource) => {
        for (const namespace of [others, 'kubeocean-agent', 'kube-system']) {
          await refused(borrower.list(resource, { namespace }), RIGHTS, `in the namespace "${namespace}"`);
        }
      },
    );
  });
});
