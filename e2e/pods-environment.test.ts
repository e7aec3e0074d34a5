/**
 * What a pod on a vnode finds around it, and who finds it: Services of home in its environment, names, DNS, the downward
 * API; and its own address behind home's Services and under its own name in home's DNS.
 */
import { type KubeObject, Pods, Services } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { kubectl, uniqueName, waitFor } from './harness/index.ts';
import {
  conditionOf,
  explainFailures,
  homePod,
  isReady,
  logsOf,
  LONG,
  made,
  type Pod,
  podName,
  type PodRig,
  podRig,
  StatefulSets,
  STAY,
} from './pods/helpers.ts';
import { behind, readyBehind } from './pods/slices.ts';

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('around', { allocatable: { cpu: '4', memory: '4Gi', pods: '60' } });
});

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

describe('environment', () => {
  test('Services of the namespace and home’s API server, as a kubelet at home would give them', async () => {
    const [service, plain] = [uniqueName('cache'), podName(rig, 'plain')];
    const ports = [
      { name: 'main', port: 6379, targetPort: 6379 },
      { name: 'admin', port: 53, protocol: 'UDP', targetPort: 53 },
    ];
    // Before the other: who has seen that one has seen this one.
    const headless = uniqueName('headless');
    const serve = (name: string, of: object) =>
      made(rig.home, Services, rig.homeNamespace, { metadata: { name }, spec: of });
    await serve(headless, { clusterIP: 'None', ports: [{ port: 80 }] });
    const { spec } = await serve(service, { ports });
    const address = (spec as { clusterIP: string }).clusterIP;
    const prefix = service.replaceAll('-', '_').toUpperCase();
    const expanded = [{ name: 'EXPANDED', value: `$(${prefix}_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)` }];
    // The syncer's watch may be a moment behind the Service: the pod that counts is the first that is made with it.
    const podThat = (has: boolean) =>
      waitFor(
        `a pod ${has ? 'with' : 'without'} the Service`,
        async () => {
          const name = podName(rig, 'linked');
          await rig.create(name, rig.spec(`env | sort; echo end; ${STAY}`, {}, { env: expanded }));
          const pod = await waitFor('its worker pod', () => rig.inWorker(name), LONG);
          return JSON.stringify(pod.spec.containers).includes(`"${prefix}_SERVICE_HOST"`) === has && name;
        },
        LONG,
      );
    const linked = await podThat(true);
    await rig.create(plain, rig.spec(`env | sort; echo end; ${STAY}`, { enableServiceLinks: false }));
    const [env, without] = await Promise.all([logsOf(rig, linked, /^end$/m), logsOf(rig, plain, /^end$/m)]);
    for (const line of [
      `${prefix}_SERVICE_HOST=${address}`,
      `${prefix}_SERVICE_PORT=6379`,
      `${prefix}_SERVICE_PORT_MAIN=6379`,
      `${prefix}_SERVICE_PORT_ADMIN=53`,
      `${prefix}_PORT=tcp://${address}:6379`,
      `${prefix}_PORT_6379_TCP_ADDR=${address}`,
      `${prefix}_PORT_53_UDP=udp://${address}:53`,
    ]) {
      expect(env.split('\n')).toContain(line);
      expect(without.split('\n')).not.toContain(line);
    }
    const values = (text: string) =>
      Object.fromEntries(text.split('\n').map((line) => line.split('=', 2) as [string, string]));
    const kubernetes = values(without);
    expect(kubernetes['KUBERNETES_PORT']).toBe(
      `tcp://${kubernetes['KUBERNETES_SERVICE_HOST']}:${kubernetes['KUBERNETES_SERVICE_PORT']}`,
    );
    // Nothing of the worker's own API server, whose kubelet adds what is missing.
    const own = await rig.worker.get<KubeObject & { spec: { clusterIP: string } }>(Services, 'default', 'kubernetes');
    expect(without).not.toContain(own.spec.clusterIP);
    expect(values(env)['EXPANDED']).toBe(`${address}:${kubernetes['KUBERNETES_SERVICE_PORT']}`);
    expect(env).not.toContain(headless.replaceAll('-', '_').toUpperCase());
    // One that is gone is in no pod made later.
    await rig.home.delete(Services, rig.homeNamespace, service);
    await podThat(false);
  });

  test('the downward API: home’s names, the worker’s addresses and resources', async () => {
    const name = podName(rig, 'downward');
    const env = [
      field('HOST_IP', 'status.hostIP'),
      field('POD_IP', 'status.podIP'),
      field('POD_IPS', 'status.podIPs'),
      field('UID', 'metadata.uid'),
      field('NODE', 'spec.nodeName'),
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
    ];
    const volumes = [
      {
        name: 'info',
        downwardAPI: {
          items: [
            {
              path: 'memory',
              resourceFieldRef: { containerName: 'main', resource: 'requests.memory', divisor: '1Mi' },
            },
            { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
            { path: 'note', fieldRef: { fieldPath: "metadata.annotations['example.com/note']" } },
          ],
        },
      },
    ];
    const script = `echo "$HOST_IP $POD_IP $POD_IPS $UID_ $NODE $CPU | $(cat /info/memory) $(cat /info/name) $(cat /info/note)"; ${STAY}`;
    const resources = { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: '250m', memory: '64Mi' } };
    const container = {
      env: env.map((each) => (each.name === 'UID' ? { ...each, name: 'UID_' } : each)),
      resources,
      volumeMounts: [{ name: 'info', mountPath: '/info' }],
    };
    await rig.create(name, rig.spec(script, { volumes }, container), { annotations: { 'example.com/note': 'a "b"' } });
    const pod = await rig.ready(name);
    const { hostIP, podIP } = pod.status as { hostIP: string; podIP: string } & Pod['status'];
    const line = `${hostIP} ${podIP} ${podIP} ${pod.metadata.uid} ${rig.vnode} 250 | 32 ${name} a "b"`;
    expect((await logsOf(rig, name, / \| /)).trim()).toBe(line);
  });

  test('names: host name, aliases, and DNS by policy', async () => {
    const print = `echo "name $(hostname)"; cat /etc/hosts /etc/resolv.conf; echo end; ${STAY}`;
    const pods = {
      plain: {
        spec: {
          hostAliases: [{ ip: '192.0.2.7', hostnames: ['db.example'] }],
          dnsConfig: { searches: ['corp.example'] },
        },
      },
      named: { spec: { hostname: 'custom', subdomain: 'team' } },
      qualified: { spec: { hostname: 'short', subdomain: 'team', setHostnameAsFQDN: true } },
      default: { spec: { dnsPolicy: 'Default' } },
      none: { spec: { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'] } } },
    };
    const names = Object.fromEntries(Object.keys(pods).map((key) => [key, podName(rig, key)])) as Record<
      keyof typeof pods,
      string
    >;
    for (const [key, { spec }] of Object.entries(pods))
      await rig.create(names[key as keyof typeof pods], rig.spec(print, spec));
    const seen = async (key: keyof typeof pods) => logsOf(rig, names[key], /^end$/m);
    const plain = await seen('plain');
    expect(plain).toContain(`name ${names.plain}`);
    expect(plain).toMatch(/192\.0\.2\.7\s+db\.example/);
    expect(plain).toMatch(/kubernetes\.default\.svc/);
    expect(plain).toContain(
      `search ${rig.homeNamespace}.svc.cluster.local svc.cluster.local cluster.local corp.example`,
    );
    expect(plain).toContain('options ndots:5');
    expect(await seen('named')).toContain('name custom');
    const qualified = await seen('qualified');
    if (qualified.includes('name short\n')) {
      // A worker before 1.35.
      expect(await rig.event(names.qualified, 'HostnameNotCarried')).toContain('the host name is short');
    } else expect(qualified).toContain(`name short.team.${rig.homeNamespace}.svc.cluster.local`);
    // No name that the worker's kubelet makes, of its own domain and the mount namespace.
    expect(await seen('named')).not.toContain('custom.team');
    expect(await seen('default')).not.toContain('svc.cluster.local cluster.local');
    expect(await seen('none')).toContain('nameserver 192.0.2.53');
  });
});

const SERVE = 'mkdir /tmp/www; hostname > /tmp/www/name; httpd -p 8080 -h /tmp/www; ';

describe('Services of home', () => {
  test('reach the pods of a StatefulSet, one after the other, by Service and by their own names, from both clusters', async () => {
    const name = uniqueName('db');
    const front = uniqueName('front');
    const labels = { app: name };
    const port = { port: 8080, targetPort: 8080 };
    await made(rig.home, Services, rig.homeNamespace, {
      metadata: { name },
      spec: { clusterIP: 'None', selector: labels, ports: [port] },
    });
    await made(rig.home, Services, rig.homeNamespace, {
      metadata: { name: front },
      spec: { selector: labels, ports: [port] },
    });
    await made(rig.home, StatefulSets, rig.homeNamespace, {
      metadata: { name },
      spec: {
        serviceName: name,
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: rig.spec(
            `${SERVE}${STAY}`,
            {},
            { readinessProbe: { httpGet: { path: '/name', port: 8080 }, periodSeconds: 1 } },
          ),
        },
      },
    });
    // As it became ready: a probe that is late on a busy machine would make it ready anew, after the second.
    const first = await rig.ready(`${name}-0`).catch(() => rig.ready(`${name}-0`));
    await waitFor('the second', async () => isReady(await rig.atHome(`${name}-1`)), LONG);
    const second = await rig.atHome(`${name}-1`);
    const readySince = Date.parse(
      (conditionOf(first, 'Ready') as unknown as { lastTransitionTime: string }).lastTransitionTime,
    );
    expect(Date.parse(second.metadata.creationTimestamp ?? '')).toBeGreaterThanOrEqual(readySince - 1000);
    await readyBehind(rig, name, `${name}-1`);
    expect(await behind(rig, name, `${name}-1`)).toMatchObject({ hostname: `${name}-1`, nodeName: rig.vnode });

    // From a node of home: through its DNS and its kube-proxy. From the worker: home's DNS by its search list.
    const client = podName(rig, 'client');
    await rig.home.create(Pods, {
      metadata: { name: client, namespace: rig.homeNamespace },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': 'computing-1' },
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: 'main', image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', STAY] },
        ],
      },
    });
    await rig.ready(client);
    const ask = async (cluster: 'computing' | 'worker-1', namespace: string, pod: string, url: string) =>
      waitFor(
        `${url} from ${cluster}`,
        async () => {
          const { stdout, stderr } = await kubectl(cluster, ['-n', namespace, 'exec', pod, '--', 'wget', '-qO-', url], {
            anyExit: true,
          });
          if (stdout.startsWith(name)) return stdout.trim();
          throw new Error(stderr);
        },
        LONG,
      );
    for (const which of ['0', '1']) {
      expect(await ask('computing', rig.homeNamespace, client, `http://${name}-${which}.${name}:8080/name`)).toBe(
        `${name}-${which}`,
      );
    }
    expect(await ask('computing', rig.homeNamespace, client, `http://${front}:8080/name`)).toMatch(
      new RegExp(`^${name}-[01]$`),
    );
    const inside = rig.workerName(`${name}-0`);
    expect(await ask('worker-1', rig.mountNamespace, inside, `http://${name}-1.${name}:8080/name`)).toBe(`${name}-1`);
  }, 240_000);

  test('take in a pod when home says that it is ready, or at once with publishNotReadyAddresses', async () => {
    const [name, early, late] = [podName(rig, 'gated'), uniqueName('early'), uniqueName('late')];
    const labels = { app: name };
    const spec = { clusterIP: 'None', selector: labels, ports: [{ port: 8080 }] };
    await made(rig.home, Services, rig.homeNamespace, {
      metadata: { name: early },
      spec: { ...spec, publishNotReadyAddresses: true },
    });
    await made(rig.home, Services, rig.homeNamespace, { metadata: { name: late }, spec });
    await rig.create(name, rig.spec(STAY, { readinessGates: [{ conditionType: 'example.com/gate' }] }), { labels });
    const waits = await homePod<Pod>(
      rig,
      name,
      'gated',
      (pod) => conditionOf(pod, 'Ready')?.reason === 'ReadinessGatesNotReady',
    );
    expect(conditionOf(waits, 'ContainersReady')?.status).toBe('True');
    await readyBehind(rig, early, name);
    expect((await behind(rig, late, name))?.conditions.ready ?? false).toBe(false);
    const conditions = [{ type: 'example.com/gate', status: 'True' }];
    await rig.home.patch(
      Pods,
      rig.homeNamespace,
      name,
      { status: { conditions } },
      { subresource: 'status', type: 'strategic' },
    );
    await rig.ready(name);
    await readyBehind(rig, late, name);
    // The gate's own condition stays home's.
    expect(conditionOf(await rig.atHome(name), 'example.com/gate')?.status).toBe('True');
  });
});
