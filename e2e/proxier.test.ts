/**
 * The proxier on real clusters: kubectl → computing API server → proxier (from source, on this host) → worker API server
 * → kubelet → container. A vnode, a home pod bound to it and its counterpart are made by hand; certificate, rights and
 * credentials are the product's own.
 */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotation, ClusterBindings, Label, Namespace, proxierName, workerName } from '@kubeocean/shared/api';
import {
  CertificateSigningRequests,
  ClusterRoleBindings,
  ConfigMaps,
  type KubeClient,
  type KubeObject,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  RoleBindings,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, type RunResult } from './clusters/local/run.ts';
import {
  cleanup,
  client,
  kubeconfigOf,
  programPath,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from './harness/index.ts';

const home: KubeClient = client('computing');
const worker: KubeClient = client('worker-1');
const id = uniqueName('px').slice(0, 20);
const mount = `${id}-mount`;
const ports = { [`vnode-${id}-node1`]: 15100, [`vnode-${id}-node2`]: 15101 };
const [vnode = '', otherVnode = ''] = Object.keys(ports);
const pod = 'web';
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-proxier-'));
cleanup(() => rmSync(folder, { recursive: true }));

const Roles: Resource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'roles',
  kind: 'Role',
  namespaced: true,
};
const ClusterRoles: Resource = { ...Roles, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false };

let proxier: RunningProcess;
let bindingUID: string;
let hostIP: string;
let clusterCa: string;

async function make(on: KubeClient, resource: Resource, object: KubeObject): Promise<KubeObject> {
  const made = await on.create<KubeObject>(resource, object);
  const { namespace = '', name } = made.metadata;
  cleanup(() => on.delete(resource, namespace, name, { gracePeriodSeconds: 0 }).catch(() => undefined));
  return made;
}

/** A kubeconfig with a token of a ServiceAccount, as the charts and the manager give it to the proxier. */
async function kubeconfigFor(on: KubeClient, namespace: string, account: string): Promise<string> {
  const token = await tokenOf(on, namespace, account);
  const connection = on.transport.connection();
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [
      {
        name: 'c',
        cluster: {
          server: on.transport.server,
          'certificate-authority-data': Buffer.from(connection.agentOptions.ca ?? '').toString('base64'),
        },
      },
    ],
    users: [{ name: 'u', user: { token } }],
  };
  const path = join(folder, `${namespace}-${account}.kubeconfig`);
  writeFileSync(path, JSON.stringify(document), { mode: 0o600 });
  return path;
}

async function tokenOf(on: KubeClient, namespace: string, name: string): Promise<string> {
  const answer = await on.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata: { namespace, name }, spec: { expirationSeconds: 3600 } },
    { subresource: 'token' },
  );
  return answer.status.token;
}

/** kubectl of the computing cluster; the built one unless another is named. */
function kubectl(args: readonly string[], options: { input?: string; program?: string; env?: object } = {}) {
  const program = options.program ?? programPath('kubectl');
  return run([program, '--kubeconfig', kubeconfigOf('computing'), '-n', id, ...args], {
    anyExit: true,
    env: { ...process.env, ...options.env },
    ...(options.input !== undefined && { input: options.input }),
  });
}

interface Answer {
  code: number;
  text: string;
  headers: IncomingMessage['headers'];
}

interface Caller {
  cert?: string;
  key?: string;
  token?: string;
}

/** A request straight to a vnode's port. */
function ask(
  path: string,
  caller: Caller,
  options: {
    node?: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    /** Not to verify who answers. */
    unverified?: boolean;
    /** Keeps the connection of a session open. */
    onSession?: (socket: Socket) => void;
  } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { token, ...certificate } = caller;
  const request = httpsRequest({
    host: hostIP,
    port: ports[options.node ?? vnode],
    path,
    method: options.method ?? 'GET',
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...options.headers },
    ca: clusterCa,
    rejectUnauthorized: !options.unverified,
    agent: false,
    ...certificate,
  });
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => resolve({ code: response.statusCode ?? 0, text, headers: response.headers }));
  });
  request.on('upgrade', (response, socket) => {
    socket.on('error', () => undefined);
    if (options.onSession) options.onSession(socket);
    else socket.destroy();
    resolve({ code: response.statusCode ?? 0, text: '', headers: response.headers });
  });
  request.on('error', reject);
  request.end(options.body);
  return promise;
}

const WEBSOCKET = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-protocol': 'v4.channel.k8s.io',
};

/** A client certificate that the computing cluster's own signer made. */
async function clientCertificate(user: string): Promise<Caller> {
  const key = join(folder, `${user}.key`);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const csr = await run(['openssl', 'req', '-new', '-key', key, '-subj', `/CN=${user}`]);
  const name = `${id}-${user}`;
  await make(home, CertificateSigningRequests, {
    metadata: { name },
    spec: {
      request: Buffer.from(csr.stdout).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  });
  await kubectl(['certificate', 'approve', name]);
  const cert = await waitFor('a client certificate', async () => {
    const { status } = await home.get<KubeObject & { status?: { certificate?: string } }>(
      CertificateSigningRequests,
      '',
      name,
    );
    return status?.certificate;
  });
  return {
    cert: Buffer.from(cert, 'base64').toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

async function grant(user: string, verbs: string[], resources: string[]): Promise<void> {
  const name = `${id}-${user}`;
  await make(home, ClusterRoles, { metadata: { name }, rules: [{ apiGroups: [''], resources, verbs }] });
  await make(home, ClusterRoleBindings, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
}

/** The bridge's address on this host: the one in the network of the API server's. */
function addressFacing(server: string): string {
  const prefix = new URL(server).hostname.split('.').slice(0, 3).join('.');
  const found = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.address.startsWith(`${prefix}.`));
  if (!found)
    throw new Error(`this host has no address in ${prefix}.0/24: are the clusters those of the provider local?`);
  return found.address;
}

async function makeHome(): Promise<void> {
  await make(home, Namespaces, { metadata: { name: id } });
  const binding = await make(home, ClusterBindings, {
    metadata: { name: id },
    spec: {
      clusterID: id,
      mountNamespace: mount,
      secretRef: { name: `${id}-missing`, namespace: Namespace.system },
    },
  });
  bindingUID = binding.metadata.uid as string;
  const account = proxierName(id);
  await make(home, ServiceAccounts, { metadata: { namespace: Namespace.system, name: account } });
  await make(home, ClusterRoleBindings, {
    metadata: { name: account },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'kubeocean-proxier' },
    subjects: [{ kind: 'ServiceAccount', namespace: Namespace.system, name: account }],
  });
  for (const [name, port] of Object.entries(ports)) {
    await make(home, Nodes, {
      metadata: {
        name,
        labels: {
          type: 'virtual-kubelet',
          [Label.clusterBinding]: id,
          [Label.bindingUID]: bindingUID,
          [Label.proxierPort]: String(port),
        },
      },
      spec: { taints: [{ key: 'kubeocean.io/vnode', effect: 'NoSchedule' }] },
      status: {
        addresses: [{ type: 'InternalIP', address: hostIP }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    });
  }
}

function podSpec(nodeName: string) {
  return {
    nodeName,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: 'busybox:1.35',
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done; while true; do echo tick; sleep 1; done'],
      },
      {
        name: 'silent',
        image: 'busybox:1.35',
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'httpd -p 8080 -h /etc; sleep 100000'],
      },
    ],
  };
}

async function makePods(): Promise<void> {
  const made = await make(home, Pods, { metadata: { namespace: id, name: pod }, spec: podSpec(vnode) });
  const name = workerName(bindingUID, id, pod);
  await make(worker, Pods, {
    metadata: {
      namespace: mount,
      name,
      annotations: { [Annotation.virtualPodUID]: made.metadata.uid as string },
    },
    spec: podSpec('node1'),
  });
  // The syncer's part; kubectl port-forward looks at it.
  await home.patch(Pods, id, pod, { status: { phase: 'Running' } }, { subresource: 'status' });
  await waitFor('the worker pod to run', async () => {
    const { status } = await worker.get<KubeObject & { status?: { containerStatuses?: { ready: boolean }[] } }>(
      Pods,
      mount,
      name,
    );
    return status?.containerStatuses?.every(({ ready }) => ready);
  });
}

async function makeMountNamespace(): Promise<void> {
  await make(worker, Namespaces, { metadata: { name: mount } });
  await make(worker, ServiceAccounts, { metadata: { namespace: mount, name: 'kubeocean-syncer' } });
  // The chart's own Role, in a namespace of this test's.
  const { rules } = await worker.get<KubeObject>(Roles, Namespace.worker, 'kubeocean-syncer');
  await make(worker, Roles, { metadata: { namespace: mount, name: 'kubeocean-syncer' }, rules });
  await make(worker, RoleBindings, {
    metadata: { namespace: mount, name: 'kubeocean-syncer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'kubeocean-syncer' },
    subjects: [{ kind: 'ServiceAccount', namespace: mount, name: 'kubeocean-syncer' }],
  });
}

async function startProxier(...flags: string[]): Promise<RunningProcess> {
  return startProcess(
    'proxier',
    [
      `--cluster-binding-name=${id}`,
      `--kubeconfig=${await kubeconfigFor(home, Namespace.system, proxierName(id))}`,
      `--worker-kubeconfig=${await kubeconfigFor(worker, mount, 'kubeocean-syncer')}`,
      `--listen-address=${hostIP}`,
      ...flags,
    ],
    { POD_NAME: `${proxierName(id)}-0`, POD_NAMESPACE: Namespace.system, POD_IP: hostIP },
  );
}

/** What the manager does in the product. */
async function approve(): Promise<KubeObject> {
  const request = await waitFor('a certificate request of the proxier', async () => {
    const { items } = await home.list(CertificateSigningRequests, { labelSelector: `${Label.clusterBinding}=${id}` });
    return items.find((item) => !(item['status'] as { certificate?: string }).certificate);
  });
  cleanup(() => home.delete(CertificateSigningRequests, '', request.metadata.name).catch(() => undefined));
  await kubectl(['certificate', 'approve', request.metadata.name]);
  return request;
}

let request: KubeObject;
let admin: Caller;
let looker: Caller;
let stranger: Caller;

beforeAll(async () => {
  hostIP = addressFacing(home.transport.server);
  const authentication = await home.get<KubeObject & { data: Record<string, string> }>(
    ConfigMaps,
    'kube-system',
    'extension-apiserver-authentication',
  );
  clusterCa = authentication.data['client-ca-file'] as string;
  await Promise.all([makeHome(), makeMountNamespace()]);
  proxier = await startProxier('--serving-certificate=csr');
  request = await approve();
  await makePods();
  await grant('admin', ['*'], ['nodes/proxy', 'nodes/pods', 'nodes/healthz']);
  await grant('looker', ['get'], ['nodes/proxy']);
  admin = await clientCertificate('admin');
  looker = await clientCertificate('looker');
  stranger = await clientCertificate('stranger');
  await proxier.waitReady();
});

afterAll(() => {
  if (process.env['SHOW_LOG']) console.log(proxier.tail(200));
});

describe('serving certificate', () => {
  test('is asked of the cluster with exactly this pod’s name and address', async () => {
    expect(request.metadata.name).toMatch(new RegExp(`^${proxierName(id)}-[a-z0-9]+$`));
    expect(request['spec']).toMatchObject({
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      username: `system:serviceaccount:${Namespace.system}:${proxierName(id)}`,
    });
    const pem = Buffer.from((request['spec'] as { request: string }).request, 'base64').toString();
    const { stdout } = await run(['openssl', 'req', '-noout', '-text', '-verify'], { input: pem });
    expect(stdout).toContain(`O = system:nodes, CN = system:node:${proxierName(id)}-0`);
    expect(stdout).toContain(`IP Address:${hostIP}`);
  });
});

const kubectls = [programPath('kubectl'), '/usr/bin/kubectl'].filter((path) => existsSync(path));

describe.each(kubectls)('%s', (program) => {
  const on = (args: string[], options: { input?: string; env?: object } = {}): Promise<RunResult> =>
    kubectl(args, { ...options, program });

  test('logs', async () => {
    const { stdout, status } = await on(['logs', pod, '-c', 'main', '--limit-bytes=35']);
    expect({ stdout, status }).toEqual({ stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\n', status: 0 });
  });

  test('logs --tail and --timestamps', async () => {
    expect((await on(['logs', pod, '-c', 'main', '--tail=0'])).stdout).toBe('');
    expect((await on(['logs', pod, '-c', 'main', '--tail=1', '--timestamps'])).stdout).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z (tick|line 5)\n$/,
    );
    expect((await on(['logs', pod, '-c', 'main', '--since=1h', '--tail=2'])).stdout.split('\n').length).toBe(3);
  });

  test('logs -f follows until the client goes', async () => {
    const { stdout } = await run(
      ['timeout', '4', program, '--kubeconfig', kubeconfigOf('computing'), '-n', id, 'logs', '-f', '--tail=1', pod],
      { anyExit: true },
    );
    expect(stdout.match(/tick\n/g)?.length).toBeGreaterThanOrEqual(2);
    await proxier.waitLog(
      'the audit line of the log',
      (line) => line['verb'] === 'logs' && line['reason'] === 'client gone',
    );
  });

  test('logs -f of a container that writes nothing stays open', async () => {
    const { status, stderr } = await run(
      ['timeout', '2', program, '--kubeconfig', kubeconfigOf('computing'), '-n', id, 'logs', '-f', pod, '-c', 'silent'],
      { anyExit: true },
    );
    expect({ status, stderr }).toEqual({ status: 124, stderr: '' });
  });

  test('logs --previous says in the worker’s words that there is none, under the home pod’s name', async () => {
    const { stderr, status } = await on(['logs', pod, '-c', 'main', '--previous']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/previous terminated container "main" in pod "web" not found/);
  });

  test('exec: output, error output and exit code', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(result.stdout).toBe('out\n');
    expect(result.stderr).toMatch(/^err$/m);
    expect(result.status).toBe(7);
  });

  test('exec: arguments arrive as they are', async () => {
    const odd = ['', ' a b ', '%2F&x=1;+', 'é\n"', '$HOME'];
    const result = await on(['exec', pod, '-c', 'main', '--', 'printf', '<%s>', ...odd]);
    expect(result.stdout).toBe(odd.map((argument) => `<${argument}>`).join(''));
  });

  test('exec: a command of 40 KB', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo ${#0}', 'x'.repeat(40_000)]);
    expect(result.stdout).toBe('40000\n');
  });

  test('exec: 5 MB in and out, byte for byte', async () => {
    const input = Array.from({ length: 500_000 }, (_, i) => String(i % 1e9).padStart(9, '0')).join('\n');
    const result = await on(['exec', '-i', pod, '-c', 'main', '--', 'cat'], { input });
    expect(result.stdout === input).toBe(true);
  });

  test('exec: 32 MB to a reader that begins late arrive whole', async () => {
    const script = `"$0" --kubeconfig "$1" -n "$2" exec "$3" -c main -- head -c 33554432 /dev/zero | (sleep 2; wc -c)`;
    const result = await run(['sh', '-c', script, program, kubeconfigOf('computing'), id, pod], { anyExit: true });
    expect(result.stdout.trim()).toBe('33554432');
  });

  test('exec over SPDY as over WebSocket', async () => {
    for (const value of ['true', 'false']) {
      const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: value };
      const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo hi; exit 3'], { env });
      expect([result.stdout, result.status]).toEqual(['hi\n', 3]);
    }
  });

  test('exec with a terminal', async () => {
    const command = `${program} --kubeconfig ${kubeconfigOf('computing')} -n ${id} exec -it ${pod} -c main -- sh -c 'tty; sleep 0.5; stty size; exit 9'`;
    const result = await run(['script', '-qec', `stty rows 33 cols 77; ${command}`, '/dev/null'], { anyExit: true });
    expect(result.stdout).toMatch(/\/dev\/pts\/\d+/);
    expect(result.stdout).toMatch(/33 77/);
    expect(result.status).toBe(9);
  });

  test('port-forward', async () => {
    const script = `"$0" --kubeconfig "$1" -n "$2" port-forward "$3" "$4":8080 & pid=$!; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do curl -sf http://127.0.0.1:$4/passwd && break; sleep 0.2; done; kill $pid`;
    const port = String(20_000 + (process.pid % 10_000));
    const result = await run(['sh', '-c', script, program, kubeconfigOf('computing'), id, pod, port], {
      anyExit: true,
    });
    expect(result.stdout, result.stderr).toContain('root:x:0:0');
  });

  test('attach', async () => {
    const result = await run(
      ['timeout', '3', program, '--kubeconfig', kubeconfigOf('computing'), '-n', id, 'attach', pod, '-c', 'main'],
      { anyExit: true },
    );
    expect(result.stdout).toMatch(/tick/);
  });

  test('a command that is not there', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', '/no/such']);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/no such file or directory/);
  });
});

describe('who may', () => {
  const logs = `/containerLogs/${id}/${pod}/main?tailLines=1`;
  const exec = `/exec/${id}/${pod}/main?command=true&output=1`;

  test('without a credential: 401', async () => {
    expect(await ask(logs, {})).toMatchObject({ code: 401, text: 'Unauthorized\n' });
    expect((await ask(exec, {}, { headers: WEBSOCKET })).code).toBe(401);
    expect((await ask('/healthz', {})).code).toBe(401);
    expect((await ask('/', {})).code).toBe(401);
  });

  test('headers of the aggregation layer and impersonation mean nothing', async () => {
    const headers = { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' };
    expect((await ask(logs, {}, { headers })).code).toBe(401);
    expect((await ask(logs, stranger, { headers: { 'impersonate-user': 'admin' } })).code).toBe(403);
  });

  test('a certificate of another CA: 401', async () => {
    const [key, cert] = [join(folder, 'other.key'), join(folder, 'other.crt')];
    await run(
      `openssl req -x509 -newkey rsa:2048 -nodes -keyout ${key} -out ${cert} -days 1 -subj /O=system:masters/CN=admin`.split(
        ' ',
      ),
    );
    expect((await ask(logs, { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') })).code).toBe(401);
  });

  test('a certificate of the cluster without rights: 403, in a kubelet’s words', async () => {
    expect(await ask(logs, stranger)).toMatchObject({
      code: 403,
      text: 'Forbidden (user=stranger, verb=get, resource=nodes, subresource(s)=[proxy])\n',
    });
  });

  test('the right to get nodes/proxy reads logs and opens no shell, over GET and WebSocket neither', async () => {
    expect((await ask(logs, looker)).code).toBe(200);
    expect(await ask(exec, looker, { headers: WEBSOCKET })).toMatchObject({
      code: 403,
      text: 'Forbidden (user=looker, verb=create, resource=nodes, subresource(s)=[proxy])\n',
    });
    for (const path of [`/attach/${id}/${pod}/main?output=1`, `/portForward/${id}/${pod}`, `/run/${id}/${pod}/main`]) {
      expect((await ask(path, looker, { headers: WEBSOCKET })).code, path).toBe(403);
      expect((await ask(path, looker)).code, path).toBe(403);
    }
  });

  test('with every right: 101 over WebSocket', async () => {
    expect(await ask(exec, admin, { headers: WEBSOCKET })).toMatchObject({
      code: 101,
      headers: { 'sec-websocket-protocol': 'v4.channel.k8s.io' },
    });
  });

  test('bearer tokens are reviewed', async () => {
    expect((await ask(logs, { token: 'nonsense' })).code).toBe(401);
    await make(home, ServiceAccounts, { metadata: { namespace: id, name: 'caller' } });
    const token = await tokenOf(home, id, 'caller');
    expect((await ask(logs, { token })).text).toContain(`Forbidden (user=system:serviceaccount:${id}:caller`);
  });

  test('a pod of another vnode: 404', async () => {
    expect(await ask(logs, admin, { node: otherVnode })).toMatchObject({
      code: 404,
      text: `pod "${pod}" does not exist\n`,
    });
    expect((await ask(exec, admin, { node: otherVnode, headers: WEBSOCKET })).code).toBe(404);
  });

  test('a namesake in the worker that belongs to another home pod is not reached', async () => {
    const name = workerName(bindingUID, id, pod);
    const { metadata } = await home.get(Pods, id, pod);
    const annotate = (uid: string) =>
      worker.patch(Pods, mount, name, { metadata: { annotations: { [Annotation.virtualPodUID]: uid } } });
    await annotate('00000000-0000-0000-0000-000000000000');
    try {
      expect(await ask(logs, admin)).toMatchObject({ code: 404 });
    } finally {
      await annotate(metadata.uid as string);
    }
  });

  test('what users write on their pod does not redirect anything', async () => {
    await home.patch(Pods, id, pod, {
      metadata: {
        annotations: {
          [Annotation.physicalPodName]: 'another',
          [Annotation.physicalPodNamespace]: 'kube-system',
          [Annotation.physicalPodUID]: 'x',
        },
      },
    });
    expect((await ask(logs, admin)).code).toBe(200);
  });
});

describe('the rest of the kubelet API', () => {
  test('the fine right suffices where a kubelet has one, and nowhere else', async () => {
    await grant('fine', ['get'], ['nodes/pods', 'nodes/healthz']);
    const fine = await clientCertificate('fine');
    expect((await ask('/pods', fine)).code).toBe(200);
    expect((await ask('/healthz', fine)).code).toBe(200);
    expect((await ask(`/containerLogs/${id}/${pod}/main`, fine)).code).toBe(403);
  });

  test('/healthz, /pods and /runningpods are this vnode’s', async () => {
    expect(await ask('/healthz', admin)).toMatchObject({ code: 200, text: 'ok' });
    const names = async (node: string) =>
      (JSON.parse((await ask('/pods', admin, { node })).text) as { items: KubeObject[] }).items.map(
        ({ metadata }) => metadata.name,
      );
    expect(await names(vnode)).toEqual([pod]);
    expect(await names(otherVnode)).toEqual([]);
    expect((await ask('/runningpods/', admin)).code).toBe(200);
  });

  test.each(['/configz', '/metrics', '/stats/summary', '/logs/', '/debug/pprof/', '/nothing', '/'])(
    '%s: 404',
    async (path) => {
      expect([403, 404]).toContain((await ask(path, admin)).code);
    },
  );

  test.each(['/exec/../healthz', '/containerLogs/%2e%2e/x/y', '/pods%2Fx', '//healthz', '/%zz'])(
    'malformed %s: 400',
    async (path) => {
      expect((await ask(path, admin)).code).toBe(400);
    },
  );

  test('an upgrade that carries a body is refused', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'content-length': '5' };
    const answer = await ask(`/exec/${id}/${pod}/main?command=true&output=1`, admin, {
      method: 'POST',
      headers,
      body: 'hello',
    });
    expect(answer).toMatchObject({ code: 400, text: 'unable to upgrade: the request carries a body\n' });
  });
});

describe('one session, one line', () => {
  test('no session is left behind by the tests before', async () => {
    await waitFor('no session to be open', async () => {
      const text = await (await fetch(`${await proxier.metrics()}/metrics`)).text();
      const open = text.match(/^kubeocean_proxier_sessions\{.*/gm) ?? [];
      return open.length > 0 && open.every((line) => line.endsWith(' 0'));
    });
  });

  test('with who, what, how long and how much, and no arguments', async () => {
    await kubectl(['exec', pod, '-c', 'main', '--', 'echo', 'the-secret-argument']);
    const line = await proxier.waitLog(
      'the audit line',
      (entry) => entry['verb'] === 'exec' && entry['command'] === 'echo',
    );
    expect(line).toMatchObject({
      audit: 'session',
      pod: `${id}/${pod}`,
      workerPod: workerName(bindingUID, id, pod),
      container: 'main',
      vnode,
    });
    expect(line['seconds']).toBeTypeOf('number');
    expect(line['bytesDown']).toBeGreaterThan(0);
    expect(proxier.tail(10_000)).not.toMatch(/the-secret-argument|Bearer|eyJ/);
  });
});

describe('the end', () => {
  test('a session goes on while the process drains; readiness falls at once', async () => {
    const running = kubectl(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'sleep 7; echo done']);
    const health = await proxier.health();
    await waitFor('the session', async () => {
      const text = await (await fetch(`${await proxier.metrics()}/metrics`)).text();
      return /kubeocean_proxier_sessions\{verb="exec"\} 1/.test(text);
    });
    process.kill(proxier.pid, 'SIGTERM');
    await waitFor('not ready', async () => (await fetch(`${health}/readyz`)).status === 503);
    expect((await running).stdout).toBe('done\n');
    expect(await proxier.ended).toBe(0);
  });
});

describe('another proxier, self-signed and with room for one session', () => {
  const exec = `/exec/${id}/${pod}/main?command=sleep&command=60&output=1`;
  const unverified = { unverified: true };
  let session: Socket;

  beforeAll(async () => {
    await proxier.stop();
    proxier = await startProxier(
      '--serving-certificate=self-signed',
      '--session-limit-per-vnode=1',
      '--drain-seconds=1',
    );
    await proxier.waitReady();
    await proxier.waitLog('its ports', (line) => line.msg === 'vnode served' && line['vnode'] === vnode);
  });

  test('an API server that verifies kubelets does not take its certificate', async () => {
    const { status, stderr } = await kubectl(['logs', pod, '-c', 'main', '--tail=1']);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/x509|certificate/);
  });

  test('a session more than the limit: 429, with the flag that says so', async () => {
    const opened = await ask(exec, admin, {
      ...unverified,
      headers: WEBSOCKET,
      onSession: (socket) => (session = socket.on('data', () => undefined)),
    });
    expect(opened.code).toBe(101);
    expect(await ask(exec, admin, { ...unverified, headers: WEBSOCKET })).toMatchObject({
      code: 429,
      text: `${vnode} has all its 1 sessions open (--session-limit-per-vnode)\n`,
    });
  });

  test('a vnode that goes takes its sessions and its port along, and no other’s', async () => {
    const closed = new Promise((resolve) => session.on('close', resolve));
    await home.delete(Nodes, '', vnode);
    await closed;
    await proxier.waitLog('the audit line', (line) => line['reason'] === 'the vnode is gone');
    await expect(ask('/healthz', admin, unverified)).rejects.toThrow(/ECONNREFUSED/);
    expect((await ask('/healthz', admin, { ...unverified, node: otherVnode })).code).toBe(200);
  });

  test('a worker that refuses our credential is not taken for a refusal of the caller; a new one is taken up', async () => {
    const name = 'second';
    const made = await make(home, Pods, { metadata: { namespace: id, name }, spec: podSpec(otherVnode) });
    await make(worker, Pods, {
      metadata: {
        namespace: mount,
        name: workerName(bindingUID, id, name),
        annotations: { [Annotation.virtualPodUID]: made.metadata.uid as string },
      },
      spec: podSpec('node1'),
    });
    const options = { ...unverified, node: otherVnode };
    const logs = () => ask(`/containerLogs/${id}/${name}/main?tailLines=1`, admin, options);
    await waitFor('the logs', async () => (await logs()).code === 200);
    const path = await kubeconfigFor(worker, mount, 'kubeocean-syncer');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, good.replace(/"token":"[^"]*"/, '"token":"revoked"'));
    const refused = await waitFor('the refusal', async () => {
      const answer = await logs();
      return answer.code === 200 ? undefined : answer;
    });
    expect(refused).toMatchObject({
      code: 502,
      text: expect.stringMatching(/refuses Kubeocean's own credential/) as string,
    });
    writeFileSync(path, good);
    await waitFor('the logs', async () => (await logs()).code === 200);
  });

  test('a session that outlives the time to drain is ended, and leaves its line', async () => {
    await ask(`/exec/${id}/second/main?command=sleep&command=60&output=1`, admin, {
      ...unverified,
      node: otherVnode,
      headers: WEBSOCKET,
      onSession: (socket) => (session = socket.on('data', () => undefined)),
    });
    const closed = new Promise((resolve) => session.on('close', resolve));
    process.kill(proxier.pid, 'SIGTERM');
    await closed;
    expect(await proxier.ended).toBe(0);
    expect(proxier.logs()).toContainEqual(
      expect.objectContaining({ audit: 'session', verb: 'exec', reason: 'the proxier stopped' }),
    );
  });
});
