/**
 * What a vnode costs beside a real kubelet: logs, sessions, memory, each measured on a pod on a vnode and on the same pod
 * on a node of the computing cluster, in turns. Runs on the clusters of `npm run demo`. The options are in
 * e2e/figures/options.ts; what comes out is the table in docs/proxier.md.
 */
import { cpus, loadavg } from 'node:os';
import { type KubeObject, Nodes, pathOf, Pods } from '@kubeocean/shared/kube';
import { figureOptions, USAGE, type FigureOptions } from '../e2e/figures/options.ts';
import { ECHO_PORT, LOG_LINE, LOG_LINES, MEASURES, readLog } from '../e2e/figures/rows.ts';
import type { PodRef } from '../e2e/figures/session.ts';
import { type Row, table } from '../e2e/figures/statistics.ts';
import { localClient } from './local-client.ts';
import { LOCAL } from './tutorial.ts';

const NAMESPACE = 'default';

const options = optionsOrExit();
const home = localClient('computing');

function optionsOrExit(): FigureOptions {
  const argv = process.argv.slice(2);
  if (argv.includes('--help')) {
    console.log(USAGE);
    process.exit(0);
  }
  try {
    return figureOptions(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return process.exit(2);
  }
}

/** A figure that the process behind a path of metrics tells of itself. */
async function ownFigure(path: string, metric: string): Promise<number> {
  const response = await home.transport.stream({ method: 'GET', path, headers: { accept: '*/*' } });
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  const found = new RegExp(`^${metric} (\\S+)$`, 'm').exec(body);
  if (!found) throw new Error(`${path} does not tell ${metric}`);
  return Number(found[1]);
}

async function nodesOf(): Promise<{ vnode: KubeObject; kubelet: KubeObject }> {
  const { items } = await home.list(Nodes);
  const ready = items.filter((node) => {
    const { conditions = [] } = node['status'] as { conditions?: { type: string; status: string }[] };
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  });
  const vnode = ready.find(({ metadata }) => metadata.labels?.['type'] === 'virtual-kubelet');
  const kubelet = ready.find(({ metadata }) => !metadata.labels?.['type']);
  if (!vnode || !kubelet) throw new Error(`${LOCAL} has no vnode and real node side by side: run "npm run demo" first`);
  return { vnode, kubelet };
}

/** The pod whose address a vnode shows. */
async function proxierOf(vnode: KubeObject): Promise<KubeObject> {
  const { addresses } = vnode['status'] as { addresses: { type: string; address: string }[] };
  const address = addresses.find(({ type }) => type === 'InternalIP')?.address;
  const { items } = await home.list(Pods, { namespace: 'kubeocean-system' });
  const pod = items.find((item) => (item['status'] as { podIP?: string }).podIP === address);
  if (!pod) throw new Error(`no proxier has the address ${address} of ${vnode.metadata.name}`);
  return pod;
}

/** Makes a pod that writes a log, keeps an echo on a port, and waits for sessions. */
async function makePod(name: string, nodeName: string): Promise<PodRef> {
  const script = [
    `line=$(head -c ${LOG_LINE - 1} /dev/zero | tr "\\0" x)`,
    `i=0; while [ $i -lt ${LOG_LINES} ]; do echo $line; i=$((i + 1)); done`,
    `nc -ll -p ${ECHO_PORT} -e cat`,
  ];
  await home.create(Pods, {
    metadata: { namespace: NAMESPACE, name },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'main',
          image: 'busybox:1.35',
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script.join('\n')],
        },
      ],
    },
  });
  return { client: home, namespace: NAMESPACE, name };
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    if (await look().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`${what}: not within 120 s`);
    await new Promise((again) => setTimeout(again, 250));
  }
}

const names = [`figures-${process.pid}-vnode`, `figures-${process.pid}-kubelet`] as const;
try {
  const nodes = await nodesOf();
  const proxier = pathOf(Pods, 'kubeocean-system', (await proxierOf(nodes.vnode)).metadata.name);
  const kubelet = `/api/v1/nodes/${nodes.kubelet.metadata.name}/proxy/metrics`;
  const lane = async (name: string, nodeName: string, metrics: string) => ({
    ...(await makePod(name, nodeName)),
    memory: () => ownFigure(metrics, 'process_resident_memory_bytes'),
    processor: () => ownFigure(metrics, 'process_cpu_seconds_total'),
  });
  const lanes = {
    vnode: await lane(names[0], nodes.vnode.metadata.name, `${proxier}:8080/proxy/metrics`),
    kubelet: await lane(names[1], nodes.kubelet.metadata.name, kubelet),
  };
  for (const one of Object.values(lanes)) {
    await until(`the log of ${one.name}`, async () => (await readLog(one)).bytes === LOG_LINES * LOG_LINE);
  }
  const rows: Row[] = [];
  for (const name of options.rows) {
    const began = performance.now();
    const made = await MEASURES[name](lanes, options);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    for (const { what, vnode, kubelet: beside, unit } of made) {
      console.error(`${what}: ${vnode.toFixed(2)} / ${beside.toFixed(2)} ${unit} (${name}, ${seconds} s)`);
    }
    rows.push(...made);
  }
  const load = loadavg()[0]?.toFixed(1);
  console.log(
    `${cpus().length} processors (${cpus()[0]?.model}), both clusters on this machine, load ${load}\n\n${table(rows)}`,
  );
} finally {
  for (const name of names) await home.delete(Pods, NAMESPACE, name, { gracePeriodSeconds: 0 }).catch(() => undefined);
}
process.exit(0);
