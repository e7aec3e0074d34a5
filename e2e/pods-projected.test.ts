/**
 * What a pod is and gets beside its ConfigMaps and Secrets: projected volumes with tokens of their own audiences, a pod
 * that wants no token, variables of more Services than one object holds; and the status that comes back of all of them.
 */
import { ConfigMaps, type KubeObject, type Resource, Secrets, Services } from '@kubeocean/shared/kube';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { kubectl, uniqueName, waitFor } from './harness/index.ts';
import {
  explainFailures,
  isReady,
  logsOf,
  LONG,
  made,
  type Pod,
  podName,
  type PodRig,
  podRig,
  STAY,
} from './pods/helpers.ts';

const TokenReviews: Resource = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('projected', { allocatable: { cpu: '4', memory: '4Gi', pods: '60' } });
});

interface Review extends KubeObject {
  status: {
    authenticated?: boolean;
    error?: string;
    audiences?: string[];
    user?: { extra?: Record<string, string[]> };
  };
}

/** What home's API server makes of a token that was read inside a pod. */
async function review(token: string, audience: string): Promise<Review['status']> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {} };
  const spec = { token, audiences: [audience] };
  return (await rig.home.create<Review>(TokenReviews, { ...body, spec })).status;
}

test('a projected volume: maps, Secrets, the downward API and tokens of two audiences, with their modes', async () => {
  const name = podName(rig, 'all');
  const object = uniqueName('source');
  const metadata = { name: object };
  await made(rig.home, ConfigMaps, rig.homeNamespace, {
    metadata,
    data: { plain: 'from a map' },
    binaryData: { raw: Buffer.from([0, 255, 1]).toString('base64') },
  });
  await made(rig.home, Secrets, rig.homeNamespace, { metadata, stringData: { password: 's3cret' } });
  const token = (audience: string, path: string) => ({
    serviceAccountToken: { audience, path, expirationSeconds: 600 },
  });
  const sources = [
    { configMap: { name: object, items: [{ key: 'plain', path: 'map/plain', mode: 0o400 }] } },
    { configMap: { name: object, items: [{ key: 'raw', path: 'map/raw' }] } },
    { secret: { name: object } },
    { secret: { name: 'absent', optional: true } },
    { downwardAPI: { items: [{ path: 'pod/name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    token('vault.example', 'tokens/vault'),
    token('registry.example', 'tokens/registry'),
  ];
  const script = [
    'echo "map: $(cat /all/map/plain) $(stat -Lc %a /all/map/plain) $(od -An -tx1 /all/map/raw | tr -d " ")"',
    'echo "secret: $(cat /all/password) $(stat -Lc %a /all/password)"',
    'echo "pod: $(cat /all/pod/name)"',
    'echo "vault: $(cat /all/tokens/vault)"',
    'echo "registry: $(cat /all/tokens/registry)"',
    'echo end',
    STAY,
  ].join('\n');
  const volumes = [{ name: 'all', projected: { defaultMode: 0o440, sources } }];
  const volumeMounts = [{ name: 'all', mountPath: '/all' }];
  await rig.create(name, rig.spec(script, { volumes, automountServiceAccountToken: false }, { volumeMounts }));
  const logs = await logsOf(rig, name, /^end$/m);
  expect(logs).toContain('map: from a map 400 00ff01\n');
  expect(logs).toContain('secret: s3cret 440\n');
  expect(logs).toContain(`pod: ${name}\n`);
  const pod = await rig.ready(name);
  for (const audience of ['vault', 'registry']) {
    const [, text = ''] = new RegExp(`^${audience}: (.*)$`, 'm').exec(logs) ?? [];
    const status = await review(text, `${audience}.example`);
    expect(status).toMatchObject({ authenticated: true, audiences: [`${audience}.example`] });
    // Bound to the home pod: it dies with it.
    expect(status.user?.extra?.['authentication.kubernetes.io/pod-uid']).toEqual([pod.metadata.uid]);
    expect((await review(text, 'another.example')).authenticated ?? false).toBe(false);
  }
});

test('a pod that wants no ServiceAccount token has none, of neither cluster', async () => {
  const name = podName(rig, 'bare');
  const script = `ls /var/run/secrets/kubernetes.io 2>&1; echo end; ${STAY}`;
  await rig.create(name, rig.spec(script, { automountServiceAccountToken: false }));
  expect(await logsOf(rig, name, /^end$/m)).toMatch(/No such file/);
});

test('more Services than one object holds: the first by name are there, and the pod says how many are not', async () => {
  const prefix = uniqueName('many');
  const names = Array.from({ length: 203 }, (_, index) => `${prefix}-${String(index).padStart(3, '0')}`);
  const ports = [{ port: 80 }];
  onTestFinished(async () => {
    const all = ['-n', rig.homeNamespace, 'delete', 'services', '--all', '--wait=false'];
    await kubectl('computing', all, { anyExit: true });
  });
  // A few at a time: each takes an address of the cluster.
  for (let at = 0; at < names.length; at += 7) {
    const few = names.slice(at, at + 7);
    await Promise.all(
      few.map((name) =>
        rig.home.create(Services, { metadata: { name, namespace: rig.homeNamespace }, spec: { ports } }),
      ),
    );
  }
  // The syncer's watch may be a moment behind the Services: then a later pod is told.
  for (let look = 0; ; look++) {
    const name = podName(rig, 'linked');
    await rig.create(name, rig.spec(`env | grep -c ^MANY_.*SERVICE_HOST; echo end; ${STAY}`));
    const logs = await logsOf(rig, name, /^end$/m);
    const told = await rig.event(name, 'ServiceLinksLeftOut');
    if (look < 5 && !told.includes('has 203 Services')) continue;
    // By number or by size, whichever comes first.
    const linked = Number(/has 203 Services, .* the first (\d+) by name/.exec(told)?.[1]);
    expect(linked).toBeGreaterThan(50);
    expect(logs).toMatch(new RegExp(`^${linked}\n`));
    break;
  }
});

interface Status {
  hostIP: string;
  hostIPs: unknown[];
  podIPs: unknown[];
  startTime: string;
  qosClass: string;
  containerStatuses: unknown[];
}

test('the status is the kubelet’s, to the letter: addresses, times, container statuses', async () => {
  const name = podName(rig, 'status');
  const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '100m', memory: '32Mi' } };
  await rig.create(name, { ...rig.spec(STAY, {}, { resources, stdin: true, stdinOnce: true }) });
  await rig.ready(name);
  // The kubelet may add to its status later on, of which home hears a moment after the worker.
  await waitFor(
    'the same status',
    async () => {
      const home = (await rig.atHome(name)) as Pod & { status: Status };
      const worker = (await rig.inWorker(name)) as Pod & { status: Status };
      expect(isReady(home)).toBe(true);
      for (const field of ['hostIP', 'hostIPs', 'podIPs', 'startTime', 'containerStatuses'] as const) {
        expect(home.status[field], field).toEqual(worker.status[field]);
      }
      expect(home.status.qosClass).toBe('Burstable');
      return true;
    },
    LONG,
  );
});
