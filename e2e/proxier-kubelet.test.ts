/**
 * A vnode beside a real kubelet: the same questions to both, straight to their ports, with the same rights. Answers are
 * equal in code and text but for the differences listed here, each with its reason (docs/proxier.md tells them to users).
 */
import type { KubeObject } from '@kubeocean/shared/kube';
import { Nodes } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from './harness/index.ts';
import { type Address, askAt } from './proxier/ask.ts';
import type { Caller } from './proxier/callers.ts';
import { DIFFERENCES } from './proxier/differences.ts';
import { QUESTIONS, type Question } from './proxier/questions.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

interface Place {
  address: Address;
  /** Names of the pods there. */
  pods: Record<'web' | 'pending' | 'ended', string>;
}

const IMAGE = { image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent' };
const PODS = {
  web: {
    initContainers: [{ name: 'first', ...IMAGE, command: ['echo', 'first of all'] }],
    containers: [
      { name: 'main', ...IMAGE, command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done; sleep 100000'] },
      {
        name: 'again',
        ...IMAGE,
        // /dev/termination-log is made anew for each start; the mount's folder is the pod's.
        command: ['sh', '-c', '[ -e /state/x ] || { touch /state/x; echo begun; exit 1; }; echo again; sleep 100000'],
        volumeMounts: [{ name: 'state', mountPath: '/state' }],
      },
    ],
    volumes: [{ name: 'state', emptyDir: {} }],
  },
  pending: { containers: [{ name: 'main', image: 'kubeocean.local/not-there:v0', imagePullPolicy: 'Never' }] },
  ended: { restartPolicy: 'Never', containers: [{ name: 'main', ...IMAGE, command: ['echo', 'the end'] }] },
};

let rig: Rig;
let kubelet: Place;
let virtual: Place;
const callers: Record<string, Caller> = { nobody: {} };

beforeAll(async () => {
  rig = await makeRig('beside', { vnodes: 1 });
  const nodes = await rig.home.list<KubeObject>(Nodes, { labelSelector: 'type!=virtual-kubelet,type!=kwok' });
  const node = nodes.items[0] as KubeObject & { status: { addresses: { type: string; address: string }[] } };
  const host = node.status.addresses.find(({ type }) => type === 'InternalIP')?.address as string;
  const parts = ['proxy', 'pods', 'healthz', 'configz', 'metrics', 'stats', 'log', 'checkpoint'];
  await rig.grant('admin', { verbs: ['*'], resources: parts.map((part) => `nodes/${part}`) });
  [callers['admin'], callers['stranger']] = await Promise.all([rig.certificate('admin'), rig.certificate('stranger')]);
  kubelet = {
    address: { host, port: 10250 },
    pods: { web: 'web-real', pending: 'pending-real', ended: 'ended-real' },
  };
  virtual = {
    address: { host: rig.hostIP, port: rig.portOf(rig.vnodes[0] as string) },
    pods: { web: 'web-virtual', pending: 'pending-virtual', ended: 'ended-virtual' },
  };
  const common = { automountServiceAccountToken: false, terminationGracePeriodSeconds: 0 };
  for (const [name, spec] of Object.entries(PODS)) {
    await rig.makePod(`${name}-real`, { vnode: node.metadata.name, alone: true, spec: { ...common, ...spec } });
    await rig.makePod(`${name}-virtual`, { spec: { ...common, ...spec } });
  }
  await rig.serve();
  for (const place of [kubelet, virtual]) {
    const logs = (path: string) => ask(place, { path: `/containerLogs/{ns}/${path}` });
    await waitFor(
      'the pods to be where they stay',
      async () =>
        (await logs('{web}/main')).text.includes('line 5') &&
        (await logs('{web}/again')).text.includes('again') &&
        (await logs('{web}/again?previous=true')).text.includes('begun') &&
        (await logs('{ended}/main')).text.includes('the end') &&
        !(await logs('{pending}/main')).text.includes('ContainerCreating'),
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
});

async function ask(place: Place, { path, as = 'admin', endless, method, headers }: Question) {
  const real = path
    .replace('{ns}', rig.id)
    .replace(/\{(web|pending|ended)\}/, (_, name: keyof Place['pods']) => place.pods[name]);
  const answer = await askAt(place.address, real, callers[as] as Caller, {
    ...(method && { method }),
    ...(headers && { headers }),
    ...(endless && { onAnswer: (begun) => begun.destroy() }),
  });
  let { text } = answer;
  for (const [name, given] of Object.entries(place.pods)) text = text.replaceAll(given, `{${name}}`);
  text = text
    .replaceAll(rig.id, '{ns}')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '{id}')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, '{time}');
  // Some of a kubelet's texts end with a new line, some do not.
  return { code: answer.code, text: text.trimEnd() };
}

describe('the same question to a kubelet and to a vnode', () => {
  test('gets the same answer, or one that is listed', async () => {
    const different: Record<string, unknown> = {};
    // One after the other: kubelets limit how many logs and sessions they answer at once.
    for (const [name, question] of Object.entries(QUESTIONS)) {
      const [there, here] = [await ask(kubelet, question), await ask(virtual, question)];
      if (there.code === here.code && (question.codeOnly || there.text === here.text)) continue;
      const codeOnly = question.codeOnly || there.code === 200;
      different[name] = codeOnly
        ? { kubelet: [there.code], vnode: [here.code] }
        : { kubelet: [there.code, there.text], vnode: [here.code, here.text] };
    }
    const listed = Object.fromEntries(
      Object.entries(DIFFERENCES).map(
        ([
          name,
          {
            kubelet: [...there],
            vnode: [...here],
          },
        ]) => [name, { kubelet: there, vnode: here }],
      ),
    );
    expect(different).toEqual(listed);
  }, 240_000);
});
