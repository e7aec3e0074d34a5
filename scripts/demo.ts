/**
 * `npm run demo`: the tutorial on two real Kubernetes clusters of this machine, each step with its command, what came
 * out, and a tick. `npm run demo -- down` removes everything again.
 */
import { spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const LOCAL = process.env['KUBEOCEAN_LOCAL'] ?? resolve('.local');
const KUBECONFIG_FILE = '/tmp/kubeconfig-worker';
const started = performance.now();

type Cluster = 'computing' | 'worker-1';

interface Step {
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

const POD = '$(kubectl get pod -l app=hello -o name | head -1)';

const STEPS: Step[] = [
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
    within: 60,
  },
  {
    title: 'Its syncer and proxier run',
    cluster: 'computing',
    command: 'kubectl -nkubeocean-system get po -owide',
    expect: /kubeocean-proxier-cls-example-\S+ +1\/1 +Running[^]*kubeocean-syncer-cls-example-\S+ +1\/1 +Running/,
    within: 30,
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
    within: 15,
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
    within: 15,
  },
  {
    title: 'The lent nodes, in the computing cluster',
    cluster: 'computing',
    command: 'kubectl get node',
    expect: /vnode-cls-example-node1 +Ready[^]*vnode-cls-example-node2 +Ready/,
    within: 30,
  },
  {
    title: 'An ordinary Deployment on them',
    cluster: 'computing',
    command: 'kubectl apply -f docs/tutorial/deployment.yaml && kubectl rollout status deployment/hello --timeout=60s',
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
    within: 20,
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

function bash(cluster: Cluster, command: string) {
  return spawnSync('bash', ['-c', command], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, PATH: `${LOCAL}/bin:${process.env['PATH']}`, KUBECONFIG: `${LOCAL}/${cluster}.kubeconfig` },
  });
}

/** Runs a command of ours with its output shown. */
function show(command: string[]): Promise<boolean> {
  const { promise, resolve: done } = Promise.withResolvers<boolean>();
  const child = spawn(process.execPath, command, { stdio: 'inherit' });
  child.on('close', (code) => done(code === 0));
  return promise;
}

function elapsed(): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

async function runStep(step: Step): Promise<boolean> {
  console.log(`\n▶ ${step.title}`);
  if (step.note) console.log(`  (${step.note})`);
  console.log(`  [${step.cluster}] $ ${step.command.replaceAll(POD, 'POD')}`);
  if (step.unless) {
    const there = bash(step.cluster, step.unless);
    if (there.status === 0 && there.stdout.trim() !== '') {
      console.log(`  ✓ is there already   (${elapsed()})`);
      return true;
    }
  }
  const deadline = performance.now() + (step.within ?? 0) * 1000;
  for (;;) {
    const result = bash(step.cluster, step.command);
    const output = `${result.stdout}${result.stderr}`.trimEnd();
    const good = result.status === (step.code ?? 0) && (step.expect?.test(output) ?? true);
    if (good || performance.now() >= deadline) {
      for (const line of output.split('\n')) if (line) console.log(`  │ ${line.trimEnd()}`);
      const code = step.code === undefined ? '' : ` (exit code ${result.status})`;
      console.log(`  ${good ? '✓' : '✗'}${code}   (${elapsed()})`);
      if (!good)
        console.log(`  expected exit code ${step.code ?? 0}${step.expect ? ` and output like ${step.expect}` : ''}`);
      return good;
    }
    await new Promise((again) => setTimeout(again, 500));
  }
}

function explainFailure(): void {
  console.log('\nThe demo stopped. What to look at:');
  for (const [cluster, command] of [
    ['computing', 'kubectl get cb example-cluster -o yaml | sed -n "/^status/,$ p"'],
    ['computing', 'kubectl -nkubeocean-system get po; kubectl get events -A --field-selector type=Warning | tail -8'],
    ['worker-1', 'kubectl -nkubeocean-agent get po; kubectl get rlp,ln -A'],
  ] as const) {
    const { stdout, stderr } = bash(cluster, command);
    console.log(`  [${cluster}] $ ${command}\n${`${stdout}${stderr}`.trimEnd().replace(/^/gm, '  │ ')}`);
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', default: false } },
});
if (values.help || positionals.length > 1 || (positionals[0] !== undefined && positionals[0] !== 'down')) {
  console.log('npm run demo            the tutorial on two local clusters\nnpm run demo -- down    remove them');
  process.exit(values.help ? 0 : 2);
}
if (positionals[0] === 'down') process.exit((await show(['e2e/clusters/cli.ts', 'down'])) ? 0 : 1);

console.log('Kubeocean: lending the nodes of one cluster to another, on real Kubernetes\n');
if (!(await show(['e2e/clusters/cli.ts', 'up']))) process.exit(1);
if (!(await show(['scripts/image.ts']))) process.exit(1);
for (const step of STEPS) {
  if (await runStep(step)) continue;
  explainFailure();
  process.exit(1);
}
console.log(`
Done in ${elapsed()}. The clusters go on running. Three things to try:

  export PATH=${LOCAL}/bin:$PATH

  1. Scale up, and see where the pods go:
     KUBECONFIG=${LOCAL}/computing.kubeconfig kubectl scale deployment/hello --replicas=6
     KUBECONFIG=${LOCAL}/computing.kubeconfig kubectl get pod -o wide
  2. Be the owner: cordon a node in the worker and watch it close in the computing cluster:
     KUBECONFIG=${LOCAL}/worker-1.kubeconfig kubectl cordon node1
     KUBECONFIG=${LOCAL}/computing.kubeconfig kubectl describe node vnode-cls-example-node1 | grep -A4 Taints
  3. Kill our own pods; nothing of the users' is lost or run again:
     KUBECONFIG=${LOCAL}/computing.kubeconfig kubectl -n kubeocean-system delete pod --all --grace-period=0 --force
     KUBECONFIG=${LOCAL}/computing.kubeconfig kubectl get pod -w

npm run demo -- down removes everything.`);
