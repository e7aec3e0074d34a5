/** A binding that is sound, and the end of bindings, with the manager between two real clusters (e2e/manager/rig.ts). */
import { type ClusterBinding, ClusterBindings, syncerName } from '@kubeocean/shared/api';
import { ClusterRoleBindings, Deployments, Leases, Pods, ServiceAccounts, Services } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { cleanup, kubectl, type RunningProcess, sumOf, uniqueName, waitFor } from './harness/index.ts';
import {
  agentFallsSilent,
  agentLives,
  ALL_MADE,
  bind,
  conditionOf,
  get,
  good,
  home,
  IMAGE,
  madeFor,
  notReady,
  phaseOf,
  putSecret,
  startManager,
  SYSTEM,
  unbind,
  workerKubeconfig,
} from './manager/rig.ts';

const MINUTE = { timeoutMs: 60_000 };
let manager: RunningProcess;

beforeAll(async () => {
  manager = await startManager();
});

async function restart(...image: [string?]): Promise<void> {
  await manager.stop();
  manager = await startManager(...image);
}

async function imagesOf(name: string): Promise<string> {
  return JSON.stringify((await home.get(Deployments, SYSTEM, name))['spec']);
}

async function uidsOf(clusterID: string): Promise<[string, string | undefined][]> {
  return [...(await madeFor(clusterID))].map(([key, { metadata }]) => [key, metadata.uid]);
}

/**
 * Whether the missing image is told of both Deployments, and of the first pod of each: of several the manager names that
 * one, so that its words change once more when another was the first to be tried.
 */
async function missingImagesTold(name: string, clusterID: string): Promise<boolean> {
  const { items } = await home.list(Pods, { namespace: SYSTEM });
  const names = items.map(({ metadata }) => metadata.name).toSorted();
  for (const [type, component] of [
    ['SyncerReady', 'syncer'],
    ['ProxierReady', 'proxier'],
  ] as const) {
    const first = names.find((pod) => pod.startsWith(`kubeocean-${component}-${clusterID}-`));
    const words = `image ${IMAGE} of pod ${first} cannot be pulled`;
    expect((await conditionOf(name, type))?.message).toContain(words);
  }
  return true;
}

/** Makes the Lease as a syncer of the clusterID would. @returns its name. */
async function electSyncer(clusterID: string): Promise<string> {
  const name = syncerName(clusterID);
  await home.create(Leases, { metadata: { name, namespace: SYSTEM }, spec: { holderIdentity: 'somebody' } });
  cleanup(() => kubectl('computing', ['-n', SYSTEM, 'delete', 'lease', name, '--ignore-not-found']));
  return name;
}

describe('a binding that is sound', () => {
  /** What the syncer says of it lives beside what the manager says. */
  const said = {
    type: 'Claimed',
    status: 'False',
    reason: 'NameTaken',
    message: 'taken',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };

  it('gets its objects; a manager started anew finds everything right and writes nothing', async () => {
    const { name, clusterID } = await good();
    expect(await notReady(name, 'SyncerNotReady')).toMatch(/no replica is available/);
    expect(await phaseOf(name)).toBe('Pending');
    await waitFor('the missing image is told', () => missingImagesTold(name, clusterID), MINUTE);
    for (const component of ['SyncerReady', 'ProxierReady']) {
      expect(await conditionOf(name, component)).toMatchObject({ status: 'False', reason: 'DeploymentUnavailable' });
    }
    const syncerStatus = { metadata: { name }, status: { conditions: [said] } };
    await home.apply(ClusterBindings, syncerStatus, 'kubeocean-syncer', { subresource: 'status' });

    await manager.stop();
    const revisions = async () => {
      const bound = await home.get(ClusterBindings, '', name);
      const made = [...(await madeFor(clusterID))].map(
        ([key, { metadata }]) => `${key} ${metadata.generation ?? metadata.resourceVersion}`,
      );
      return [`binding ${bound.metadata.resourceVersion}`, ...made];
    };
    const before = await revisions();
    manager = await startManager();
    // Why pods do not run it asks once the worker is checked, right before it says what it found.
    await waitFor(
      'the worker checked again',
      () => sumOf(manager, /^kubeocean_api_calls_total\{.*resource="pods"/),
      MINUTE,
    );
    const RUNS = /^kubeocean_manager_reconciles_total/;
    const runs = await sumOf(manager, RUNS);
    await waitFor('that run over, and another', async () => (await sumOf(manager, RUNS)) > runs, MINUTE);
    expect(await revisions()).toEqual(before);
    expect(manager.logs().filter((line) => line.msg === 'applied')).toEqual([]);
    expect(await conditionOf(name, 'Claimed')).toMatchObject(said);
  });

  it('gets back what is deleted or changed by hand', async () => {
    const { clusterID } = await good();
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
      MINUTE,
    );
    const other = `syncer=kubeocean.local/other:v0`;
    await kubectl('computing', ['-n', SYSTEM, 'set', 'image', `deployment/${syncer}`, other]);
    await kubectl('computing', ['delete', 'clusterrolebinding', syncer]);
    const service = `kubeocean-proxier-${clusterID}`;
    const selector = '{"spec":{"selector":{"a":"b","kubeocean.io/component":"x"}}}';
    await kubectl('computing', ['-n', SYSTEM, 'patch', 'service', service, '--type=merge', '-p', selector]);
    await waitFor(
      'all put right',
      async () =>
        (await imagesOf(syncer)).includes(IMAGE) &&
        (await get(ClusterRoleBindings, '', syncer)) &&
        JSON.stringify(await get(Services, SYSTEM, service)).includes('"kubeocean.io/component":"proxier"'),
      MINUTE,
    );
  });

  it('follows a new image', async () => {
    const { clusterID } = await good();
    onTestFinished(() => restart());
    await restart('kubeocean.local/nothing-is-here:v1');
    await waitFor(
      'the new image',
      async () => (await imagesOf(`kubeocean-syncer-${clusterID}`)).includes('nothing-is-here:v1'),
      MINUTE,
    );
  });

  it('says that its agent fell silent, until it is heard again', async () => {
    const { name } = await good();
    await notReady(name, 'SyncerNotReady');
    agentFallsSilent();
    expect(await notReady(name, 'AgentStale', 100_000)).toMatch(/has been silent since/);
    await agentLives();
    await notReady(name, 'SyncerNotReady');
  }, 240_000);
});

describe('deletion', () => {
  const gone = (name: string) => waitFor(`${name} gone`, async () => !(await get(ClusterBindings, '', name)), MINUTE);

  it('takes away what was made and nothing else', async () => {
    const { name, clusterID } = await good({ clusterID: uniqueName('id') });
    const [elected, others] = [await electSyncer(clusterID), await electSyncer(name)];
    await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false']);
    await gone(name);
    expect(await madeFor(clusterID)).toEqual(new Map());
    expect(await get(Leases, SYSTEM, elected)).toBeUndefined();
    expect(await get(Leases, SYSTEM, others)).toBeDefined();
  });

  it("of a binding that has another's clusterID for a name leaves that one's Lease and objects alone", async () => {
    const other = await good({ clusterID: uniqueName('id') });
    const lease = await electSyncer(other.clusterID);
    const before = await uidsOf(other.clusterID);
    const namesake = await good({ clusterID: uniqueName('id') }, other.clusterID);
    await unbind(namesake.name);
    expect(await madeFor(namesake.clusterID)).toEqual(new Map());
    expect(await get(Leases, SYSTEM, lease)).toBeDefined();
    expect(await uidsOf(other.clusterID)).toEqual(before);
  });

  it('of a binding whose clusterID is taken leaves the Lease and the objects of the holder alone', async () => {
    const holder = await good({ clusterID: uniqueName('id') });
    const lease = await electSyncer(holder.clusterID);
    const before = await uidsOf(holder.clusterID);
    const refused = await bind({
      clusterID: holder.clusterID,
      secretRef: { name: holder.secret, namespace: SYSTEM },
    });
    await notReady(refused.name, 'ClusterIDTaken');
    await unbind(refused.name);
    expect(await get(Leases, SYSTEM, lease)).toBeDefined();
    expect(await uidsOf(holder.clusterID)).toEqual(before);
    await unbind(holder.name);
    expect(await get(Leases, SYSTEM, lease)).toBeUndefined();
  });

  it('waits for the syncer and keeps it running; an abandoned one ends without it', async () => {
    const { name, clusterID } = await good();
    const { metadata } = await home.get<ClusterBinding>(ClusterBindings, '', name);
    const finalizers = [...(metadata.finalizers ?? []), 'kubeocean.io/clusterbinding-syncer'];
    await home.patch(ClusterBindings, '', name, { metadata: { finalizers } });
    await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false']);
    expect(await notReady(name, 'Unbinding')).toContain('kubeocean.io/abandon=true');
    await kubectl('computing', ['-n', SYSTEM, 'delete', 'deployment', `kubeocean-syncer-${clusterID}`]);
    await waitFor('the syncer deployed again', async () => (await madeFor(clusterID)).size === ALL_MADE, MINUTE);

    await kubectl('computing', ['annotate', 'clusterbinding', name, 'kubeocean.io/abandon=true']);
    await waitFor(
      'all gone',
      async () => (await madeFor(clusterID)).size === 0 && !(await get(ClusterBindings, '', name)),
      MINUTE,
    );
  });

  it('of a binding that never worked is quick', async () => {
    const { name } = await bind();
    await notReady(name, 'SecretMissing');
    await kubectl('computing', ['delete', 'clusterbinding', name, '--timeout=30s']);
  });

  it("leaves an object of the same name alone that is somebody else's", async () => {
    const made = await bind();
    const account = `kubeocean-proxier-${made.clusterID}`;
    await kubectl('computing', ['-n', SYSTEM, 'create', 'serviceaccount', account]);
    cleanup(() => kubectl('computing', ['-n', SYSTEM, 'delete', 'serviceaccount', account, '--ignore-not-found']));
    await putSecret(made.secret, { kubeconfig: await workerKubeconfig() });
    await agentLives();
    expect(await notReady(made.name, 'ApplyFailed')).toMatch(
      new RegExp(`ServiceAccount ${SYSTEM}/${account} exists already and belongs to nobody`),
    );
    await kubectl('computing', ['delete', 'clusterbinding', made.name, '--timeout=30s']);
    expect(await get(ServiceAccounts, SYSTEM, account)).toBeDefined();
  });
});

it('stops cleanly', async () => {
  expect(await manager.stop()).toBe(0);
});
