/** Which nodes the cases may use: vnodes of a binding made for it, or the computing cluster's own node. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { type Cluster, bash, LOCAL } from '../tutorial.ts';

const NAME = 'conformance';
const WITHIN_MS = 300_000;

const BINDING = `
apiVersion: cloud.tencent.com/v1beta1
kind: ClusterBinding
metadata: {name: ${NAME}}
spec:
  clusterID: cls-${NAME}
  mountNamespace: kubeocean-worker
  disableNodeDefaultTaint: true
  secretRef: {name: ${NAME}, namespace: kubeocean-system}
`;

const POLICY = `
apiVersion: cloud.tencent.com/v1beta1
kind: ResourceLeasingPolicy
metadata: {name: ${NAME}}
spec: {cluster: ${NAME}}
`;

/** An owner who allows all that a plain node does, so that what fails is not the owner's doing. */
const WORKER_VALUES = [
  'podSecurity=privileged',
  'lentPods.volumes={configMap,secret,emptyDir,downwardAPI,projected,image,persistentVolumeClaim,hostPath}',
];

/** @throws Error with what the command said. */
function must(cluster: Cluster, command: string): string {
  const { status, stdout, stderr } = bash(cluster, command);
  if (status !== 0) throw new Error(`in ${cluster}: ${command}\n${stderr || stdout}`);
  return stdout.trim();
}

async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${WITHIN_MS / 1000} s`);
    await after(1000);
  }
}

function nodes(selector: string): string[] {
  return must('computing', `kubectl get node -l '${selector}' -o name`).split('\n').filter(Boolean);
}

const VNODES = `kubeocean.io/cluster-binding=${NAME}`;
const OWN_NODES = 'type!=virtual-kubelet';

/** Installs both charts, binds worker-1 and lends all of it; repeats nothing that is there. */
export async function bind(): Promise<void> {
  allowNodes('all');
  must(
    'computing',
    // Some cases wait for a kubelet's "Started", which home is not told by default.
    "helm upgrade --install kubeocean charts/kubeocean --reset-values --set proxier.servingCertificate=csr --set 'syncer.extraArgs={--mirror-normal-events=true}'",
  );
  const values = WORKER_VALUES.map((value) => `--set '${value}'`).join(' ');
  must('worker-1', `helm upgrade --install kubeocean-worker charts/kubeocean-worker --reset-values ${values}`);
  const file = join(LOCAL, `${NAME}-worker.kubeconfig`);
  must('worker-1', `bash scripts/kubeconfig.sh kubeocean-syncer kubeocean-worker ${file}`);
  const secret = `kubectl -nkubeocean-system create secret generic ${NAME} --from-file=kubeconfig=${file}`;
  must('computing', `${secret} --dry-run=client -o yaml | kubectl apply -f -`);
  rmSync(file);
  must('computing', `kubectl apply -f - <<'EOF'${BINDING}EOF`);
  must('worker-1', `kubectl apply -f - <<'EOF'${POLICY}EOF`);
  await vnodesReady();
}

/** Waits until the vnodes of {@link bind} take pods: after a pause of the machine they may need a moment. */
export async function vnodesReady(): Promise<void> {
  const count = must('worker-1', 'kubectl get node -o name').split('\n').length;
  await until(`${count} vnodes ready`, () => {
    const { stdout } = bash('computing', `kubectl get node -l ${VNODES} --no-headers`);
    return stdout.split('\n').filter((line) => / Ready[ ,]/.test(line)).length === count;
  });
  await until('syncer and proxier ready', () => {
    const { stdout } = bash('computing', `kubectl get cb ${NAME} --no-headers`);
    return / Ready /.test(stdout);
  });
  // The agent has answered, too: vnodes take pods.
  await until('vnodes without the taint of a lost agent', () => {
    const { stdout } = bash('computing', `kubectl get node -l ${VNODES} -o jsonpath='{.items[*].spec.taints[*].key}'`);
    return !stdout.includes('kubeocean.io/');
  });
}

/** Cordons every other node: cases take any that is schedulable. */
export function allowNodes(which: 'own' | 'vnodes' | 'all'): void {
  const groups: [string[], boolean][] = [
    [nodes(OWN_NODES), which !== 'vnodes'],
    [nodes(VNODES), which !== 'own'],
  ];
  for (const [names, allowed] of groups) {
    if (names.length > 0) must('computing', `kubectl ${allowed ? 'uncordon' : 'cordon'} ${names.join(' ')}`);
  }
}
