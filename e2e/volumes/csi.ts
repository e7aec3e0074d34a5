/**
 * A CSI driver of the worker cluster for ephemeral inline volumes: `e2e/programs/csi` as a process beside a real kubelet,
 * in whose mount namespace it is because the kubelets of the local clusters have none of their own.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@kubeocean/shared/kube';
import { ensureProgram, kubeletFolder, stateRoot } from '../clusters/index.ts';
import { startChild } from '../harness/child.ts';
import { cleanup, waitFor } from '../harness/index.ts';
import { gone, worker } from './rig.ts';

export const CsiDrivers: Resource = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csidrivers',
  kind: 'CSIDriver',
  namespaced: false,
};

/** A call of the kubelet, as the driver tells it. */
export interface Call {
  call: 'publish' | 'unpublish' | 'registered';
  volume?: string;
  /** Where the kubelet wants the volume: `<its root>/pods/<pod UID>/volumes/kubernetes.io~csi/<volume name>/mount`. */
  target?: string;
  readOnly?: boolean;
  fsType?: string;
  /** Attributes of the volume, and what the kubelet adds. */
  context?: Record<string, string>;
  error?: string;
}

export interface CsiDriver {
  name: string;
  calls(): Call[];
  /** The last call of its kind for a volume, by the worker pod's UID and the volume's name. */
  last(call: Call['call'], podUID: string, volume: string): Call | undefined;
  /** Folders of the volumes that there are, by their id. */
  folder: string;
  volumes(): string[];
  /** Ends it once its volumes are gone: no kubelet could unmount them without it. */
  stop(): Promise<void>;
}

let program: Promise<string> | undefined;

/** A CSIDriver object of the worker that lasts as long as the test file. */
export async function declareDriver(name: string, spec: Record<string, unknown> = {}): Promise<void> {
  cleanup(() => worker.delete(CsiDrivers, '', name).catch(gone));
  await worker.create(CsiDrivers, {
    metadata: { name },
    spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral'], ...spec },
  });
}

/**
 * Starts a driver beside the kubelet of a worker node, and waits until that has registered it. It is ended after the test
 * file, if not before.
 */
export async function startDriver(name: string, node: string): Promise<CsiDriver> {
  // Once: drivers may be started side by side.
  program ??= ensureProgram('csi', stateRoot(), (line) => console.log(line));
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-csi-'));
  cleanup(() => rmSync(folder, { recursive: true, force: true }));
  const kubelet = kubeletFolder('worker-1', node);
  const child = startChild([
    await program,
    `--driver=${name}`,
    `--node=${node}`,
    `--kubelet=${kubelet}`,
    `--state=${folder}`,
  ]);
  cleanup(() => driver.stop());
  const calls = () => child.lines.flatMap(parse);
  const driver: CsiDriver = {
    name,
    calls,
    last: (call, podUID, volume) =>
      calls().findLast((each) => each.call === call && each.target?.endsWith(targetOf(podUID, volume))),
    folder,
    volumes: () => readdirSync(folder),
    async stop() {
      try {
        await waitFor(`volumes of ${name} gone`, () => driver.volumes().length === 0, { timeoutMs: 60_000 });
      } finally {
        await child.stop();
      }
    },
  };
  await waitFor(`${name} registered on ${node}`, () => child.exit !== undefined || registered(calls()), {
    timeoutMs: 60_000,
  });
  if (child.exit !== undefined) throw new Error(`the driver ended with ${child.exit}: ${child.lines.join('\n')}`);
  return driver;
}

function targetOf(podUID: string, volume: string): string {
  return `/pods/${podUID}/volumes/kubernetes.io~csi/${volume}/mount`;
}

function registered(calls: Call[]): boolean {
  const told = calls.find(({ call }) => call === 'registered');
  if (told?.error !== undefined) throw new Error(told.error);
  return told !== undefined;
}

/** The driver's own lines are JSON; what else a program says (a panic) is not. */
function parse(line: string): Call[] {
  return line.startsWith('{') ? [JSON.parse(line) as Call] : [];
}
