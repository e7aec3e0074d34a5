/**
 * From an older Kubeocean to this one and back, under pods that run, by the commands of docs/operations.md: values that the
 * user set are kept, what is new in the charts comes with them, no pod is lost and no container started again.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bash, POD, runTutorialStep, TUTORIAL } from '../scripts/tutorial.ts';
import { stateRoot } from './clusters/paths.ts';
import { waitFor } from './harness/index.ts';
import { json, MOUNT, ok, pods, removeKinds, SYSTEM } from './migration/gocrane.ts';
import { installCharts } from './setup.ts';
import { hasHistory, makeOlder } from './upgrade/older.ts';

const RELEASES = [
  ['computing', 'kubeocean'],
  ['worker-1', 'kubeocean-worker'],
] as const;
/** A user's own values, which both versions know. */
const VALUES = {
  kubeocean: 'logLevel=debug,manager.replicas=1,syncer.replicas=1,proxier.replicas=1,proxier.servingCertificate=csr',
  'kubeocean-worker': 'logLevel=debug,agent.replicas=1',
};
const PROCESSES = [
  ['computing', SYSTEM, 'kubeocean-manager'],
  ['computing', SYSTEM, 'kubeocean-syncer-cls-example'],
  ['computing', SYSTEM, 'kubeocean-proxier-cls-example'],
  ['worker-1', 'kubeocean-agent', 'kubeocean-agent'],
] as const;
const slow = { timeoutMs: 180_000, everyMs: 500 };

function startOver(): void {
  bash('computing', 'kubectl delete deployment hello --ignore-not-found --timeout=30s');
  bash('computing', 'kubectl delete cb --all --timeout=60s');
  bash('worker-1', 'kubectl delete rlp --all --timeout=30s');
  bash('worker-1', 'kubectl label node node1 node2 kubeocean.io/role-');
  bash('computing', `kubectl -n ${SYSTEM} delete secret worker-cluster-kubeconfig --ignore-not-found`);
  bash('computing', 'helm uninstall kubeocean --wait');
  bash('worker-1', 'helm uninstall kubeocean-worker --wait');
  // The older agent capped what is lent by it, and nobody brings it up to date any more.
  bash('worker-1', `kubectl -n ${MOUNT} delete resourcequota kubeocean-lease --ignore-not-found`);
  removeKinds();
}

async function steps(from: string, to: string): Promise<void> {
  const at = (title: string) => TUTORIAL.findIndex((step) => step.title.startsWith(title));
  expect(at(from) >= 0 && at(to) >= at(from)).toBe(true);
  for (const step of TUTORIAL.slice(at(from), at(to) + 1)) {
    // The tutorial's binding is Ready with two of each.
    if (step.title.startsWith('Its syncer and proxier run')) continue;
    const { good, output } = await runTutorialStep(step);
    expect(good, `${step.title}\n${output}`).toBe(true);
  }
}

/** Home pods, and worker pods with their containers: the same text means that nothing was lost or run again. */
function everything(): string[] {
  const home = pods('computing', '-l app=hello').map(
    ({ metadata }) => `home ${metadata.uid} ${metadata.deletionTimestamp}`,
  );
  const worker = pods('worker-1', `-n ${MOUNT}`).flatMap(({ metadata, status }) =>
    (status?.containerStatuses ?? []).map((one) => `worker ${metadata.uid} ${one.containerID} ${one.restartCount}`),
  );
  return [...home, ...worker].toSorted();
}

/** Waits until every process is of a version, has the user's values and is ready, and a command runs in a pod. */
async function runs(version: string): Promise<void> {
  for (const [cluster, namespace, name] of PROCESSES) {
    await waitFor(
      `${name} of ${version}`,
      () => {
        const { spec, status, metadata } = json<Deployment>(cluster, `deploy -n ${namespace} ${name}`);
        const text = JSON.stringify(spec.template);
        expect(text).toContain(`:${version}"`);
        expect(text).toContain('--log-level=debug');
        expect(spec.replicas).toBe(1);
        expect(status).toMatchObject({ observedGeneration: metadata.generation, updatedReplicas: 1, replicas: 1 });
        return status.availableReplicas === 1;
      },
      slow,
    );
  }
  await waitFor('the binding Ready', () => / Ready /.test(ok('computing', 'kubectl get cb example-cluster')), slow);
  // A try that goes to the address of a dead proxier hangs for the API server's 30 s: cut it short.
  const look = () => bash('computing', `timeout 3 kubectl exec ${POD} -- true`).status === 0;
  await waitFor('a command runs', look, slow);
}

interface Deployment extends KubeObject {
  spec: { replicas: number; template: object };
  status: { observedGeneration?: number; updatedReplicas?: number; replicas?: number; availableReplicas?: number };
}

function hasWorkerUID(): boolean {
  const crd = ok('computing', 'kubectl get crd clusterbindings.cloud.tencent.com -o json');
  return crd.includes('"workerUID"');
}

describe.runIf(hasHistory())('an older Kubeocean with pods that run', () => {
  let before: string[] = [];

  beforeAll(async () => {
    startOver();
    const older = await makeOlder();
    for (const [cluster, chart] of RELEASES) {
      ok(cluster, `helm upgrade --install ${chart} ${join(older, 'charts', chart)} --set ${VALUES[chart]}`);
    }
    await steps('Extract the kubeconfig', 'An ordinary Deployment');
    await runs('v0.0.9');
    before = everything();
    expect(before).toHaveLength(4);
    expect(hasWorkerUID()).toBe(false);
  }, 400_000);

  afterAll(async () => {
    startOver();
    rmSync(join(stateRoot(), 'older'), { recursive: true, force: true });
    await installCharts();
  }, 200_000);

  it('is upgraded: values stay, kinds are new, pods go on', async () => {
    for (const [cluster, chart] of RELEASES) {
      ok(cluster, `helm upgrade ${chart} charts/${chart} --reset-then-reuse-values`);
    }
    await runs('v0.1.0');
    expect(everything()).toEqual(before);
    expect(hasWorkerUID()).toBe(true);
    ok(
      'computing',
      'kubectl scale deployment hello --replicas=3 && kubectl rollout status deployment/hello --timeout=90s',
    );
    ok('computing', 'kubectl scale deployment hello --replicas=2');
    await waitFor('two again', () => everything().length === 4, slow);
    before = everything();
  }, 400_000);

  it('is rolled back: pods go on, and new ones run', async () => {
    // To the first: the one before is the newer one when the upgrade was tried twice.
    for (const [cluster, chart] of RELEASES) ok(cluster, `helm rollback ${chart} 1`);
    await runs('v0.0.9');
    expect(everything()).toEqual(before);
    ok(
      'computing',
      'kubectl scale deployment hello --replicas=3 && kubectl rollout status deployment/hello --timeout=90s',
    );
    expect(everything()).toEqual(expect.arrayContaining(before));
  }, 400_000);
});
