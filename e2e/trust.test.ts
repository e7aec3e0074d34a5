/**
 * The worker's owner need not trust the computing cluster: what its credential could be misused for is tried with that
 * very credential on the worker's real API server, and refused. Rights, Pod Security and policies are the chart's, with
 * tenants of this test's own; the agent runs from source. docs/security.md has the table of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Annotation,
  ChartName,
  claimName,
  Label,
  type LeasedNode,
  type LeaseGuard,
  LeaseGuards,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import {
  ApiError,
  ConfigMaps,
  type Json,
  type KubeClient,
  type KubeObject,
  Leases,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  RoleBindings,
  Secrets,
  ServiceAccounts,
  ValidatingAdmissionPolicies,
  ValidatingAdmissionPolicyBindings,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { toWorkerPod } from '../packages/syncer/src/pods/to-worker.ts';
import { run } from './clusters/local/run.ts';
import { binFolder, checkout } from './clusters/paths.ts';
import {
  cleanup,
  client,
  kubeconfigOf,
  kubectl,
  programPath,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from './harness/index.ts';

const id = uniqueName('trust');
/** The mount namespace that is attacked from, another tenant's, and one that the owner made without Pod Security. */
const mount = `${id}-a`;
const others = `${id}-b`;
const bare = `${id}-c`;
const binding = id;
const account = 'borrower';
const Claims: Resource = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  namespaced: true,
};
const Roles: Resource = { ...RoleBindings, plural: 'roles', kind: 'Role' };

const owner = client('worker-1');
let borrower: KubeClient;
let fromBare: KubeClient;
let agent: RunningProcess;
let tenantsFile: string;
/** Nodes of the cluster: lent and open, and lent outside its time window. */
let open: string;
let shut: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trust-'));
  cleanup(() => rmSync(folder, { recursive: true }));
  const tenants = [mount, others, bare].map((namespace) => ({ namespace, serviceAccount: account, bindings: ['*'] }));
  await installTenants(folder, tenants);
  const nodes = await owner.list(Nodes);
  [open, shut] = nodes.items.map(({ metadata }) => metadata.name).toSorted() as [string, string];
  await lend(`${id}-open`, open, {});
  await lend(`${id}-shut`, shut, { timeWindows: [windowFarFromNow()] });
  [borrower, fromBare] = await Promise.all([credentialOf(mount, folder), credentialOf(bare, folder)]);

  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
  agent = startProcess('worker-agent', [
    `--kubeconfig=${kubeconfigOf('worker-1')}`,
    `--tenants-file=${folder}/tenants.json`,
    `--leader-election-id=${id}`,
    `--leader-election-namespace=${others}`,
  ]);
  await agent.waitReady();
});

/** The chart's tenants and policies; the policies under names of this test's own beside those of the installed chart. */
async function installTenants(folder: string, tenants: { namespace: string }[]): Promise<void> {
  const templates = ['tenants', 'admission-pods', 'admission-objects'].flatMap((name) => [
    '-s',
    `templates/${name}.yaml`,
  ]);
  const { stdout } = await run([
    programPath('helm'),
    'template',
    '--kube-version=1.34.4',
    'kubeocean-worker',
    join(checkout, 'charts/kubeocean-worker'),
    ...templates,
    '--set-json',
    `tenants=${JSON.stringify(tenants)}`,
  ]);
  tenantsFile = join(folder, 'tenants.yaml');
  writeFileSync(tenantsFile, stdout.replaceAll('kubeocean-tenants', id));
  cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', tenantsFile]));
  cleanup(() => freePods());
  await kubectl('worker-1', ['apply', '-f', tenantsFile]);
  await kubectl('worker-1', ['label', 'namespace', bare, 'pod-security.kubernetes.io/enforce-']);
}

/** Takes the finalizers off, for which no syncer runs. */
async function freePods(): Promise<void> {
  for (const namespace of [mount, bare]) {
    for (const { metadata } of (await owner.list(Pods, { namespace })).items) {
      await owner.delete(Pods, namespace, metadata.name, { gracePeriodSeconds: 0 });
      await owner.patch(Pods, namespace, metadata.name, { metadata: { finalizers: null } }).catch(gone);
    }
  }
}

function gone(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 404)) throw error;
}

async function lend(name: string, node: string, spec: Partial<ResourceLeasingPolicySpec>): Promise<void> {
  cleanup(() => owner.delete(ResourceLeasingPolicies, '', name).catch(gone));
  const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In' as const, values: [node] }];
  await owner.create(ResourceLeasingPolicies, {
    metadata: { name },
    spec: { cluster: binding, nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] }, ...spec },
  });
}

function windowFarFromNow(): { start: string; end: string } {
  const hour = new Date().getUTCHours();
  const clock = (offset: number) => `${String((hour + offset) % 24).padStart(2, '0')}:00`;
  return { start: clock(10), end: clock(11) };
}

/** A client with what scripts/kubeconfig.sh hands to the computing cluster. */
async function credentialOf(namespace: string, folder: string): Promise<KubeClient> {
  const file = join(folder, namespace);
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfigOf('worker-1'),
    PATH: `${binFolder()}:${process.env['PATH']}`,
  };
  await run(['bash', join(checkout, 'scripts/kubeconfig.sh'), account, namespace, file], { env });
  return client(file as `/${string}`);
}

function claimLease(name = claimName(binding)): KubeObject & { metadata: { namespace: string } } {
  return {
    metadata: {
      namespace: mount,
      name,
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
      annotations: { [Annotation.nodeSelector]: '' },
    },
    spec: {
      holderIdentity: 'home/binding',
      leaseDurationSeconds: 40,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    },
  };
}

/** What the syncer makes of an ordinary home pod, with changes as a merge patch would make them. */
function pod(changes: Json = {}, node = open, directScheduling = false): KubeObject {
  const home = {
    metadata: { namespace: 'shop', name: uniqueName('web'), uid: crypto.randomUUID(), labels: { app: 'web' } },
    spec: {
      nodeName: `vnode-${id}-${node}`,
      serviceAccountName: 'builder',
      containers: [
        {
          name: 'main',
          image: 'registry.example/none:1',
          imagePullPolicy: 'Never',
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '20m', memory: '32Mi' } },
        },
      ],
      volumes: [
        { name: 'scratch', emptyDir: {} },
        {
          name: 'access',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
              { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
            ],
          },
        },
      ],
    },
  };
  const facts = { bindingName: binding, bindingUID: `uid-of-${id}`, mountNamespace: mount, node, directScheduling };
  return merged(toWorkerPod(home, facts), changes) as KubeObject;
}

function merged(target: unknown, patch: Json): Json {
  const result: Json = { ...(target as Json) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value)) result[key] = merged(result[key], value as Json);
    else result[key] = value;
  }
  return result;
}

function guardOf(namespace: string): Promise<LeaseGuard> {
  return owner.get<LeaseGuard>(LeaseGuards, namespace, ChartName.leaseGuard);
}

function container(changes: Json): Json {
  return { spec: { containers: [{ name: 'main', image: 'registry.example/none:1', ...changes }] } };
}

function terms(...nodeSelectorTerms: Json[]): Json {
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { spec: { affinity: { nodeAffinity: required } } };
}

function nodeTerm(...values: string[]): Json {
  return { matchFields: [{ key: 'metadata.name', operator: 'In', values }] };
}

function create(changes: Json, ...where: [node?: string]): Promise<KubeObject> {
  return borrower.create<KubeObject>(Pods, pod(changes, ...where));
}

/** Who refused, by the message. */
const POLICY = `ValidatingAdmissionPolicy '${id}' with binding '${id}' denied request`;
const OBJECTS = `ValidatingAdmissionPolicy '${id}-objects' with binding '${id}-objects' denied request`;
const POD_SECURITY = 'violates PodSecurity "baseline:latest"';
const RIGHTS = `User "system:serviceaccount:${mount}:${account}" cannot `;

async function refused(attempt: Promise<unknown>, by: string, words: string, code = 403): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the attempt succeeded').toBeInstanceOf(ApiError);
  expect((error as ApiError).message).toContain(by);
  expect((error as ApiError).message).toContain(words);
  expect((error as ApiError).code).toBe(code);
}

type Attack = [what: string, attempt: () => Promise<unknown>, by: string, words: string];

describe('a stolen credential of a computing cluster', () => {
  it('may claim, which is what it is for, and gets an open node', async () => {
    await borrower.create(Leases, claimLease());
    cleanup(() => owner.delete(Leases, mount, claimName(binding)).catch(gone));
    await waitFor('the node open', async () => {
      expect((await guardOf(mount)).spec).toEqual({ open: { [open]: [binding] } });
      return true;
    });
    await waitFor('both records', async () => {
      const records = await borrower.list<LeasedNode>(LeasedNodes, { namespace: mount });
      const phases = records.items.map(({ metadata, status }) => `${metadata.name}=${status?.phase}`);
      expect(phases.toSorted()).toEqual([`${binding}.${open}=Active`, `${binding}.${shut}=Closing`].toSorted());
      return true;
    });
    // The API server sees the new parameters a moment later.
    await waitFor('a pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
  });

  it('makes the pods that the syncer makes, and does with them what the syncer does', async () => {
    for (const made of [pod(), pod({}, open, true)]) {
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
    await borrower.patch(Leases, mount, claimName(binding), { spec: { renewTime: '2026-01-01T00:00:00.000000Z' } });
  });

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
      ['in the agent’s namespace', () => inNamespace('kubeocean-agent'), RIGHTS, 'in the namespace "kubeocean-agent"'],
      ['in another tenant’s', () => inNamespace(others), RIGHTS, `in the namespace "${others}"`],
      ['in kube-system', () => inNamespace('kube-system'), RIGHTS, 'in the namespace "kube-system"'],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by, words));
  });

  function bindingLabel(value: string | null): Json {
    return { metadata: { labels: { [Label.clusterBinding]: value } } };
  }
  function volume(source: Json): Json {
    return { spec: { volumes: [{ name: 'v', ...source }] } };
  }
  function inNamespace(namespace: string): Promise<KubeObject> {
    return create({ metadata: { namespace } });
  }

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
      await owner.patch(LeaseGuards, bare, ChartName.leaseGuard, { spec: { open: { [open]: [binding] } } });
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
      agent.resume();
      await waitFor('the agent to put it right', async () => {
        return Object.keys((await guardOf(bare)).spec.open).length === 0;
      });
    });
  });

  describe('with a pod that runs cannot', () => {
    let name: string;
    let shutName: string;
    beforeAll(async () => {
      ({ name } = (await borrower.create<KubeObject>(Pods, pod({}, open, true))).metadata);
      ({ name: shutName } = (await owner.create<KubeObject>(Pods, pod({}, shut, true))).metadata);
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

  describe('writes nothing that decides what is lent', () => {
    it.each<Attack>([
      [
        'the list of open nodes',
        () => borrower.patch(LeaseGuards, mount, ChartName.leaseGuard, { spec: { open: { [shut]: [binding] } } }),
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
        () => borrower.patch(LeasedNodes, mount, `${binding}.${shut}`, { metadata: { labels: { a: 'b' } } }),
        RIGHTS,
        'cannot patch resource "leasednodes"',
      ],
      [
        'its status',
        () =>
          borrower.patch(
            LeasedNodes,
            mount,
            `${binding}.${shut}`,
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

describe('the guard', () => {
  it('closes a node in the policy as soon as it is not lent any more', async () => {
    await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: [windowFarFromNow()] } });
    await waitFor('the pod refused', async () => {
      await refused(borrower.create(Pods, pod(), { dryRun: true }), POLICY, `node ${open} is not open for pods`);
      return true;
    });
    await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: null } });
    await waitFor('the pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
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
    await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: [windowFarFromNow()] } });
    await waitFor('the pod refused', async () => {
      await refused(borrower.create(Pods, pod(), { dryRun: true }), POLICY, `node ${open} is not open for pods`);
      return true;
    });
    await owner.patch(ResourceLeasingPolicies, '', `${id}-open`, { spec: { timeWindows: null } });
    await waitFor('the pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
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
