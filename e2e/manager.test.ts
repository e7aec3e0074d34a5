/**
 * The manager against two real clusters, run from source with the rights of its own ServiceAccount: every bad binding
 * with its message, and the good one up to its Deployments. Their pods never start (the image does not exist), so the
 * syncer's word is written by the test where it is needed.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterBinding, ClusterBindings, KubeletServingSigner } from '@kubeocean/shared/api';
import {
  CertificateSigningRequests,
  ClusterRoleBindings,
  Deployments,
  type Condition,
  isNotFound,
  type KubeObject,
  Leases,
  parseKubeconfig,
  Pods,
  type Resource,
  RoleBindings,
  ServiceAccounts,
  Services,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  cleanup,
  client,
  kubeconfigOf,
  kubectl,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from './harness/index.ts';
import { run } from './clusters/local/run.ts';

const SYSTEM = 'kubeocean-system';
const WORKER = 'kubeocean-worker';
const IMAGE = 'kubeocean.local/nothing-is-here:v0';
const home = client('computing');
const worker = client('worker-1');
let manager: RunningProcess;
let managerKubeconfig = '';

interface Access {
  server: string;
  ca: string;
  user: Record<string, unknown>;
  cluster?: Record<string, unknown>;
}

function kubeconfig({ server, ca, user, cluster = {} }: Access): string {
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': base64(ca), ...cluster } }],
    users: [{ name: 'u', user }],
  });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const admin = (cluster: 'computing' | 'worker-1') =>
  parseKubeconfig(readFileSync(kubeconfigOf(cluster), 'utf8'), { trust: 'trusted' });

async function tokenOf(cluster: 'computing' | 'worker-1', namespace: string, account: string): Promise<string> {
  return (await kubectl(cluster, ['-n', namespace, 'create', 'token', account, '--duration=2h'])).stdout.trim();
}

/** The tenant's kubeconfig, or one of another account, server, CA or user. */
async function workerKubeconfig(change: Partial<Access> = {}): Promise<string> {
  const { server, ca = '' } = admin('worker-1');
  const user = change.user ?? { token: await tokenOf('worker-1', WORKER, 'kubeocean-syncer') };
  return kubeconfig({ server, ca, ...change, user });
}

function startManager(syncerImage = IMAGE): RunningProcess {
  return startProcess('manager', [
    `--kubeconfig=${managerKubeconfig}`,
    '--leader-elect=false',
    '--serving-certificate=csr',
    '--image-pull-policy=Never',
    `--syncer-image=${syncerImage}`,
    `--proxier-image=${IMAGE}`,
  ]);
}

beforeAll(async () => {
  const { server, ca = '' } = admin('computing');
  managerKubeconfig = join(tmpdir(), uniqueName('manager-kubeconfig'));
  cleanup(() => rmSync(managerKubeconfig, { force: true }));
  const token = await tokenOf('computing', SYSTEM, 'kubeocean-manager');
  writeFileSync(managerKubeconfig, kubeconfig({ server, ca, user: { token } }), { mode: 0o600 });
  manager = startManager();
  await manager.waitReady();
});

async function putSecret(name: string, data: Record<string, string>): Promise<void> {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
  await kubectl('computing', ['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: SYSTEM }, data: encoded }),
  });
  cleanup(() => kubectl('computing', ['-n', SYSTEM, 'delete', 'secret', name, '--ignore-not-found']));
}

interface Made {
  name: string;
  clusterID: string;
  secret: string;
}

/** Creates a binding; it is taken away after the file, and Kubernetes collects what was made for it. */
async function bind(change: Partial<ClusterBinding['spec']> = {}): Promise<Made> {
  const name = uniqueName('mgr');
  const spec = {
    clusterID: name,
    mountNamespace: WORKER,
    secretRef: { name: `${name}-kubeconfig`, namespace: SYSTEM },
    ...change,
  };
  await home.create<ClusterBinding>(ClusterBindings, { metadata: { name }, spec });
  cleanup(() => drop(name));
  return { name, clusterID: spec.clusterID, secret: spec.secretRef.name };
}

async function unbind(name: string): Promise<void> {
  await kubectl('computing', ['delete', 'clusterbinding', name, '--timeout=30s']);
}

async function drop(name: string): Promise<void> {
  await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false', '--ignore-not-found']);
  const found = await get(ClusterBindings, '', name);
  if (found) await home.patch(ClusterBindings, '', name, { metadata: { finalizers: [] } }).catch(() => undefined);
}

async function get<T extends KubeObject>(resource: Resource, namespace: string, name: string): Promise<T | undefined> {
  try {
    return await home.get<T>(resource, namespace, name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function conditionOf(name: string, type: string): Promise<Condition | undefined> {
  const found = await get<ClusterBinding>(ClusterBindings, '', name);
  return found?.status?.conditions?.find((condition) => condition.type === type);
}

/** Waits for Ready to be False with the reason, and gives its message. */
async function notReady(name: string, reason: string, timeoutMs = 30_000): Promise<string> {
  const ready = await waitFor(
    `${name} Ready=False/${reason}`,
    async () => {
      const condition = await conditionOf(name, 'Ready');
      if (condition?.status === 'False' && condition.reason === reason) return condition;
      throw new Error(`${condition?.reason}: ${condition?.message}`);
    },
    { timeoutMs },
  );
  return ready.message ?? '';
}

async function phaseOf(name: string): Promise<string | undefined> {
  return (await get<ClusterBinding>(ClusterBindings, '', name))?.status?.phase;
}

/** The heartbeat that an agent would renew. */
async function beat(): Promise<void> {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const lease = {
    metadata: { name: 'kubeocean-agent', namespace: WORKER },
    spec: { holderIdentity: 'test', renewTime },
  };
  await worker.apply(Leases, lease, 'kubeocean-e2e');
  cleanup(noAgent);
}

async function noAgent(): Promise<void> {
  await kubectl('worker-1', ['-n', WORKER, 'delete', 'lease', 'kubeocean-agent', '--ignore-not-found']);
}

/** Everything that is made for a binding, by kind and key. */
async function madeFor(clusterID: string): Promise<Map<string, KubeObject>> {
  const found = new Map<string, KubeObject>();
  for (const [resource, namespace, names] of [
    [Deployments, SYSTEM, ['syncer', 'proxier']],
    [ServiceAccounts, SYSTEM, ['syncer', 'proxier']],
    [Services, SYSTEM, ['proxier']],
    [ClusterRoleBindings, '', ['syncer', 'proxier']],
    [RoleBindings, SYSTEM, ['syncer']],
    [RoleBindings, 'kube-node-lease', ['syncer']],
  ] as const) {
    for (const component of names) {
      const object = await get(resource, namespace, `kubeocean-${component}-${clusterID}`);
      if (object) found.set(`${resource.kind} ${namespace} ${component}`, object);
    }
  }
  return found;
}
const ALL_MADE = 9;

async function good(): Promise<Made> {
  const made = await bind();
  await putSecret(made.secret, { kubeconfig: await workerKubeconfig() });
  await beat();
  await waitFor('everything made', async () => (await madeFor(made.clusterID)).size === ALL_MADE);
  return made;
}

describe('a binding that cannot work says why, and goes on by itself when that is repaired', () => {
  it('Secret, kubeconfig, connection and credential, one after the other', async () => {
    await noAgent();
    const { name, secret } = await bind();
    const { server, ca = '' } = admin('worker-1');
    const other = admin('computing');
    const address = new URL(server).hostname;

    expect(await notReady(name, 'SecretMissing')).toMatch(
      new RegExp(`Secret ${SYSTEM}/${secret}.* does not exist.*kubectl -n ${SYSTEM} create secret generic ${secret}`),
    );
    expect(await phaseOf(name)).toBe('Failed');
    expect((await conditionOf(name, 'Connected'))?.reason).toBe('SecretMissing');

    await putSecret(secret, { config: 'x' });
    expect(await notReady(name, 'SecretKeyMissing')).toMatch(/no key "kubeconfig" \(only "config"\)/);

    const token = 'geheim-token';
    const refused: [string, string, RegExp][] = [
      ['KubeconfigMalformed', '{"a', /not valid YAML/],
      ['KubeconfigExecPlugin', await workerKubeconfig({ user: { exec: { command: '/bin/false' } } }), /exec plug-in/],
      ['KubeconfigFileReference', await workerKubeconfig({ user: { tokenFile: '/etc/passwd' } }), /tokenFile/],
      [
        'KubeconfigInsecure',
        await workerKubeconfig({ user: { token }, cluster: { 'insecure-skip-tls-verify': true } }),
        /insecure-skip-tls-verify/,
      ],
      [
        'KubeconfigAddressNotAllowed',
        await workerKubeconfig({ user: { token }, server: 'https://127.0.0.1:6443' }),
        /loopback/,
      ],
      [
        'WorkerUnreachable',
        await workerKubeconfig({ server: `https://${address}:1` }),
        /does not answer.*ECONNREFUSED/,
      ],
      [
        'CertificateNotTrusted',
        await workerKubeconfig({ ca: other.ca ?? '' }),
        /is not trusted.*certificate-authority-data/,
      ],
      ['CredentialRejected', await workerKubeconfig({ user: { token } }), /401/],
      [
        'CredentialRejected',
        kubeconfig({
          server,
          ca,
          user: { 'client-certificate-data': base64(other.cert ?? ''), 'client-key-data': base64(other.key ?? '') },
        }),
        /rejects the credential|does not know the client certificate/,
      ],
    ];
    for (const [reason, text, message] of refused) {
      await putSecret(secret, { kubeconfig: text });
      const told = await waitFor(`${reason} told`, async () => {
        const text1 = await notReady(name, reason, 10_000);
        return message.test(text1) && text1;
      });
      expect(told).toContain(`${SYSTEM}/${secret}`);
      expect(told).not.toContain(token);
      expect((await conditionOf(name, 'Connected'))?.status).toBe('False');
      expect(await phaseOf(name)).toBe('Failed');
    }
    expect((await madeFor(name)).size).toBe(0);

    await putSecret(secret, { kubeconfig: await workerKubeconfig() });
    expect(await notReady(name, 'AgentNotInstalled')).toMatch(
      /no Lease "kubeocean-agent".*install the chart kubeocean-worker/,
    );
    expect(await conditionOf(name, 'Connected')).toMatchObject({
      status: 'True',
      message: expect.stringContaining(`system:serviceaccount:${WORKER}:kubeocean-syncer`) as string,
    });
    const { stdout: events } = await kubectl('computing', [
      'get',
      'events',
      '-A',
      `--field-selector=involvedObject.name=${name}`,
    ]);
    for (const reason of ['SecretMissing', 'CertificateNotTrusted', 'AgentNotInstalled'])
      expect(events).toContain(reason);
    expect(manager.tail(500)).not.toContain(token);
  });

  it('a Secret in another namespace', async () => {
    const { name } = await bind({ secretRef: { name: 'x', namespace: 'default' } });
    expect(await notReady(name, 'SecretNamespace')).toMatch(/"default".*must lie in kubeocean-system/);
  });

  it('rights: all that are missing are listed', async () => {
    const namespace = uniqueName('mgr-rights');
    await kubectl('worker-1', ['create', 'namespace', namespace]);
    cleanup(() => kubectl('worker-1', ['delete', 'namespace', namespace, '--wait=false']));
    await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', 'some']);
    const { name, secret } = await bind({ mountNamespace: namespace });
    const token = await tokenOf('worker-1', namespace, 'some');
    await putSecret(secret, { kubeconfig: await workerKubeconfig({ user: { token } }) });
    // Nothing at all: it may as well be another's namespace.
    expect(await notReady(name, 'MountNamespaceMissing')).toMatch(
      new RegExp(
        `"system:serviceaccount:${namespace}:some".*no right at all.*"${namespace}".*does not exist there, or it belongs`,
      ),
    );

    const verbs = '--verb=get,list,watch,create,update,patch';
    await kubectl('worker-1', [
      '-n',
      namespace,
      'create',
      'role',
      'some',
      verbs,
      '--resource=pods,leases.coordination.k8s.io',
    ]);
    await kubectl('worker-1', [
      '-n',
      namespace,
      'create',
      'rolebinding',
      'some',
      '--role=some',
      `--serviceaccount=${namespace}:some`,
    ]);
    const message = await notReady(name, 'RightsMissing');
    expect(message).toMatch(/pods \(delete\), pods\/log \(get\), pods\/exec \(create, get\)/);
    expect(message).toMatch(
      /leases\.coordination\.k8s\.io \(delete\), leasednodes\.cloud\.tencent\.com \(get, list, watch\)/,
    );
  });

  it('a mount namespace that does not exist', async () => {
    const { name, secret } = await bind({ mountNamespace: uniqueName('mgr-nowhere') });
    await putSecret(secret, { kubeconfig: readFileSync(kubeconfigOf('worker-1'), 'utf8') });
    expect(await notReady(name, 'MountNamespaceMissing')).toMatch(
      /"mgr-nowhere-.*" does not exist in the worker cluster/,
    );
  });

  it('a clusterID that is taken: named, harmless to the holder, free when the holder goes', async () => {
    const first = await good();
    const before = await madeFor(first.clusterID);
    const second = await bind({ clusterID: first.clusterID, secretRef: { name: first.secret, namespace: SYSTEM } });
    const [older, younger] = [first.name, second.name];
    expect(await notReady(younger, 'ClusterIDTaken')).toContain(`taken by ClusterBinding "${older}"`);
    await sameUIDs(before, first.clusterID);

    await unbind(older);
    await waitFor('made for the second', async () => {
      const made = await madeFor(first.clusterID);
      const owners = new Set([...made.values()].map(({ metadata }) => metadata.ownerReferences?.[0]?.name));
      return made.size === ALL_MADE && owners.size === 1 && owners.has(younger);
    });
  });
});

/** Asserts that the objects are those of before. */
async function sameUIDs(before: Map<string, KubeObject>, clusterID: string): Promise<void> {
  const now = await madeFor(clusterID);
  for (const [key, { metadata }] of before) expect(now.get(key)?.metadata.uid, key).toBe(metadata.uid);
}

describe('a binding that is sound', () => {
  it('gets its objects; they come back, stay as they are, and follow new images', async () => {
    const { name, clusterID } = await good();
    expect(await notReady(name, 'SyncerNotReady')).toMatch(/no replica is available/);
    expect(await phaseOf(name)).toBe('Pending');
    await waitFor('the missing image is told', async () =>
      /image kubeocean\.local\/nothing-is-here:v0 of pod .* cannot be pulled/.test(
        (await conditionOf(name, 'SyncerReady'))?.message ?? '',
      ),
    );
    for (const component of ['SyncerReady', 'ProxierReady']) {
      expect(await conditionOf(name, component)).toMatchObject({ status: 'False', reason: 'DeploymentUnavailable' });
    }

    // The syncer's own conditions live beside the manager's.
    const said = {
      type: 'Claimed',
      status: 'False',
      reason: 'NameTaken',
      message: 'taken',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const syncerStatus = { metadata: { name }, status: { conditions: [said] } };
    await home.apply(ClusterBindings, syncerStatus, 'kubeocean-syncer', { subresource: 'status' });

    // Restarted, it finds everything right and writes nothing.
    await manager.stop();
    const revisions = async () => {
      const bound = await home.get(ClusterBindings, '', name);
      const made = [...(await madeFor(clusterID))].map(
        ([key, { metadata }]) => `${key} ${metadata.generation ?? metadata.resourceVersion}`,
      );
      return [`binding ${bound.metadata.resourceVersion}`, ...made];
    };
    const before = await revisions();
    manager = startManager();
    await manager.waitReady();
    await waitFor('the worker checked again', async () =>
      /cluster="worker"/.test(await (await fetch(`${await manager.metrics()}/metrics`)).text()),
    );
    expect(await revisions()).toEqual(before);
    expect(manager.logs().filter((line) => line.msg === 'applied')).toEqual([]);

    // Deleted, changed by hand.
    const syncer = `kubeocean-syncer-${clusterID}`;
    const { uid } = (await home.get(Deployments, SYSTEM, syncer)).metadata;
    await kubectl('computing', ['-n', SYSTEM, 'delete', 'deployment', syncer]);
    await waitFor(
      'the Deployment made again',
      async () => {
        const again = await get(Deployments, SYSTEM, syncer);
        return again && again.metadata.uid !== uid;
      },
      // Within 2 s on an idle machine.
      { timeoutMs: 5000 },
    );
    await kubectl('computing', [
      '-n',
      SYSTEM,
      'set',
      'image',
      `deployment/${syncer}`,
      'syncer=kubeocean.local/other:v0',
    ]);
    await kubectl('computing', ['delete', 'clusterrolebinding', syncer]);
    const service = `kubeocean-proxier-${clusterID}`;
    await kubectl('computing', [
      '-n',
      SYSTEM,
      'patch',
      'service',
      service,
      '--type=merge',
      '-p',
      '{"spec":{"selector":{"a":"b","kubeocean.io/component":"x"}}}',
    ]);
    await waitFor('both put right', async () => {
      const { spec } = await home.get<KubeObject & { spec: unknown }>(Deployments, SYSTEM, syncer);
      return (
        JSON.stringify(spec).includes(IMAGE) &&
        (await get(ClusterRoleBindings, '', syncer)) &&
        JSON.stringify(await get(Services, SYSTEM, service)).includes('"kubeocean.io/component":"proxier"')
      );
    });

    // A new image rolls out.
    await manager.stop();
    manager = startManager('kubeocean.local/nothing-is-here:v1');
    await waitFor('the new image', async () => {
      const { spec } = await home.get<KubeObject & { spec: unknown }>(Deployments, SYSTEM, syncer);
      return JSON.stringify(spec).includes('nothing-is-here:v1');
    });

    // An agent that falls silent.
    expect(await notReady(name, 'AgentStale', 100_000)).toMatch(/has been silent since/);
    await beat();
    await notReady(name, 'SyncerNotReady', 40_000);
    expect(await conditionOf(name, 'Claimed')).toMatchObject(said);
  }, 240_000);
});

describe('deletion', () => {
  it('takes away what was made and nothing else', async () => {
    const { name, clusterID } = await good();
    const lease = {
      metadata: { name: `kubeocean-syncer-${name}`, namespace: SYSTEM },
      spec: { holderIdentity: 'gone' },
    };
    await home.create(Leases, lease);
    await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false']);
    await waitFor(
      'all gone',
      async () => (await madeFor(clusterID)).size === 0 && !(await get(ClusterBindings, '', name)),
    );
    expect(await get(Leases, SYSTEM, lease.metadata.name)).toBeUndefined();
  });

  it('waits for the syncer and keeps it running; an abandoned one ends without it', async () => {
    const { name, clusterID } = await good();
    const { metadata } = await home.get<ClusterBinding>(ClusterBindings, '', name);
    const finalizers = [...(metadata.finalizers ?? []), 'kubeocean.io/clusterbinding-syncer'];
    await home.patch(ClusterBindings, '', name, { metadata: { finalizers } });
    await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false']);
    expect(await notReady(name, 'Unbinding')).toContain('kubeocean.io/abandon=true');
    await kubectl('computing', ['-n', SYSTEM, 'delete', 'deployment', `kubeocean-syncer-${clusterID}`]);
    await waitFor('the syncer deployed again', async () => (await madeFor(clusterID)).size === ALL_MADE);

    await kubectl('computing', ['annotate', 'clusterbinding', name, 'kubeocean.io/abandon=true']);
    await waitFor(
      'all gone',
      async () => (await madeFor(clusterID)).size === 0 && !(await get(ClusterBindings, '', name)),
      {
        timeoutMs: 60_000,
      },
    );
  });

  it('of a binding that never worked is quick', async () => {
    const { name } = await bind();
    await notReady(name, 'SecretMissing');
    await kubectl('computing', ['delete', 'clusterbinding', name, '--timeout=5s']);
  });

  it("leaves an object of the same name alone that is somebody else's", async () => {
    const made = await bind();
    const account = `kubeocean-proxier-${made.clusterID}`;
    await kubectl('computing', ['-n', SYSTEM, 'create', 'serviceaccount', account]);
    cleanup(() => kubectl('computing', ['-n', SYSTEM, 'delete', 'serviceaccount', account, '--ignore-not-found']));
    await putSecret(made.secret, { kubeconfig: await workerKubeconfig() });
    await beat();
    expect(await notReady(made.name, 'ApplyFailed')).toMatch(
      new RegExp(`ServiceAccount ${SYSTEM}/${account} exists already and belongs to nobody`),
    );
    await kubectl('computing', ['delete', 'clusterbinding', made.name, '--timeout=10s']);
    expect(await get(ServiceAccounts, SYSTEM, account)).toBeDefined();
  });
});

describe('serving certificates', () => {
  async function ask(clusterID: string, subject: string, names: string, as = `kubeocean-proxier-${clusterID}`) {
    const key = join(tmpdir(), uniqueName('mgr-key'));
    cleanup(() => rmSync(key, { force: true }));
    await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
    const { stdout } = await run([
      'openssl',
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      subject,
      '-addext',
      `subjectAltName=${names}`,
    ]);
    const csr = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: {
        name: uniqueName(`kubeocean-proxier-${clusterID}`),
        labels: { 'kubeocean.io/cluster-binding': clusterID },
      },
      spec: {
        request: base64(stdout),
        signerName: KubeletServingSigner,
        usages: ['digital signature', 'server auth'],
      },
    };
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`, 'system:authenticated'];
    await kubectl(
      'computing',
      [
        'create',
        `--as=system:serviceaccount:${SYSTEM}:${as}`,
        ...groups.map((group) => `--as-group=${group}`),
        '-f',
        '-',
      ],
      { input: JSON.stringify(csr) },
    );
    cleanup(() => kubectl('computing', ['delete', 'csr', csr.metadata.name, '--ignore-not-found']));
    return csr.metadata.name;
  }
  interface Csr extends KubeObject {
    status?: { certificate?: string; conditions?: { type: string; message: string }[] };
  }

  it("are approved for a proxier pod's own address, denied for any other, and left alone for others", async () => {
    const { clusterID } = await good();
    const pod = await waitFor('a proxier pod with an address', async () => {
      const selector = {
        namespace: SYSTEM,
        labelSelector: `kubeocean.io/component=proxier,kubeocean.io/physical-cluster-id=${clusterID}`,
      };
      const { items } = await home.list<KubeObject & { status?: { podIP?: string } }>(Pods, selector);
      return items.find(({ status }) => status?.podIP);
    });
    const ip = pod.status?.podIP ?? '';
    const subject = `/O=system:nodes/CN=system:node:${pod.metadata.name}`;

    const approved = await ask(clusterID, subject, `IP:${ip}`);
    await waitFor(
      'the certificate',
      async () => (await get<Csr>(CertificateSigningRequests, '', approved))?.status?.certificate,
    );

    const denied = await ask(clusterID, subject, `IP:${ip},IP:${new URL(admin('computing').server).hostname}`);
    const verdict = await waitFor(
      'the verdict',
      async () => (await get<Csr>(CertificateSigningRequests, '', denied))?.status?.conditions?.[0],
    );
    expect(verdict).toMatchObject({
      type: 'Denied',
      message: expect.stringContaining('is not an address of pod') as string,
    });

    const account = uniqueName('mgr-foreign');
    await kubectl('computing', [
      'create',
      'clusterrolebinding',
      account,
      '--clusterrole=kubeocean-proxier',
      `--serviceaccount=${SYSTEM}:${account}`,
    ]);
    cleanup(() => kubectl('computing', ['delete', 'clusterrolebinding', account]));
    const foreign = await ask(clusterID, subject, `IP:${ip}`, account);
    const after = await ask(clusterID, subject, `IP:${ip}`);
    await waitFor(
      'the one after it',
      async () => (await get<Csr>(CertificateSigningRequests, '', after))?.status?.certificate,
    );
    expect((await get<Csr>(CertificateSigningRequests, '', foreign))?.status?.conditions).toBeUndefined();
  });
});

it('stops cleanly', async () => {
  expect(await manager.stop()).toBe(0);
});
