/**
 * `npm run demo`: the tutorial on two real Kubernetes clusters of this machine, each step with its command, what came
 * out, and a tick. `npm run demo -- down` removes everything again.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { bash, LOCAL, POD, runTutorialStep, type Step, TUTORIAL } from './tutorial.ts';

const started = performance.now();

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

async function demonstrate(step: Step): Promise<boolean> {
  console.log(`\n▶ ${step.title}`);
  if (step.note) console.log(`  (${step.note})`);
  console.log(`  [${step.cluster}] $ ${step.command.replaceAll(POD, 'POD')}`);
  const { good, skipped, code, output } = await runTutorialStep(step);
  for (const line of output.split('\n')) if (line) console.log(`  │ ${line.trimEnd()}`);
  const remark = skipped ? ' is there already' : step.code === undefined ? '' : ` (exit code ${code})`;
  console.log(`  ${good ? '✓' : '✗'}${remark}   (${elapsed()})`);
  if (!good)
    console.log(`  expected exit code ${step.code ?? 0}${step.expect ? ` and output like ${step.expect}` : ''}`);
  return good;
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

const USAGE = 'npm run demo            the tutorial on two local clusters\nnpm run demo -- down    remove them';

/** @throws Error when there is something else on the command line */
function asked(): 'help' | 'up' | 'down' {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', default: false } },
  });
  if (values.help) return 'help';
  const [word, more] = positionals;
  if (more !== undefined || (word !== undefined && word !== 'down')) {
    throw new Error(`unexpected argument '${more ?? word}'`);
  }
  return word ?? 'up';
}

let what: ReturnType<typeof asked>;
try {
  what = asked();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message.split('. ')[0] : String(error)}\n${USAGE}`);
  process.exit(2);
}
if (what === 'help') {
  console.log(USAGE);
  process.exit(0);
}
if (what === 'down') process.exit((await show(['e2e/clusters/cli.ts', 'down'])) ? 0 : 1);

console.log('Kubeocean: lending the nodes of one cluster to another, on real Kubernetes\n');
if (!(await show(['e2e/clusters/cli.ts', 'up']))) process.exit(1);
if (!(await show(['scripts/image.ts']))) process.exit(1);
for (const step of TUTORIAL) {
  if (await demonstrate(step)) continue;
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

${process.env['KUBEOCEAN_LOCAL'] ? `KUBEOCEAN_LOCAL=${LOCAL} ` : ''}npm run demo -- down removes the clusters.`);
