/**
 * What it costs a syncer to list its pods when it begins: seconds, CPU and the most memory of the process, by the size of
 * pages and by how Node is started. A server in this process gives out the pods of both clusters; a process of its own for
 * each row lists them as a syncer does. Run on a quiet machine:
 *
 *   node_modules/.bin/node scripts/list-cost.ts [--pods 10000] [--rounds 3]
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  byController,
  createReflector,
  fixedCredentials,
  KubeClient,
  type KubeObject,
  Pods,
  Transport,
} from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { readOptionsOrExit } from './agent/options.ts';
import { imageEnvironment, nodeFlags } from './bundle.ts';
import { homePod, versionsOf, workerPod } from './sample-pods.ts';

/** What two writers leave in managedFields of a pod: more than a kilobyte each. */
const MANAGERS = ['kubeocean', 'kubelet'];
const FIELDS = Object.fromEntries(
  Array.from({ length: 40 }, (_, n) => [`f:field${n}`, { '.': {}, [`k:{"type":"Condition${n}"}`]: {} }]),
);
const SIDES = ['home', 'worker'] as const;
/** Set for the process that lists: the server's address and certificate. */
const SERVER = 'LIST_COST_SERVER';

const { pods, rounds, page: pageSize } = readOptionsOrExit({ pods: 10_000, rounds: 3, page: 200 });
const server = process.env[SERVER];
if (server === undefined) await compare();
else await list(JSON.parse(server) as { server: string; ca: string });

/** The child's part: prints seconds, CPU seconds and MiB. */
async function list(access: { server: string; ca: string }): Promise<void> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  const client = new KubeClient(new Transport(fixedCredentials({ ...access, token: 't' })));
  const reflectors = SIDES.map((namespace) =>
    createReflector(client, { resource: Pods, namespace, pageSize, familyOf: byController }),
  );
  for (const reflector of reflectors) void reflector.run(new AbortController().signal);
  await Promise.all(reflectors.map(({ store }) => store.synced));
  const { user, system } = process.cpuUsage(cpu);
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  const listed = reflectors.map(({ store }) => store.size);
  if (listed.some((size) => size !== pods)) throw new Error(`listed ${listed.join(' and ')} pods of ${pods} each`);
  console.log(JSON.stringify([(performance.now() - began) / 1000, (user + system) / 1e6, peak]));
  process.exit(0);
}

async function compare(): Promise<void> {
  const texts = { home: textsOf(homePod), worker: textsOf(workerPod) };
  const serving = await TestServer.start();
  serving.answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
    if (searchParams.has('watch')) return response.flushHeaders();
    const from = Number(searchParams.get('continue') ?? 0);
    const to = from + Number(searchParams.get('limit') ?? pods);
    const metadata = { resourceVersion: '9', ...(to < pods && { continue: String(to) }) };
    const items = texts[pathname.includes('/home/') ? 'home' : 'worker'].slice(from, to);
    response.end(
      `{"kind":"PodList","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[${items.join(',')}]}`,
    );
    return undefined;
  };
  const images = { ...imageEnvironment };
  const flagsWith = (growth: string) => nodeFlags.map((flag) => flag.replace(/(growing-percent)=\d+/, `$1=${growth}`));
  const rows = [
    ['as the images are', 200, nodeFlags, images],
    ['pages of 500', 500, nodeFlags, images],
    ["glibc's own threshold", 200, nodeFlags, {}],
    ['both of them', 500, nodeFlags, {}],
    ['collected after growing by 20 %', 200, flagsWith('20'), images],
    ['collected after growing by 100 %', 200, flagsWith('100'), images],
    ["V8's own growth", 200, nodeFlags.filter((flag) => !flag.includes('growing')), images],
  ] as const;
  console.log(
    `${pods} pods of ${texts.home[0]?.length} bytes and ${pods} of ${texts.worker[0]?.length}, medians of ${rounds}`,
  );
  const results = rows.map(() => [] as number[][]);
  for (let round = 0; round < rounds; round++) {
    for (const [at, [, page, flags, environment]] of rows.entries()) {
      results[at]?.push(await run(serving, page, flags, environment));
    }
  }
  for (const [at, [name]] of rows.entries()) {
    const [seconds, cpu, peak] = [0, 1, 2].map((of) => median((results[at] ?? []).map((each) => each[of] ?? 0)));
    console.log(`${name.padEnd(34)} ${seconds?.toFixed(1)} s, CPU ${cpu?.toFixed(1)} s, peak ${peak?.toFixed(0)} MiB`);
  }
  serving.stop();
}

function textsOf(make: (n: number) => KubeObject): string[] {
  return Array.from({ length: pods }, (_, n) => {
    const pod = JSON.parse(versionsOf(make(n), n, 1)[0] as string) as KubeObject;
    // The last field of metadata, as API servers write it.
    pod.metadata.managedFields = MANAGERS.map((manager) => ({ manager, operation: 'Update', fieldsV1: FIELDS }));
    return JSON.stringify(pod);
  });
}

async function run(
  serving: TestServer,
  page: number,
  flags: readonly string[],
  environment: Record<string, string>,
): Promise<number[]> {
  const child = spawn(
    process.execPath,
    [...flags, import.meta.filename, '--pods', String(pods), '--page', String(page)],
    {
      env: { PATH: process.env['PATH'], ...environment, [SERVER]: JSON.stringify(serving.access()) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  return JSON.parse(text) as number[];
}

function median(of: number[]): number {
  return of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN;
}
