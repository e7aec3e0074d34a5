/**
 * What nobody may read who has no right on Secrets: values of Secrets, tokens, keys, arguments of commands. With the product as pods
 * that log all they can, pods that use Secrets in each way, and things that go wrong, all that is written is looked through: logs,
 * events, objects of both clusters but Secrets, metrics.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { bindWorker, cleanup, type ClusterName, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { ok } from './metrics/product.ts';

const id = uniqueName('words').slice(0, 14);
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-words-'));
/** By what it is. Long enough to be nothing else. */
const secrets: Record<string, string> = {
  'a value': 'value-h4rdlyGuessedAtAll',
  'a value that was changed': 'value-n3werAndAsHardToGuess',
  'a value that the worker refuses': 'value-r3fusedByTheWorker',
  'an argument of a command': 'argument-th4tNobodyShouldRead',
};
const PLACES: [ClusterName, namespace: string][] = [
  ['computing', Namespace.system],
  ['worker-1', Namespace.agent],
];

const quiet = (cluster: ClusterName, ...args: string[]) => kubectl(cluster, args, { anyExit: true });
const home = (...args: string[]) => quiet('computing', '-n', id, ...args);

/** Has a Deployment of the product log at this level, which the manager's passes on to syncers and proxiers. */
async function logAt(level: string, replicas: number): Promise<void> {
  for (const [cluster, namespace] of PLACES) {
    const name = namespace === Namespace.agent ? 'kubeocean-agent' : 'kubeocean-manager';
    const { spec } = JSON.parse(await ok(cluster, ['-n', namespace, 'get', 'deployment', name, '-o', 'json'])) as {
      spec: { template: { spec: { containers: { name: string; args: string[] }[] } } };
    };
    const containers = spec.template.spec.containers.map((container) => ({
      name: container.name,
      args: container.args.map((arg) => (arg.startsWith('--log-level=') ? `--log-level=${level}` : arg)),
    }));
    const patch = JSON.stringify({ spec: { replicas, template: { spec: { containers } } } });
    await ok(cluster, ['-n', namespace, 'patch', 'deployment', name, '-p', patch]);
  }
}

function pod(name: string, secret: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: `vnode-${id}-node1`,
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 0,
      imagePullSecrets: [{ name: secret }],
      volumes: [{ name: 'all', projected: { sources: [{ secret: { name: secret } }] } }],
      containers: [
        {
          name: 'main',
          image: 'busybox:1.35',
          command: ['sleep', '100000'],
          env: [{ name: 'ONE', valueFrom: { secretKeyRef: { name: secret, key: 'key' } } }],
          envFrom: [{ secretRef: { name: secret } }],
          volumeMounts: [{ name: 'all', mountPath: '/secrets' }],
        },
      ],
    },
  };
}

const secretOf = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { key: value },
});

/** All that is written, but Secrets, by where it stands. */
async function everything(): Promise<[where: string, text: string][]> {
  const found: [string, string][] = [];
  for (const [cluster, namespace] of PLACES) {
    const { stdout: list } = await quiet(cluster, 'get', '-n', namespace, 'pods', '-o', 'json');
    for (const { metadata } of (JSON.parse(list) as { items: KubeObject[] }).items) {
      for (const more of [[], ['--previous']]) {
        const { stdout } = await quiet(cluster, '-n', namespace, 'logs', metadata.name, '--tail=-1', ...more);
        found.push([`the log of ${metadata.name}${more.join('')}`, stdout]);
      }
      const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}:8080/proxy/metrics`;
      found.push([`the metrics of ${metadata.name}`, (await quiet(cluster, 'get', '--raw', path)).stdout]);
    }
    const kinds = 'pods,deployments,configmaps,events,leases,nodes,serviceaccounts,persistentvolumeclaims';
    const own = cluster === 'computing' ? 'clusterbindings,csr' : 'resourceleasingpolicies,leasednodes';
    for (const kind of `${kinds},${own}`.split(',')) {
      const { stdout, status } = await quiet(cluster, 'get', kind, '-A', '-o', 'yaml', '--show-managed-fields');
      expect(status, kind).toBe(0);
      found.push([`${kind} of ${cluster}`, stdout]);
    }
    const { stdout: copies } = await quiet(cluster, 'get', 'secrets', '-A', '-o', 'json');
    for (const { metadata } of (JSON.parse(copies) as { items: KubeObject[] }).items) {
      if (metadata.namespace !== id)
        found.push([`what is beside the data of ${metadata.name}`, JSON.stringify(metadata)]);
    }
  }
  return found;
}

beforeAll(async () => {
  cleanup(() => rmSync(folder, { recursive: true }));
  cleanup(() => logAt('info', 0));
  await Promise.all([logAt('debug', 1), bindWorker(id, folder)]);
  secrets['the token of the kubeconfig'] = /token: '([^'\s]+)'/.exec(
    readFileSync(join(folder, 'worker.kubeconfig'), 'utf8'),
  )?.[1] as string;
  expect(secrets['the token of the kubeconfig'].split('.')).toHaveLength(3);
  await waitFor(
    'the vnode',
    () => ok('computing', ['wait', `node/vnode-${id}-node1`, '--for=condition=Ready', '--timeout=5s']),
    { timeoutMs: 180_000, everyMs: 1000 },
  );
}, 600_000);

test('none of it is in anything that is written', { timeout: 400_000 }, async () => {
  await ok('computing', ['-n', id, 'create', '-f', '-'], secretOf('used', secrets['a value'] ?? ''));
  await ok('computing', ['-n', id, 'create', '-f', '-'], pod('uses', 'used'));
  await ok('computing', ['-n', id, 'wait', 'pod/uses', '--for=condition=Ready', '--timeout=120s']);
  const { stdout: token } = await home(
    'exec',
    'uses',
    '--',
    'cat',
    '/var/run/secrets/kubernetes.io/serviceaccount/token',
  );
  expect(token.split('.')).toHaveLength(3);
  secrets['the token of the pod'] = token.trim();
  expect((await home('exec', 'uses', '--', 'cat', '/secrets/key')).stdout).toBe(secrets['a value']);

  // Commands that run, and such as are refused in each way.
  const argument = secrets['an argument of a command'] ?? '';
  expect((await home('exec', 'uses', '--', 'echo', argument)).stdout.trim()).toBe(argument);
  await home('exec', 'uses', '--', 'no-such-program', argument);
  await home('exec', 'uses', '-c', 'nothing', '--', 'echo', argument);
  await home('exec', 'nobody', '--', 'echo', argument);

  // A Secret that changes, and one whose copy the worker refuses.
  await ok('computing', ['-n', id, 'apply', '-f', '-'], secretOf('used', secrets['a value that was changed'] ?? ''));
  const changed = Buffer.from(secrets['a value that was changed'] ?? '').toString('base64');
  await waitFor('the copy of the change', async () =>
    (await ok('worker-1', ['-n', Namespace.worker, 'get', 'secrets', '-o', 'yaml'])).includes(changed),
  );
  cleanup(() => quiet('worker-1', '-n', Namespace.worker, 'delete', 'quota', id));
  await ok('worker-1', ['-n', Namespace.worker, 'create', 'quota', id, '--hard=count/secrets=1']);
  const refused = secrets['a value that the worker refuses'] ?? '';
  await ok('computing', ['-n', id, 'create', '-f', '-'], secretOf('refused', refused));
  await ok('computing', ['-n', id, 'create', '-f', '-'], pod('waits', 'refused'));
  await waitFor('the refusal', async () => (await home('describe', 'pod', 'waits')).stdout.includes('exceeded quota'), {
    timeoutMs: 60_000,
  });

  // A kubeconfig that cannot be read, and one whose token is refused.
  const good = readFileSync(join(folder, 'worker.kubeconfig'), 'utf8');
  const bad: [RegExp, string][] = [
    [/not valid YAML/, `${good}\n\t}: [`],
    [/rejects the credential|refused the credential/, good.replace(/(token: '[^'\s]+)/, '$1x')],
  ];
  for (const [words, text] of bad) {
    const patch = JSON.stringify({ stringData: { kubeconfig: text } });
    await ok('computing', ['-n', Namespace.system, 'patch', 'secret', id, '-p', patch]);
    await waitFor(
      `${words}`,
      // Not as YAML, in which kubectl breaks long lines.
      async () => words.test((await quiet('computing', 'get', 'clusterbinding', id, '-o', 'json')).stdout),
      { timeoutMs: 60_000 },
    );
  }

  const written = await everything();
  const count = (kind: string, text: string) =>
    written.filter(([where, said]) => where.startsWith(kind) && said.includes(text)).length;
  expect(count('the log', '"level":"debug"')).toBeGreaterThan(0);
  // Of the manager, the agent, two syncers and two proxiers.
  expect(count('the metrics', 'kubeocean_')).toBeGreaterThanOrEqual(6);
  const told = written.flatMap(([where, text]) =>
    Object.entries(secrets).flatMap(([what, secret]) =>
      formsOf(secret).some((form) => text.includes(form)) ? [`${what} is in ${where}`] : [],
    ),
  );
  expect(told).toEqual([]);
});

/** As it is, in a URL, and in base64, wherever in a longer text it stands. Of a token the signature, which nobody else has. */
function formsOf(secret: string): string[] {
  const plain = secret.split('.').at(-1) ?? '';
  const encoded = [0, 1, 2].map((before) =>
    Buffer.from(`${' '.repeat(before)}${plain}`)
      .toString('base64')
      .slice(4, -4),
  );
  return [plain, encodeURIComponent(plain), ...encoded];
}
