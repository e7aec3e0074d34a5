/** Names and numbers that Kubernetes takes and that mean something else, or too much, to a program in JavaScript. */
import { ConfigMaps, Secrets } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { kubectl, uniqueName, waitFor } from './harness/index.ts';
import { explainFailures, logsOf, LONG, made, podName, type PodRig, podRig, STAY } from './pods/helpers.ts';

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('awkward', { allocatable: { cpu: '4', memory: '4Gi', pods: '40' } });
});

/** From text: in an object of JavaScript that is written down, `__proto__` would not be a key. */
const keys = (value: string) => JSON.parse(`{"__proto__":"${value},","constructor":"made,"}`) as Record<string, string>;

test('what every object of JavaScript has is a name like others', async () => {
  const [map, secret] = [uniqueName('map'), uniqueName('secret')];
  await made(rig.home, ConfigMaps, rig.homeNamespace, { metadata: { name: map }, data: keys('first') });
  await made(rig.home, Secrets, rig.homeNamespace, { metadata: { name: secret }, stringData: keys('hidden') });
  const name = podName(rig, 'constructor');
  const volumes = [
    { name: 'constructor', configMap: { name: map } },
    { name: 'secret', secret: { secretName: secret } },
    {
      name: 'down',
      downwardAPI: { items: [{ path: 'all', fieldRef: { fieldPath: 'metadata.labels' } }] },
    },
  ];
  const container = {
    name: 'constructor',
    env: [{ name: '__proto__', valueFrom: { configMapKeyRef: { name: map, key: '__proto__' } } }],
    volumeMounts: volumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` })),
  };
  const script = `cd /constructor; cat __proto__ constructor /secret/__proto__ /secret/constructor; env | grep __proto__; cat /down/all; echo; until grep -q second __proto__; do sleep 1; done; echo end; ${STAY}`;
  await rig.create(name, rig.spec(script, { volumes }, container), { labels: { constructor: 'acme', valueOf: 'x' } });
  const output = await logsOf(rig, name, /valueOf/, 'constructor');
  expect(output.split('\n').slice(0, 3)).toEqual([
    'first,made,hidden,made,__proto__=first,',
    'constructor="acme"',
    'valueOf="x"',
  ]);
  // Kubelets look again after a minute or so; that the copy says it is ours.
  await rig.home.patch(ConfigMaps, rig.homeNamespace, map, { data: keys('second') });
  await waitFor(
    'the copy to follow',
    async () => {
      const { stdout } = await kubectl('worker-1', ['-n', rig.mountNamespace, 'get', 'configmaps', '-o', 'json']);
      return stdout.includes('"__proto__": "second,"') && stdout.includes('"constructor": "made,"');
    },
    LONG,
  );
});

test('numbers of 64 bits: a pod runs, keeps them, and ends', async () => {
  const name = podName(rig, 'long');
  const MOST = '9223372036854775807';
  const tolerations = [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 'MOST' }, { operator: 'Exists' }];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: rig.homeNamespace },
    spec: { ...rig.spec(STAY), terminationGracePeriodSeconds: 'MOST', tolerations },
  };
  const input = JSON.stringify(pod).replaceAll('"MOST"', MOST);
  await kubectl('computing', ['create', '-f', '-'], { input });
  await rig.ready(name);
  const fields = '{.spec.terminationGracePeriodSeconds} {.spec.tolerations[0].tolerationSeconds}';
  const args = ['-n', rig.mountNamespace, 'get', 'pod', rig.workerName(name), '-o', `jsonpath=${fields}`];
  const { stdout } = await kubectl('worker-1', args);
  expect(stdout).toBe(`${MOST} ${MOST}`);
  await kubectl('computing', ['-n', rig.homeNamespace, 'delete', 'pod', name, '--timeout=90s']);
  await waitFor('no worker pod', async () => !(await rig.inWorker(name).catch(() => undefined)), LONG);
});
