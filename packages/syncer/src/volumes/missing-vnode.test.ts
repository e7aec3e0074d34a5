/** Claims for which a vnode was chosen that is not there. */
import { ClusterBindings, VolumeAnnotation, VolumeDriver } from '@kubeocean/shared/api';
import { Nodes } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import type { Peer } from './peer.ts';
import { provision } from './provision.ts';
import { homeClaim, storageClass } from './samples.ts';
import {
  claimFor,
  recordOf,
  type TestState,
  VNODE,
  vnodeOf,
  volumeFor,
  waitingClaim,
  withPeers,
} from './test-state.ts';
import { type Claim, Claims, Volumes } from './types.ts';

let home: Peer;
let worker: Peer;
let at: TestState;

withPeers((made) => ({ home, worker, at } = made));

/** Works on the claim as both servers show it. */
async function turn(): Promise<{ againInMs: number } | void> {
  at.seen();
  const [claim] = home.all<Claim>(Claims);
  if (!claim) throw new Error('no claim');
  return provision(at.state, claim, storageClass());
}

function lend(...nodes: string[]): void {
  for (const node of nodes) {
    at.stores.vnodes.set(vnodeOf(node));
    at.stores.records.set(recordOf(node));
  }
}

function selected(): string | undefined {
  return home.all(Claims)[0]?.metadata.annotations?.[VolumeAnnotation.selectedNode];
}

function made(node: string): Claim {
  return worker.put(Claims, claimFor(node));
}

function otherBinding(clusterID: string): void {
  home.put(ClusterBindings, { metadata: { name: 'other' }, spec: { clusterID } });
}

describe('a chosen vnode that is gone', () => {
  test('gives its claim back, and the worker claim goes', async () => {
    home.put(Claims, waitingClaim());
    made('node1');
    expect(await turn()).toEqual({ againInMs: 5000 });
    at.pass(4000);
    expect(await turn()).toEqual({ againInMs: 1000 });
    expect([selected(), ...home.writes, ...worker.writes]).toEqual([VNODE]);
    at.pass(1000);
    await turn();
    expect(selected()).toBeUndefined();
    expect(worker.all(Claims)).toEqual([]);
    expect(at.events).toEqual([expect.stringContaining(`data ProvisioningFailed: the vnode ${VNODE}, for which`)]);
  });

  test('is given back by two changes, the second when home’s scheduler has surely seen the first', async () => {
    home.put(Claims, waitingClaim());
    await turn();
    at.pass(5000);
    expect(await turn()).toEqual({ againInMs: 2000 });
    at.pass(500);
    expect(await turn()).toEqual({ againInMs: 1500 });
    expect(home.writes).toHaveLength(1);
    at.pass(1500);
    await turn();
    expect(home.writes).toHaveLength(2);
    expect(home.all(Claims)[0]?.metadata.annotations).toEqual({ [VolumeAnnotation.storageProvisioner]: VolumeDriver });
    expect([await turn(), at.state.missingSince.size, home.writes.length]).toEqual([undefined, 0, 2]);
  });

  test('keeps nothing up once another was chosen', async () => {
    home.put(Claims, waitingClaim());
    await turn();
    at.pass(5000);
    await turn();
    const [claim] = home.all<Claim>(Claims);
    lend('node2');
    const { annotations } = waitingClaim('vnode-cls-node2').metadata;
    home.put(Claims, {
      ...homeClaim(),
      metadata: { ...claim?.metadata, name: 'data', annotations: { ...claim?.metadata.annotations, ...annotations } },
    });
    await turn();
    await turn();
    expect(home.all(Claims)[0]?.metadata.annotations).toEqual(annotations);
    expect(worker.all(Claims)).toHaveLength(1);
  });

  test('gives it back while the worker cannot be written to, too', async () => {
    home.put(Claims, waitingClaim());
    made('node1');
    at.context.mayWriteWorker = () => false;
    await turn();
    at.pass(5000);
    await turn();
    expect([selected(), ...worker.writes]).toEqual([undefined]);
  });

  test('is waited for when it comes back meanwhile', async () => {
    home.put(Claims, waitingClaim());
    await turn();
    lend('node1');
    at.pass(5000);
    await turn();
    expect(selected()).toBe(VNODE);
    expect(worker.all(Claims)).toHaveLength(1);
    at.stores.vnodes.remove(VNODE);
    expect(await turn()).toEqual({ againInMs: 5000 });
  });

  test('leaves what is changing meanwhile, and a volume that home has already, alone', async () => {
    home.put(Claims, waitingClaim());
    const claim = made('node1');
    home.put(Volumes, volumeFor(claim));
    await turn();
    at.pass(5000);
    expect(await turn()).toEqual({ againInMs: 3000 });
    expect([selected(), ...worker.writes]).toEqual([VNODE]);
  });

  test.each<[what: string, chosen: string, there: (chosen: string) => void]>([
    ['a real node', 'node7', () => undefined],
    ['a vnode of another clusterID', 'vnode-other-node1', () => undefined],
    ['a Node that is there, and not ours', VNODE, (name) => home.put(Nodes, { metadata: { name } })],
    ['a vnode that another binding’s clusterID fits better', 'vnode-cls-b-node1', () => otherBinding('cls-b')],
  ])('was ours: not %s', async (_, chosen, there) => {
    home.put(Claims, waitingClaim(chosen));
    there(chosen);
    for (let n = 0; n < 3; n++) {
      await turn();
      at.pass(60_000);
    }
    expect(selected()).toBe(chosen);
    expect(at.events).toEqual([]);
  });

  test.each<[by: string, known: () => unknown]>([
    ['the worker claim', () => made('b-node1')],
    ['the record', () => at.stores.records.set(recordOf('b-node1', 'Closed'))],
  ])('is known as ours by %s, whatever other clusterIDs there are', async (_, known) => {
    home.put(Claims, waitingClaim('vnode-cls-b-node1'));
    otherBinding('cls-b');
    known();
    await turn();
    at.pass(5000);
    await turn();
    expect(selected()).toBeUndefined();
  });
});
