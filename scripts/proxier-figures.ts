/**
 * What a vnode costs beside a real kubelet: logs, sessions, memory, each measured on a pod on a vnode and on the same pod
 * on a node of the computing cluster, in turns. Runs on the clusters of `npm run demo`. The options are in
 * e2e/figures/options.ts; what comes out is the table in docs/proxier.md.
 */
import { cpus } from 'node:os';
import { KubeClient, kubeconfigFile, type KubeObject, Nodes, pathOf, Pods, Transport } from '@kubeocean/shared/kube';
import { figureOptions, USAGE, type FigureOptions } from '../e2e/figures/options.ts';
import { exec, idle, type PodRef, roundTrips } from '../e2e/figures/session.ts';
import { quantile, type Row, table } from '../e2e/figures/statistics.ts';
import { LOCAL } from './tutorial.ts';

const NAMESPACE = 'default';
const ECHO_PORT = 7000;
/** Less than the 10 MiB at which kubelets begin a new file. */
const LOG_LINES = 9000;
const LOG_LINE = 1000;

interface Lane extends PodRef {
  node: KubeObject;
  /** Resident bytes of the process that serves the node's sessions. */
  memory(): Promise<number>;
}

const home = new KubeClient(new Transport(kubeconfigFile(`${LOCAL}/computing.kubeconfig`, { trust: 'trusted' })));

async function text(path: string): Promise<string> {
  const response = await home.transport.stream({ method: 'GET', path, headers: { accept: '*/*' } });
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return body;
}

async function residentBytes(path: string): Promise<number> {
  const found = /^process_resident_memory_bytes (\S+)$/m.exec(await text(path));
  if (!found) throw new Error(`${path} does not tell its memory`);
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

async function readLog({ namespace, name }: PodRef): Promise<{ bytes: number; seconds: number }> {
  const started = performance.now();
  const response = await home.transport.stream({
    method: 'GET',
    path: pathOf(Pods, namespace, name, 'log'),
    headers: { accept: '*/*' },
  });
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return { bytes, seconds: (performance.now() - started) / 1000 };
}

type Both = (lane: Lane) => Promise<number>;

/** Measures one lane after the other. */
async function compare(lanes: { vnode: Lane; kubelet: Lane }, measure: Both) {
  return { kubelet: await measure(lanes.kubelet), vnode: await measure(lanes.vnode) };
}

async function measureAll(lanes: { vnode: Lane; kubelet: Lane }, options: FigureOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const both = [lanes.kubelet, lanes.vnode];
  const tell = (...added: Row[]) => {
    rows.push(...added);
    for (const row of added)
      console.error(`${row.what}: ${row.vnode.toFixed(2)} / ${row.kubelet.toFixed(2)} ${row.unit}`);
  };

  const speed = new Map(both.map((lane) => [lane, [] as number[]]));
  for (let i = 0; i < options.logs; i++) {
    for (const lane of both) {
      const { bytes, seconds } = await readLog(lane);
      if (bytes !== LOG_LINES * LOG_LINE) throw new Error(`${lane.name}: ${bytes} bytes of log`);
      speed.get(lane)?.push(bytes / 1e6 / seconds);
    }
  }
  const medianOf = (from: Map<Lane, number[]>, share: number) => ({
    vnode: quantile(from.get(lanes.vnode) ?? [], share),
    kubelet: quantile(from.get(lanes.kubelet) ?? [], share),
  });
  tell({
    what: `log of ${(LOG_LINES * LOG_LINE) / 1e6} MB, median of ${options.logs}`,
    unit: 'MB/s',
    ...medianOf(speed, 0.5),
    target: { text: '≥ 0.5×', met: (vnode, kubelet) => vnode >= kubelet / 2 },
  });

  const setUp = new Map(both.map((lane) => [lane, [] as number[]]));
  for (let i = -5; i < options.execs; i++) {
    for (const lane of both) {
      const { firstByteMs } = await exec(lane, ['echo', 'here']);
      if (i >= 0) setUp.get(lane)?.push(firstByteMs);
    }
  }
  for (const [share, most] of [
    [0.5, 15],
    [0.99, 50],
  ] as const) {
    tell({
      what: `exec until its first byte, p${share * 100} of ${options.execs}`,
      unit: 'ms',
      ...medianOf(setUp, share),
      target: { text: `≤ +${most} ms`, met: (vnode, kubelet) => vnode <= kubelet + most },
    });
  }

  tell({
    what: `${options.concurrent} execs at once, until the last has ended`,
    unit: 's',
    ...(await compare(lanes, async (lane) => {
      const started = performance.now();
      const done = await Promise.all(Array.from({ length: options.concurrent }, () => exec(lane, ['echo', 'here'])));
      const good = done.filter(({ succeeded, bytes }) => succeeded && bytes === 5).length;
      if (good !== options.concurrent) throw new Error(`${lane.name}: only ${good} of ${options.concurrent} were good`);
      return (performance.now() - started) / 1000;
    })),
  });

  tell({
    what: `memory of an idle session, of ${options.idle}`,
    unit: 'KB',
    ...(await compare(lanes, (lane) => memoryOfIdle(lane, options.idle))),
    target: { text: '≤ 200 KB', met: (vnode) => vnode <= 200 },
  });

  const seconds = await compare(lanes, async (lane) => {
    const { bytes, totalMs } = await exec(lane, ['head', '-c', String(options.megabytes * 1e6), '/dev/zero']);
    if (bytes !== options.megabytes * 1e6) throw new Error(`${lane.name}: ${bytes} of ${options.megabytes} MB`);
    return totalMs / 1000;
  });
  tell({ what: `${options.megabytes} MB of output, complete`, unit: 's', ...seconds });

  const trips = new Map<Lane, number[]>();
  for (const lane of both) trips.set(lane, await roundTrips(lane, ECHO_PORT, options.roundTrips));
  for (const share of [0.5, 0.99]) {
    tell({
      what: `port-forward, a byte and back, p${share * 100} of ${options.roundTrips}`,
      unit: 'ms',
      ...medianOf(trips, share),
    });
  }
  return rows;
}

/** Kilobytes that the serving process grows by for each open session. */
async function memoryOfIdle(lane: Lane, count: number): Promise<number> {
  const before = await lane.memory();
  const sessions: { close(): void }[] = [];
  // Twenty at a time: what counts is memory held, not the heap of a rush.
  while (sessions.length < count) {
    const next = Math.min(20, count - sessions.length);
    sessions.push(...(await Promise.all(Array.from({ length: next }, () => idle(lane)))));
  }
  // A process's own figures are some seconds old.
  await new Promise((settled) => setTimeout(settled, 3000));
  const after = await lane.memory();
  for (const session of sessions) session.close();
  return Math.max(0, (after - before) / 1024 / count);
}

let options: FigureOptions;
try {
  options = figureOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}
const names = [`figures-${process.pid}-vnode`, `figures-${process.pid}-kubelet`] as const;
try {
  const nodes = await nodesOf();
  const proxier = pathOf(Pods, 'kubeocean-system', (await proxierOf(nodes.vnode)).metadata.name);
  const kubelet = `/api/v1/nodes/${nodes.kubelet.metadata.name}/proxy/metrics`;
  const lanes = {
    vnode: {
      ...(await makePod(names[0], nodes.vnode.metadata.name)),
      node: nodes.vnode,
      memory: () => residentBytes(`${proxier}:8080/proxy/metrics`),
    },
    kubelet: {
      ...(await makePod(names[1], nodes.kubelet.metadata.name)),
      node: nodes.kubelet,
      memory: () => residentBytes(kubelet),
    },
  };
  for (const lane of Object.values(lanes)) {
    await until(`the log of ${lane.name}`, async () => (await readLog(lane)).bytes === LOG_LINES * LOG_LINE);
  }
  const rows = await measureAll(lanes, options);
  console.log(`${cpus().length} processors (${cpus()[0]?.model}), both clusters on this machine\n\n${table(rows)}`);
} finally {
  for (const name of names) await home.delete(Pods, NAMESPACE, name, { gracePeriodSeconds: 0 }).catch(() => undefined);
}
process.exit(0);
