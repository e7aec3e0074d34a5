/**
 * A binding with two lent nodes for tests of volumes. The syncer has exactly the rights of both charts: a tenant's
 * credential in the worker, under the chart's admission policies, and at home the ClusterRole of syncers. Lease and
 * guard are written by hand: no agent has a part in it. The worker's storage is storage.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClusterBinding,
  ClusterBindings,
  ChartName,
  Label,
  syncerName,
  LeaseGuards,
  VolumeDriver,
  vnodeName,
} from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, Namespaces, Pods, type Resource } from '@kubeocean/shared/kube';
import type { Claim } from '../../packages/syncer/src/volumes/types.ts';
import { Claims, StorageClasses, Volumes } from '../../packages/syncer/src/volumes/types.ts';
import {
  cleanup,
  client,
  forgetBinding,
  free,
  giveKubeconfig,
  heartOf,
  kubectl,
  lendByHand,
  lentStatus,
  rendered,
  type RunningProcess,
  startProcess,
  uniqueName,
} from '../harness/index.ts';
import { startStorage, type Storage, storageClasses } from './storage.ts';

export const home = client('computing');
export const worker = client('worker-1');
export const NODES = ['node1', 'node2'] as const;

export interface HomePod extends KubeObject {
  spec: { nodeName?: string; [field: string]: unknown };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

export interface Rig {
  /** Name of the namespace in both clusters, of the binding, and of a tenant's policies. */
  name: string;
  bindingUID: string;
  clusterID: string;
  /** The worker's. */
  storage: Storage;
  vnodes: string[];
  /** Kubeconfig file of the tenant in the worker, and of the syncer at home. */
  tenant: `/${string}`;
  daemon: `/${string}`;
  startSyncer(): RunningProcess;
  /** Takes this for the owner's list of classes that may be claimed. */
  lendClasses(storageClasses: string[]): Promise<void>;
  /** A StorageClass of home that lasts as long as the test file. */
  offer(workerClass: string, more?: OfferMore): Promise<string>;
  claim(name: string, storageClassName: string, more?: Record<string, unknown>): Promise<Claim>;
  /** A pod that runs `script` with the volumes, on any vnode of the rig. */
  pod(name: string, script: string, volumes: Mounted[], more?: Record<string, unknown>): Promise<HomePod>;
}

export interface OfferMore {
  topology?: string;
  reclaimPolicy?: string;
  allowVolumeExpansion?: boolean;
}

/** A volume by its source, mounted at `/<name>`. */
export type Mounted = Record<string, unknown> & { name: string };

/** @param policies values of the worker chart beside the tenant */
export async function createRig(prefix: string, policies: Record<string, unknown> = {}): Promise<Rig> {
  const name = uniqueName(prefix);
  const clusterID = uniqueName('v');
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-volumes-'));
  cleanup(() => rmSync(folder, { recursive: true, force: true }));
  const storage = await startStorage(worker, join(folder, 'storage'));
  await home.create(Namespaces, { metadata: { name } });
  cleanup(() => home.delete(Namespaces, '', name));
  const tenant = await createTenant(name, folder, policies);
  const daemon = await createDaemon(name, syncerName(clusterID), folder);
  const spec = { clusterID, mountNamespace: name, secretRef: { name: 'none', namespace: 'kubeocean-system' } };
  const binding = await home.create<ClusterBinding>(ClusterBindings, { metadata: { name }, spec });
  const bindingUID = binding.metadata.uid ?? '';
  for (const nodeName of NODES) {
    await lendByHand(worker, name, name, nodeName, lentStatus({ cpu: '2', memory: '4Gi', pods: '40' }));
  }
  await heartOf(worker, name).start();

  const rig: Rig = {
    name,
    bindingUID,
    clusterID,
    storage,
    vnodes: NODES.map((node) => vnodeName(clusterID, node)),
    tenant,
    daemon,
    startSyncer: () =>
      startProcess('syncer', [
        `--kubeconfig=${daemon}`,
        `--worker-kubeconfig=${tenant}`,
        `--cluster-binding-name=${name}`,
        '--leader-elect=false',
      ]),
    lendClasses: (classes) => {
      const lentPods = { ...(policies['lentPods'] as object | undefined), storageClasses: classes };
      return applyPolicies(name, folder, { ...policies, lentPods });
    },
    offer: (workerClass, more = {}) => offer(name, workerClass, more),
    claim: (claimName, storageClassName, more = {}) =>
      home.create<Claim>(Claims, {
        metadata: { name: claimName, namespace: name },
        spec: {
          storageClassName,
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '16Mi' } },
          ...more,
        },
      }),
    pod: (podName, script, volumes, more = {}) =>
      home.create<HomePod>(Pods, {
        metadata: { name: podName, namespace: name },
        spec: podSpec(name, script, volumes, more),
      }),
  };
  return rig;
}

/** Namespace, credential and policies of a tenant, as the worker chart makes them, under names of the rig's own. */
async function createTenant(name: string, folder: string, policies: Record<string, unknown>): Promise<`/${string}`> {
  const file = join(folder, 'tenant.yaml');
  cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', file]));
  cleanup(() => freeWorker(name));
  await applyPolicies(name, folder, policies);
  const open = Object.fromEntries(NODES.map((node) => [node, [name]]));
  await worker.create(LeaseGuards, { metadata: { name: ChartName.leaseGuard, namespace: name }, spec: { open } });
  return giveKubeconfig('borrower', name, join(folder, 'tenant.kubeconfig'));
}

async function applyPolicies(name: string, folder: string, policies: Record<string, unknown>): Promise<void> {
  const values = {
    tenants: [{ namespace: name, serviceAccount: 'borrower', bindings: ['*'] }],
    ...policies,
    lentPods: {
      storageClasses: [...Object.values(storageClasses), 'absent-path', 'capped-path'],
      ...(policies['lentPods'] as object | undefined),
    },
  };
  const only = ['tenants', 'admission-pods', 'admission-objects', 'admission-volumes'];
  const file = join(folder, 'tenant.yaml');
  writeFileSync(file, (await rendered('kubeocean-worker', { values, only })).replaceAll('kubeocean-tenants', name));
  await kubectl('worker-1', ['apply', '-f', file]);
}

/** Takes off what only a syncer would: the namespace could not go otherwise. */
async function freeWorker(name: string): Promise<void> {
  for (const { metadata } of (await worker.list(Pods, { namespace: name })).items) {
    await worker.patch(Pods, name, metadata.name, { metadata: { finalizers: null } }).catch(gone);
    await worker.delete(Pods, name, metadata.name, { gracePeriodSeconds: 0 }).catch(gone);
  }
}

/** An object of home's administrator that lasts as long as the test file. */
export function cleanupHome(resource: Resource, namespace: string, name: string): void {
  cleanup(() => home.delete(resource, namespace, name).catch(gone));
}

export function gone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** A ServiceAccount as the manager makes it for the syncer of a binding. */
async function createDaemon(name: string, account: string, folder: string): Promise<`/${string}`> {
  const system = 'kubeocean-system';
  const undo = (...what: string[]) =>
    cleanup(() => kubectl('computing', ['delete', '--ignore-not-found', ...what], { anyExit: true }));
  await kubectl('computing', ['-n', system, 'create', 'serviceaccount', account]);
  undo('-n', system, 'serviceaccount', account);
  const bind = ['--clusterrole=kubeocean-syncer', `--serviceaccount=${system}:${account}`];
  await kubectl('computing', ['create', 'clusterrolebinding', name, ...bind]);
  undo('clusterrolebinding', name);
  const leases = ['--clusterrole=kubeocean-syncer-leases', `--serviceaccount=${system}:${account}`];
  await kubectl('computing', ['-n', 'kube-node-lease', 'create', 'rolebinding', name, ...leases]);
  undo('-n', 'kube-node-lease', 'rolebinding', name);
  const { stdout: token } = await kubectl('computing', ['-n', system, 'create', 'token', account, '--duration=2h']);
  const { stdout } = await kubectl('computing', ['config', 'view', '--raw', '-o', 'json']);
  const config = JSON.parse(stdout) as { users: { user: object }[] };
  for (const user of config.users) user.user = { token: token.trim() };
  const file = join(folder, 'daemon.kubeconfig') as `/${string}`;
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

async function offer(rig: string, workerClass: string, more: OfferMore): Promise<string> {
  const name = uniqueName(rig.slice(0, 20));
  const { topology = 'node', reclaimPolicy = 'Delete', allowVolumeExpansion = true } = more;
  cleanup(() => home.delete(StorageClasses, '', name).catch(gone));
  await home.create(StorageClasses, {
    metadata: { name },
    provisioner: VolumeDriver,
    parameters: { workerStorageClass: workerClass, topology },
    reclaimPolicy,
    allowVolumeExpansion,
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: Label.clusterBinding, values: [rig] }] }],
  });
  return name;
}

/** Does nothing until it is ended, at once. */
export const FOREVER = 'trap "exit 0" TERM; sleep 1000000 & wait';

export function podSpec(
  rig: string,
  script: string,
  volumes: Mounted[],
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    nodeSelector: { [Label.clusterBinding]: rig },
    tolerations: [{ operator: 'Exists' }],
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'busybox:1.35',
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', script],
        volumeMounts: volumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` })),
      },
    ],
    volumes,
    ...more,
  };
}

export function claimVolume(name: string, claimName: string): Mounted {
  return { name, persistentVolumeClaim: { claimName } };
}

/** The binding's end, before what the harness cleans up. */
export async function removeRig(rig: Rig, syncer: RunningProcess): Promise<void> {
  await syncer.kill();
  await forgetBinding({ binding: rig.name, vnodes: rig.vnodes, homeNamespace: rig.name, mountNamespace: rig.name });
  const labelSelector = `${Label.clusterBinding}=${rig.name}`;
  for (const { metadata } of (await home.list(Volumes, { labelSelector })).items) {
    await free(home, Volumes, '', metadata.name);
  }
}
