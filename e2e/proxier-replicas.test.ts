/**
 * Two replicas of the proxier as pods: they share the vnodes, one that is gone is replaced by the other within seconds,
 * and an update goes by unnoticed. Sessions on the replica that stays are never touched.
 */
import { spawn } from 'node:child_process';
import { Namespace, Port, proxierName } from '@kubeocean/shared/api';
import { type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client, kubeconfigOf, kubectl, programPath, waitFor } from './harness/index.ts';
import { pidOf, type Product, type Replica, startProduct } from './proxier/product.ts';
import { installCharts } from './setup.ts';

let product: Product;
/** Home pod on each vnode. */
const podOn = new Map<string, string>();
const patient = { timeoutMs: 60_000, everyMs: 100 };

beforeAll(async () => {
  product = await startProduct(['proxier.extraArgs={--drain-seconds=25}']);
  for (const [i, vnode] of product.vnodes.entries()) {
    const name = `pod-${i}`;
    podOn.set(vnode, name);
    await product.kubectl(['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        nodeName: vnode,
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: 'busybox:1.35', command: ['sh', '-c', 'echo hello; sleep 100000'] }],
      },
    });
  }
  const wait = await product.kubectl(['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=120s']);
  expect(wait.status, wait.stderr).toBe(0);
});

afterAll(async () => {
  await product?.kubectl(['delete', 'pod', '--all', '--wait=false']);
  await kubectl('computing', ['delete', 'clusterbinding', product?.id ?? '', '--timeout=60s'], { anyExit: true });
  await installCharts();
});

interface VnodeObject extends KubeObject {
  status: { daemonEndpoints: { kubeletEndpoint: { Port: number } } };
}

const podOf = (vnode: string) => podOn.get(vnode) as string;
const logs = (vnode: string) => product.kubectl(['logs', '--tail=1', podOf(vnode)]);

/** Until both replicas are ready and each vnode names one of them and answers. */
async function settled(): Promise<void> {
  await waitFor(
    'two replicas that are ready, and every vnode at one of them',
    async () => {
      const ready = (await product.replicas()).filter((replica) => replica.ready).map(({ address }) => address);
      return (
        ready.length === 2 && [...(await product.addresses()).values()].every((address) => ready.includes(address))
      );
    },
    { timeoutMs: 120_000, everyMs: 250 },
  );
  for (const vnode of product.vnodes) {
    await waitFor(`the logs of ${vnode}`, async () => (await logs(vnode)).stdout === 'hello\n', patient);
  }
}

/** A replica that serves a vnode, and one vnode of the other. Where all are at one, that one is made anew elsewhere. */
async function shared(): Promise<{ mine: Replica; my: string; other: Replica; others: string }> {
  for (let i = 0; i < 10; i++) {
    await settled();
    const [first, second] = (await product.replicas()) as [Replica, Replica];
    const at = await product.addresses();
    const servedBy = ({ address }: Replica) => product.vnodes.find((vnode) => at.get(vnode) === address);
    const [my, others] = [servedBy(first), servedBy(second)];
    if (my !== undefined && others !== undefined) return { mine: first, my, other: second, others };
    // Which address serves a vnode goes by their hash: another address, another chance.
    await client('computing').delete(Pods, Namespace.system, second.name, { gracePeriodSeconds: 0 });
    await waitFor(
      'it to go',
      async () => !(await product.replicas()).some(({ name }) => name === second.name),
      patient,
    );
  }
  throw new Error('ten times all vnodes were at one replica');
}

/** A session that says something ten times a second. */
function talk(vnode: string) {
  const script = 'while true; do echo tick; sleep 0.1; done';
  const args = [
    '--kubeconfig',
    kubeconfigOf('computing'),
    '-n',
    product.id,
    'exec',
    podOf(vnode),
    '--',
    'sh',
    '-c',
    script,
  ];
  const child = spawn(programPath('kubectl'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let ticks = 0;
  child.stdout.on('data', (chunk: Buffer) => (ticks += chunk.toString().split('\n').length - 1));
  return {
    get ticks() {
      return ticks;
    },
    get ended() {
      return child.exitCode ?? child.signalCode;
    },
    stop: () => child.kill(),
  };
}

/** Seconds until the vnode answers again. */
async function secondsUntilAnswer(vnode: string): Promise<number> {
  const began = performance.now();
  await waitFor(`${vnode} to answer`, async () => (await logs(vnode)).stdout === 'hello\n', {
    ...patient,
    timeoutMs: 90_000,
  });
  return (performance.now() - began) / 1000;
}

/** Port of each vnode, as its Node tells it. */
async function portsOf(): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for (const vnode of product.vnodes) {
    const { metadata, status } = await client('computing').get<VnodeObject>(Nodes, '', vnode);
    const port = status.daemonEndpoints.kubeletEndpoint.Port;
    expect(metadata.labels?.['kubeocean.io/proxier_port']).toBe(String(port));
    ports.set(vnode, port);
  }
  return ports;
}

test('ports are each vnode’s own, below those that systems give out, and told by label and status alike', async () => {
  const ports = [...(await portsOf()).values()];
  expect(new Set(ports).size).toBe(product.vnodes.length);
  for (const port of ports) expect([port >= Port.vnodeFirst, port <= Port.vnodeLast]).toEqual([true, true]);
  expect(Port.vnodeLast).toBeLessThan(32_768);
});

describe('a replica that is gone', () => {
  test.each(['killed', 'deleted'])('%s: the other takes its vnodes; its own sessions feel nothing', async (how) => {
    const { mine, my, others } = await shared();
    const session = talk(others);
    try {
      await waitFor('ticks', () => session.ticks > 3, patient);
      if (how === 'killed') process.kill(pidOf(mine.name), 'SIGKILL');
      else await client('computing').delete(Pods, Namespace.system, mine.name);
      const seconds = await secondsUntilAnswer(my);
      console.log(`replica ${how}: its vnode answers again after ${seconds.toFixed(1)} s`);
      const before = session.ticks;
      await waitFor('more ticks', () => session.ticks > before + 10, patient);
      expect(session.ended).toBeNull();
    } finally {
      session.stop();
    }
    await settled();
  });

  test('both killed, and the syncer: Kubernetes starts them again, the ports are the same', async () => {
    await settled();
    const before = await portsOf();
    const [syncer] = await product.syncers();
    for (const name of [...(await product.replicas()).map((replica) => replica.name), syncer as string]) {
      process.kill(pidOf(name), 'SIGKILL');
    }
    const seconds = await Promise.all(product.vnodes.map(secondsUntilAnswer));
    console.log(`both killed: vnodes answer again after ${seconds.map((one) => one.toFixed(1)).join(' and ')} s`);
    await settled();
    expect(await portsOf()).toEqual(before);
    // Made anew elsewhere, not only started again.
    await kubectl('computing', ['-n', Namespace.system, 'delete', 'pod', ...(await product.syncers()), '--wait=false']);
    await waitFor('another syncer', async () => !(await product.syncers()).includes(syncer as string), patient);
    await settled();
    expect(await portsOf()).toEqual(before);
  });
});

describe('an update of the Deployment', () => {
  test('under logs and exec without end: none fails, and sessions on the replicas that leave are ended in their own time', async () => {
    await settled();
    const failures: string[] = [];
    let calls = 0;
    let updating = true;
    const loop = async (vnode: string, args: string[], expected: string) => {
      while (updating) {
        const { stdout, stderr, status } = await product.kubectl(args);
        calls++;
        if (status !== 0 || stdout !== expected) failures.push(`${vnode} ${args[0]}: ${status} ${stdout}${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    const loops = product.vnodes.flatMap((vnode) => [
      loop(vnode, ['logs', '--tail=1', podOf(vnode)], 'hello\n'),
      loop(vnode, ['exec', podOf(vnode), '--', 'echo', 'x'], 'x\n'),
    ]);
    const long = product.vnodes.map((vnode) =>
      product.kubectl(['exec', podOf(vnode), '--', 'sh', '-c', 'sleep 15; echo done']),
    );
    const deployment = `deployment/${proxierName(product.id)}`;
    const before = (await product.replicas()).map(({ name }) => name);
    await kubectl('computing', ['-n', Namespace.system, 'rollout', 'restart', deployment]);
    await kubectl('computing', ['-n', Namespace.system, 'rollout', 'status', deployment, '--timeout=180s']);
    for (const session of long) expect(await session).toMatchObject({ stdout: 'done\n', status: 0 });
    await settled();
    updating = false;
    await Promise.all(loops);
    expect((await product.replicas()).filter(({ name }) => before.includes(name))).toEqual([]);
    console.log(`update: ${calls} calls, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(8);
  }, 300_000);
});

describe('rights that only metrics need', () => {
  test('when they are missing the binding works, and says so with their names', async () => {
    const saved = await kubectl('worker-1', [
      '-n',
      Namespace.agent,
      'get',
      'rolebinding',
      'kubeocean-tenants',
      '-o',
      'json',
    ]);
    const message = async () => {
      const { items } = JSON.parse((await product.kubectl(['get', 'clusterbinding', '-o', 'json'])).stdout) as {
        items: (KubeObject & { status?: { conditions?: { type: string; status: string; message: string }[] } })[];
      };
      const mine = items.find(({ metadata }) => metadata.name === product.id);
      return mine?.status?.conditions?.find(({ type }) => type === 'Connected');
    };
    expect((await message())?.message).not.toContain('services/proxy');
    await kubectl('worker-1', ['-n', Namespace.agent, 'delete', 'rolebinding', 'kubeocean-tenants']);
    try {
      const said = async () => {
        const { status, message: words } = (await message()) ?? { status: '', message: '' };
        return status === 'True' && /no metrics .*services\/proxy \(get\)/.test(words);
      };
      // A Secret that changes is looked at anew, once: which may be before the API server knows that the right is gone.
      await waitFor(
        'the missing right',
        async () => {
          const stamp = `kubeocean.io/test=${Date.now()}`;
          await kubectl('computing', ['-n', Namespace.system, 'annotate', 'secret', product.id, '--overwrite', stamp]);
          return waitFor('its words', said, { timeoutMs: 10_000 });
        },
        patient,
      );
    } finally {
      const object = JSON.parse(saved.stdout) as KubeObject;
      const { name, namespace, labels, annotations } = object.metadata;
      const again = { ...object, metadata: { name, namespace, labels, annotations } };
      await kubectl('worker-1', ['create', '-f', '-'], { input: JSON.stringify(again) });
    }
    await waitFor('the right again', async () => !(await message())?.message.includes('services/proxy'), patient);
  });
});
