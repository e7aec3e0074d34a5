/**
 * The `kubeocean` command as a user runs it, against two real API servers with the charts' kinds and a real
 * agent. What the syncer would write (claim, vnode, worker pod) is written by hand: it takes no worker on loopback.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Annotation, Label, migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { Pods } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createPod, createWorld, vnode, type World } from './cli/world.ts';
import { run } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { kubectl, programPath, uniqueName } from './harness/index.ts';
import { binding, mount } from './worker-agent/plain.ts';

const bin = join(checkout, 'packages/cli/bin');

let world: World;

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(world.agent.tail(10));
});

beforeAll(async () => {
  world = await createWorld();
}, 180_000);

function command(...args: string[]) {
  return run([join(bin, 'kubeocean'), ...args], { anyExit: true });
}

function explain(...args: string[]) {
  const { homeServer, worker } = world;
  const both = ['--kubeconfig', homeServer.kubeconfig, '--worker-kubeconfig', worker.server.kubeconfig];
  return command('explain', ...args, ...both);
}

/** A home pod and a worker pod as gocrane/kubeocean named it, labelled as adopted by a binding. @returns that name. */
async function createMigrated(pod: string, bindingUID: string): Promise<string> {
  const name = migratedWorkerName('default', pod);
  const annotations = { [Annotation.physicalPodName]: name, [Annotation.physicalPodNamespace]: mount };
  const { metadata } = await createPod(world.home, 'default', pod, vnode, '1', { annotations });
  await createPod(world.worker.client, mount, name, '', '1', {
    labels: { [Label.bindingUID]: bindingUID, [Label.virtualNamespace]: 'default' },
    annotations: {
      [Annotation.virtualPodNamespace]: 'default',
      [Annotation.virtualPodName]: pod,
      [Annotation.virtualPodUID]: metadata.uid ?? '',
    },
  });
  return name;
}

describe('kubeocean explain', () => {
  test('policy: what is lent, and of every other node why not', async () => {
    const { stdout, status } = await explain('policy', 'example-policy');
    expect(status).toBe(0);
    expect(stdout).toContain('Policy example-policy is open');
    expect(stdout).toContain(`it lends 1 of 2 nodes to ${binding}.`);
    expect(stdout).toMatch(/node1: lent to example-cluster under policy example-policy: cpu 4, memory 32Gi, pods 109/);
    expect(stdout).toContain(
      'node2: not lent: the policy\'s nodeSelector does not match it: wants kubeocean.io/role In (worker), the node has "own"',
    );
  });

  test('policy that an earlier one precedes', async () => {
    const { stdout } = await explain('policy', 'later-policy');
    expect(stdout).toContain(
      'node1: not lent by this policy: the older policy example-policy lends it to example-cluster',
    );
  });

  test('node, by the name of the vnode and of the worker node', async () => {
    const { stdout } = await explain('node', vnode);
    expect(stdout).toContain(`Vnode ${vnode} stands for the worker node node1: it is lent to ${binding}.`);
    expect(stdout).toContain(
      'cpu: 4 lent to example-cluster; the node can give 8; its own pods ask for 2, which leaves 6; the policy caps it at quantity 4 and 80 % of what is left.',
    );
    const own = await explain('node', 'node2');
    expect(own.stdout).toContain('Worker node node2: it is not lent.');
  });

  test('node, with one of the clusters only', async () => {
    const atHome = await command('explain', 'node', vnode, '--kubeconfig', world.homeServer.kubeconfig);
    expect(atHome.stdout).toContain(`Vnode ${vnode} of ${binding}`);
    expect(atHome.stdout).toContain('give --worker-kubeconfig');
    const atWorker = await command('explain', 'node', vnode, '--worker-kubeconfig', world.worker.server.kubeconfig);
    expect(atWorker.stdout).toContain(`Vnode ${vnode} stands for the worker node node1`);
    expect(atWorker.stdout).toContain('How its vnodes are, and whether pods run on them: give --kubeconfig.');
  });

  test('pod: its counterpart, its state and the lease', async () => {
    const { metadata } = await createPod(world.home, 'default', 'web', vnode, '1');
    const name = workerName(world.bindingUID, 'default', 'web');
    const annotations = { [Annotation.virtualPodUID]: metadata.uid ?? '' };
    await createPod(world.worker.client, mount, name, '', '1', { annotations });
    const { stdout } = await explain('pod', 'web', '-n', 'default');
    expect(stdout).toContain('Pod default/web: Pending');
    expect(stdout).toContain(`Its counterpart in the worker: ${mount}/${name}, Pending, not scheduled yet.`);
    expect(stdout).toContain('The worker node node1: lent to example-cluster under policy example-policy');
    const answer = JSON.parse((await explain('pod', 'default/web', '-o', 'json')).stdout) as {
      kind: string;
      unknown: string[];
    };
    expect(answer).toMatchObject({ kind: 'pod', name: 'default/web', unknown: [] });
  });

  test('pod that was adopted: its counterpart is found by the name that gocrane/kubeocean gave it', async () => {
    const name = await createMigrated('moved', world.bindingUID);
    const { stdout } = await explain('pod', 'moved');
    expect(stdout).toContain(`Its counterpart in the worker: ${mount}/${name}, Pending, not scheduled yet.`);
    expect(stdout).not.toContain('was not made for this one');
    const atWorker = await command('explain', 'pod', 'moved', '--worker-kubeconfig', world.worker.server.kubeconfig);
    expect(atWorker.stdout).toContain(`In the worker: ${mount}/${name}, Pending, not scheduled yet.`);
  });

  test("pod whose old name is another binding's", async () => {
    const name = await createMigrated('stranger', 'another-uid');
    const { stdout } = await explain('pod', 'stranger');
    expect(stdout).not.toContain(name);
    const ours = workerName(world.bindingUID, 'default', 'stranger');
    expect(stdout).toContain(`The worker cluster has no pod ${mount}/${ours} yet, or any more.`);
  });

  test('pod without a node', async () => {
    await createPod(world.home, 'default', 'plain', '', '1');
    const { stdout } = await explain('pod', 'plain');
    expect(stdout).toContain('does not tolerate kubeocean.io/vnode:NoSchedule');
  });

  test('pod that asks for more than is lent', async () => {
    await createPod(world.home, 'default', 'large', vnode, '7');
    const message = 'the vnode has not enough cpu: requested 7, used 1, lent 4';
    const status = { phase: 'Failed', reason: 'OutOfcpu', message };
    await world.home.patch(Pods, 'default', 'large', { status }, { subresource: 'status' });
    const { stdout } = await explain('pod', 'large');
    expect(stdout).toContain('Pod default/large: Failed (OutOfcpu)');
    expect(stdout).toContain('not enough cpu: requested 7');
    expect(stdout).toContain('never run again');
  });

  test('what is not there', async () => {
    const { stderr, status } = await explain('policy', 'none');
    expect(status).toBe(1);
    expect(stderr).toContain(
      `there is no ResourceLeasingPolicy none in the worker cluster (${world.worker.server.url})`,
    );
    expect((await explain('pod', 'none')).status).toBe(1);
    const swapped = await command(
      'explain',
      'policy',
      'example-policy',
      '--worker-kubeconfig',
      world.homeServer.kubeconfig,
    );
    expect(swapped.stderr).toContain('is it the right cluster?');
  });

  test('a released claim, and no policy', async () => {
    const policy = uniqueName('unclaimed');
    await world.worker.createPolicy(policy, { cluster: 'nobody' });
    const { stdout } = await explain('policy', policy);
    expect(stdout).toContain('no computing cluster claims "nobody"');
    expect(stdout).toContain(`The computing cluster (${world.homeServer.url}) has no ClusterBinding nobody.`);
  });
});

describe('kubeocean windows', () => {
  test('of an object, and as kubectl kubeocean', async () => {
    const path = `${bin}:${dirname(programPath('kubectl'))}:/usr/bin:/bin`;
    const found = await run(
      [
        programPath('kubectl'),
        'kubeocean',
        'windows',
        'example-policy',
        '--kubeconfig',
        world.worker.server.kubeconfig,
      ],
      { env: { ...process.env, PATH: path } },
    );
    expect(found.stdout).toContain('Policy example-policy, lends to example-cluster');
    expect(found.stdout).toContain("Time zone UTC (the policy's own)");
  });

  test.each([
    ['timeWindows: [{start: "25:00", end: "08:00"}]', 'spec.timeWindows[0].start'],
    ['timeWindows: [{start: "18:00"}]', 'spec.timeWindows[0]'],
    ['timeWindows: [{days: [Funday]}]', 'spec.timeWindows[0].days[0]'],
    ['timeZone: "8"', 'spec.timeZone'],
    ['resourceLimits: [{resource: cpu, percent: 101}]', 'spec.resourceLimits[0].percent'],
    ['resourceLimits: [{resource: cpu, quantity: 4x}]', 'spec.resourceLimits[0].quantity'],
    ['resourceLimits: [{resource: cpu}]', 'spec.resourceLimits[0]'],
    ['gracefulReclaimPeriodSeconds: -1', 'spec.gracefulReclaimPeriodSeconds'],
    ['forceReclaim: maybe', 'spec.forceReclaim'],
    [
      'nodeSelector: {nodeSelectorTerms: [{matchFields: [{key: a, operator: In, values: [b]}]}]}',
      'nodeSelectorTerms[0].matchFields[0].key',
    ],
  ])('%s: refused by the command and by the API server in the same words', async (field, path) => {
    const file = join(world.worker.server.folder, 'bad.yaml');
    const text = `apiVersion: cloud.tencent.com/v1beta1\nkind: ResourceLeasingPolicy\nmetadata: {name: bad}\nspec:\n  cluster: c\n  ${field}\n`;
    writeFileSync(file, text);
    const ours = await command('windows', file);
    expect(ours.status).toBe(1);
    expect(ours.stderr).toContain(`${file}:6: `);
    expect(ours.stderr).toContain(path);
    const theirs = await kubectl(world.worker.server.kubeconfig as `/${string}`, ['create', '-f', file], {
      anyExit: true,
    });
    expect(theirs.status).not.toBe(0);
    expect(theirs.stderr).toContain(path);
    // Without file and field: those are written in other places.
    const words = ours.stderr.split(': ').slice(-1)[0]?.trim() ?? '';
    expect(theirs.stderr).toContain(words);
  });

  test('a name that no object can have, and YAML with merge keys: the same as for kubectl', async () => {
    const file = join(world.worker.server.folder, 'odd.yaml');
    const create = () =>
      kubectl(world.worker.server.kubeconfig as `/${string}`, ['create', '--dry-run=server', '-f', file], {
        anyExit: true,
      });
    const policy = (name: string) =>
      `apiVersion: cloud.tencent.com/v1beta1\nkind: ResourceLeasingPolicy\nmetadata: {name: ${name}}\nspec:\n  cluster: c\n  timeWindows:\n  - &night {start: "22:00", end: "06:00"}\n  - {<<: *night, days: [Sunday]}\n`;
    writeFileSync(file, policy('odd'));
    expect((await create()).status).toBe(0);
    expect((await command('windows', file)).status).toBe(0);
    writeFileSync(file, policy('Odd_Name'));
    const words = (await command('windows', file)).stderr.split('metadata.name: ')[1]?.trim() ?? 'nothing';
    expect((await create()).stderr).toContain(words);
  });
});
