/**
 * The tutorial as data: every step with its command and what must come out. The demo shows it, the end-to-end test runs it.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** State of the local clusters: kubeconfigs, programs. */
export const LOCAL = process.env['KUBEOCEAN_LOCAL'] ?? resolve('.local');
/**
 * Where the worker's kubeconfig is kept: docs/tutorial.md says `/tmp/kubeconfig-worker`; here every set of clusters has a
 * file of its own, since one set would else be given the credential of another that is tested at the same moment.
 */
export const KUBECONFIG_FILE = `${LOCAL}/kubeconfig-worker`;

export type Cluster = 'computing' | 'worker-1';

export interface Step {
  title: string;
  cluster: Cluster;
  command: string;
  /** What the output must look like; without it the exit code decides. */
  expect?: RegExp;
  /** The exit code that is right. Default 0. */
  code?: number;
  /** Seconds to try again for, until `expect` matches. Default: one try. */
  within?: number;
  /** Run when this command fails or prints nothing; skipped otherwise. */
  unless?: string;
  note?: string;
}

/** Shell text that gives one pod of the tutorial's Deployment. */
export const POD = '$(kubectl get pod -l app=hello -o name | head -1)';

export const TUTORIAL: Step[] = [
  {
    title: 'Install Kubeocean in the computing cluster',
    cluster: 'computing',
    command: 'helm upgrade --install kubeocean charts/kubeocean --set proxier.servingCertificate=csr',
    note: "csr: this cluster's API server verifies kubelet certificates, so the proxier asks it for a signed one",
    expect: /STATUS: deployed/,
  },
  {
    title: 'Install kubeocean-worker in the worker cluster',
    cluster: 'worker-1',
    command: 'helm upgrade --install kubeocean-worker charts/kubeocean-worker',
    expect: /STATUS: deployed/,
  },
  {
    title: 'Extract the kubeconfig of the worker',
    cluster: 'worker-1',
    command: `bash hack/kubeconfig.sh kubeocean-syncer kubeocean-worker ${KUBECONFIG_FILE}`,
  },
  {
    title: 'Give it to the computing cluster as a Secret',
    cluster: 'computing',
    command: `kubectl -nkubeocean-system create secret generic worker-cluster-kubeconfig --from-file=kubeconfig=${KUBECONFIG_FILE}`,
    unless: 'kubectl -nkubeocean-system get secret worker-cluster-kubeconfig -o name',
  },
  { title: 'Bind the worker cluster', cluster: 'computing', command: 'kubectl apply -f docs/tutorial/cb.yaml' },
  {
    title: 'The binding becomes Ready',
    cluster: 'computing',
    command: 'kubectl get cb example-cluster',
    expect: /example-cluster +cls-example +Ready/,
    within: 180,
  },
  {
    title: 'Its syncer and proxier run',
    cluster: 'computing',
    command: 'kubectl -nkubeocean-system get po -owide',
    expect: /kubeocean-proxier-cls-example-\S+ +1\/1 +Running[^]*kubeocean-syncer-cls-example-\S+ +1\/1 +Running/,
    within: 120,
  },
  {
    title: "The owner's policy: two windows, two limits",
    cluster: 'worker-1',
    command: 'kubectl apply -f docs/tutorial/rlp.yaml',
  },
  {
    title: 'Label the nodes to lend',
    cluster: 'worker-1',
    command: 'kubectl label node node1 node2 kubeocean.io/role=worker --overwrite',
  },
  {
    title: 'Which window applies now',
    cluster: 'worker-1',
    command: 'kubectl get rlp example-policy -o wide',
    expect: /example-policy +example-cluster +(Active|Inactive)/,
    within: 60,
  },
  {
    title: 'For the rest of the demo: open at all times',
    cluster: 'worker-1',
    command: `kubectl patch rlp example-policy --type merge -p '{"spec":{"timeWindows":null}}'`,
  },
  {
    title: 'What is lent, in the worker',
    cluster: 'worker-1',
    command: 'kubectl get ln -A',
    expect: /node1 .*Active[^]*node2 .*Active/,
    within: 60,
  },
  {
    title: 'The lent nodes, in the computing cluster',
    cluster: 'computing',
    command: 'kubectl get node',
    expect: /vnode-cls-example-node1 +Ready[^]*vnode-cls-example-node2 +Ready/,
    within: 120,
  },
  {
    title: 'An ordinary Deployment on them',
    cluster: 'computing',
    command: 'kubectl apply -f docs/tutorial/deployment.yaml && kubectl rollout status deployment/hello --timeout=100s',
    expect: /successfully rolled out/,
  },
  {
    title: 'Its pods, as their user sees them',
    cluster: 'computing',
    command: 'kubectl get pod -l app=hello -o wide',
    expect: /hello-\S+ +1\/1 +Running .*vnode-cls-example-node/,
  },
  {
    title: 'The same pods, as the owner of the worker sees them',
    cluster: 'worker-1',
    command: 'kubectl get pod -n kubeocean-worker -o wide',
    expect: /hello-\S+ +1\/1 +Running .*node/,
  },
  {
    title: 'Read the logs',
    cluster: 'computing',
    command: `kubectl logs ${POD}`,
    expect: /hello from hello-\S+ on vnode-/,
    within: 60,
  },
  {
    title: 'Run a command; its exit code comes back',
    cluster: 'computing',
    command: `kubectl exec ${POD} -- sh -c 'echo in the pod $HOSTNAME; exit 7'`,
    code: 7,
    expect: /in the pod hello-/,
  },
  {
    title: 'Open a shell with a terminal',
    cluster: 'computing',
    command: `script -qec "kubectl exec -it ${POD} -- sh -c 'tty; uname -n'" /dev/null </dev/null`,
    expect: /\/dev\/pts\/\d+/,
  },
];

/** Runs a shell command against one cluster, with the local programs first in PATH. */
export function bash(cluster: Cluster, command: string) {
  return spawnSync('bash', ['-c', command], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, PATH: `${LOCAL}/bin:${process.env['PATH']}`, KUBECONFIG: `${LOCAL}/${cluster}.kubeconfig` },
  });
}

export interface StepOutcome {
  good: boolean;
  /** True when `unless` found that there was nothing to do. */
  skipped: boolean;
  code: number | null;
  output: string;
}

/** Runs a step, again and again until it is as expected or its time is up. */
export async function runTutorialStep(step: Step): Promise<StepOutcome> {
  if (step.unless) {
    const there = bash(step.cluster, step.unless);
    if (there.status === 0 && there.stdout.trim() !== '') {
      return { good: true, skipped: true, code: 0, output: there.stdout.trimEnd() };
    }
  }
  const deadline = performance.now() + (step.within ?? 0) * 1000;
  for (;;) {
    const result = bash(step.cluster, step.command);
    const output = `${result.stdout}${result.stderr}`.trimEnd();
    const good = result.status === (step.code ?? 0) && (step.expect?.test(output) ?? true);
    if (good || performance.now() >= deadline) return { good, skipped: false, code: result.status, output };
    await new Promise((again) => setTimeout(again, 500));
  }
}
