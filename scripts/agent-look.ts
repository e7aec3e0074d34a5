/**
 * What the worker agent's looks cost per pod, with no cluster: its stores are told of nodes and pods as an API server would
 * tell them (text, parsed), and its looks are made over them; only writes are left out.
 *
 *     node --max-semi-space-size=4 scripts/agent-look.ts [--pods 10000] [--nodes 100] [--lent 100] [--looks 30] [--rate 60]
 */
import { LeasedNodes, LeaseGuards, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { createLogger } from '@kubeocean/shared/daemon';
import {
  type Json,
  type KubeObject,
  Leases,
  Nodes,
  Pods,
  type Resource,
  ValidatingAdmissionPolicies,
  ValidatingAdmissionPolicyBindings,
} from '@kubeocean/shared/kube';
import { type Look, Looks } from '../packages/worker-agent/src/look.ts';
import { createStores } from '../packages/worker-agent/src/stores.ts';
import {
  admission,
  claim,
  clusterNode,
  createdRecord,
  MOUNT,
  policy,
  type PodKind,
  STAGES,
  stageOf,
  tenants,
} from './agent/cluster.ts';
import { ServerInMemory, type Told } from './agent/memory.ts';
import { readOptionsOrExit } from './agent/options.ts';

const { pods, nodes, lent, looks, rate } = readOptionsOrExit(
  { pods: 10_000, nodes: 100, lent: 100, looks: 30, rate: 60 },
  {},
  `node --max-semi-space-size=4 scripts/agent-look.ts [--name value]...
  --pods N    pods that are there at once (10000)
  --nodes N   nodes that they are on (100)
  --lent N    percent of them that are lent, the others are the owner's own (100)
  --looks N   looks that are measured over pods that do not change (30)
  --rate N    pods that come, and later go, a second; there is a look a second (60)`,
);

if (lent > 100) {
  console.error(`--lent takes a percentage from 1 to 100, not ${lent}`);
  process.exit(2);
}
const server = new ServerInMemory();
/** Changes for which the agent would look again. */
let asked = 0;
const stores = createStores(server.client, tenants, createLogger('agent-look', 'warn'), () => asked++);
const agent = new Looks({
  stores,
  tenants,
  defaultTimeZone: 'UTC',
  computingRanges: [],
  timing: { deadlineSeconds: 600, noticeSeconds: 300 },
  maxGraceSeconds: 600,
});
/** Milliseconds of CPU so far: in looks, in taking in what changed of pods, and how many there were. */
const cost = { looks: 0, lookCount: 0, events: 0, eventCount: 0 };
let seconds = 0;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function kindOf(index: number): PodKind {
  return { index, nodes, lent: (index * 37) % 100 < lent };
}

async function tell(resource: Resource, namespace: string | undefined, events: readonly Told[]): Promise<void> {
  await server.say(resource, namespace, server.textOf(events));
  await server.heard(resource, namespace);
}

function added(objects: readonly KubeObject[]): Told[] {
  return objects.map((object) => ['ADDED', object]);
}

/** Tells of pods, at most a thousand at a time; only their being taken in counts. */
async function tellPods(events: readonly Told[]): Promise<void> {
  for (let from = 0; from < events.length; from += 1000) {
    const text = server.textOf(events.slice(from, from + 1000));
    const before = cpuMs();
    await server.say(Pods, undefined, text);
    await server.heard(Pods, undefined);
    cost.events += cpuMs() - before;
  }
  cost.eventCount += events.length;
}

function look(): Look {
  const now = new Date(Date.UTC(2026, 0, 2) + ++seconds * 1000);
  const before = cpuMs();
  const result = agent.look(now, seconds * 1000);
  cost.looks += cpuMs() - before;
  cost.lookCount++;
  return result;
}

/** Looks, and tells the agent of what it would have written. */
async function lookAndWrite(): Promise<number> {
  const { guardWrites, recordWrites, policyWrites } = look();
  for (const { guard, ...write } of guardWrites) {
    const spec = write.kind === 'patch' ? patched(guard.spec, (write.patch as { spec: Json }).spec) : guard.spec;
    await tell(LeaseGuards, MOUNT, added([{ ...guard, spec }]));
  }
  for (const write of recordWrites) {
    if (write.kind === 'create') await tell(LeasedNodes, MOUNT, added([createdRecord(write.record)]));
    else if (write.kind === 'status') {
      const status = patched(write.record.status as Json | undefined, write.patch);
      await tell(LeasedNodes, MOUNT, [['MODIFIED', { ...write.record, status }]]);
    }
  }
  for (const write of policyWrites) {
    await tell(ResourceLeasingPolicies, undefined, [['MODIFIED', { ...write.policy, status: { ...write.status } }]]);
  }
  return guardWrites.length + recordWrites.length + policyWrites.length;
}

/** RFC 7386. */
function patched(current: Json | undefined, patch: Json): Json {
  const result = { ...current };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else if (typeof value !== 'object' || Array.isArray(value)) result[field] = value;
    else result[field] = patched(result[field] as Json | undefined, value as Json);
  }
  return result;
}

/** Looks until there is nothing to write. */
async function settle(): Promise<void> {
  for (let left = 10; left > 0; left--) if ((await lookAndWrite()) === 0) return;
  throw new Error('the agent does not come to rest: ten looks in a row asked for writes');
}

/** Takes all pods through some stages of their life, `rate` a second, with a look a second. Gives the writes asked for. */
async function live(stages: readonly number[]): Promise<number> {
  let writes = 0;
  const length = Math.ceil(pods / rate);
  for (let second = 0; second < length + stages.length - 1; second++) {
    const events: Told[] = [];
    for (const [late, stage] of stages.entries()) {
      const first = (second - late) * rate;
      for (let index = Math.max(first, 0); index < Math.min(first + rate, pods); index++) {
        events.push(stageOf(kindOf(index), stage));
      }
    }
    await tellPods(events);
    writes += await lookAndWrite();
  }
  return writes;
}

/**
 * A minute in which nothing happens: kubelets tell their status every five minutes, the computing cluster renews its claim
 * every ten seconds. Gives the CPU in milliseconds that a replica takes for it, whether it leads or stands by.
 */
async function restForAMinute(): Promise<number> {
  const time = new Date(Date.UTC(2026, 0, 3)).toISOString();
  const told = Array.from({ length: Math.ceil(nodes / 5) }, (_, index) => clusterNode(index, time));
  const texts = [
    { resource: Nodes, namespace: undefined, objects: told },
    ...Array.from({ length: 6 }, (_, n) => ({ resource: Leases, namespace: MOUNT, objects: [claim(`${time}${n}`)] })),
  ].map(({ objects, ...rest }) => ({ ...rest, text: server.textOf(objects.map((each) => ['MODIFIED', each])) }));
  const before = cpuMs();
  for (const { resource, namespace, text } of texts) {
    await server.say(resource, namespace, text);
    await server.heard(resource, namespace);
  }
  return cpuMs() - before;
}

function perPod(ms: number): string {
  return `${(ms / pods).toFixed(3)} ms a pod`;
}

const ending = new AbortController();
void stores.run(ending.signal);
void stores.runPods(ending.signal);
await tell(Nodes, undefined, added(Array.from({ length: nodes }, (_, index) => clusterNode(index))));
await tell(Leases, MOUNT, added([claim()]));
await tell(ValidatingAdmissionPolicies, undefined, added(admission()));
await tell(ValidatingAdmissionPolicyBindings, undefined, added(admission()));
await tell(ResourceLeasingPolicies, undefined, added([policy()]));
await stores.synced;
await settle();
const bytes = server.textOf([stageOf(kindOf(0), 2)]).length;
console.log(`${nodes} nodes, ${pods} pods of which ${lent} % are lent; a pod's text has ${bytes} bytes`);

Object.assign(cost, { looks: 0, lookCount: 0, events: 0, eventCount: 0 });
const up = await live([0, 1, 2]);
const coming = { ...cost };
await settle();
if (stores.pods.size !== pods) throw new Error(`${stores.pods.size} pods are there, not ${pods}`);
Object.assign(cost, { looks: 0, lookCount: 0 });
for (let count = 0; count < looks; count++) look();
const rest = cost.looks / looks;
console.log(`a look at pods that did not change: ${rest.toFixed(2)} ms, ${((rest / pods) * 1000).toFixed(2)} us a pod`);

asked = 0;
const minute = await restForAMinute();
console.log(
  `a minute in which nothing happens: ${minute.toFixed(1)} ms for what nodes and the claim tell, for which ${asked} looks ` +
    `are asked; two looks of ${rest.toFixed(1)} ms, whether the claim is still renewed: ${((minute + 2 * rest) / 600).toFixed(2)} % of a core`,
);

Object.assign(cost, { ...coming });
const down = await live(Array.from({ length: STAGES - 3 }, (_, late) => late + 3));
if (stores.pods.size > 0) throw new Error(`${stores.pods.size} pods are left`);
console.log(
  `a whole life, ${rate} pods a second: ${perPod(cost.looks)} in ${cost.lookCount} looks; ${perPod(cost.events)} in ` +
    `${cost.eventCount} events (${((cost.events / cost.eventCount) * 1000).toFixed(0)} us each); ${up + down} writes`,
);
ending.abort();
process.exit();
