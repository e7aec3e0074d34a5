/** `explain policy`: what a policy lends, node by node, and why not more. Pure. */
import type { Explanation, Facts, WorkerFacts } from './facts.ts';
import { unknowns, valueOr } from './facts.ts';
import { recordNext, takenBack, verdictOn, windowText } from './lease-words.ts';
import { agentSilence, claimSilence, type PolicyView, recordOf, type World, worldOf, zoneOf } from './world.ts';

/** Undefined when there is no such policy. */
export function explainPolicy(name: string, facts: Facts & { worker: WorkerFacts }): Explanation | undefined {
  const { worker, home } = facts;
  const world = worldOf(worker, facts.now);
  const view = world.policies.find(({ policy }) => policy.metadata.name === name);
  if (!view) return undefined;
  const { cluster, claim } = view;
  const verdicts = world.nodes.map((node) => ({ node, ...verdictOn(view, node, world) }));
  const lent = verdicts.filter((verdict) => verdict.lent);
  const count = 'unknown' in worker.nodes ? 'an unknown number of' : String(lent.length);
  const nodes = `${count} of ${world.nodes.length} nodes`;
  const state = 'unknown' in worker.nodes ? 'what it lends cannot be seen' : `it lends ${nodes} to ${cluster}`;
  const served = claim.served;
  const silence = served && 'value' in worker.leases ? agentSilence(world, served.namespace) : undefined;
  return {
    kind: 'policy',
    name,
    summary: `Policy ${name} ${windowText(view, world)}; ${state}.`,
    now: lent.map(({ node, text }) => `${node.metadata.name}: ${text}`),
    why: [
      ...(view.problem === undefined ? [] : [invalidText(view)]),
      ...policyWide(view, world, worker),
      ...(silence ? [sentence(silence)] : []),
      ...verdicts.filter((verdict) => !verdict.lent).map(({ node, text }) => `${node.metadata.name}: ${text}`),
      ...bindingProblems(facts, cluster),
    ],
    next: nextOf(view, world),
    events: [],
    unknown: [
      ...unknowns(worker.nodes, worker.policies, worker.records, worker.leases, worker.tenants, worker.timeZone),
      ...(home ? unknowns(home.bindings) : [noHome(cluster)]),
    ],
  };
}

/** First letter large, and a full stop. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

function noHome(cluster: string): string {
  return `Whether the computing cluster has a ClusterBinding ${cluster}, and what it says: give --kubeconfig.`;
}

function invalidText({ problem }: PolicyView): string {
  return `The policy is not valid: ${problem}. The last valid spec goes on to apply where the agent remembers it; nothing else new is lent.`;
}

/** What holds for every node. */
function policyWide(view: PolicyView, world: World, worker: WorkerFacts): string[] {
  const { claim } = view;
  if (!('value' in worker.leases)) return [];
  const remark = claim.remark ? [sentence(claim.remark)] : [];
  const unrenewed = claim.served && claimSilence(world, claim.served);
  const taken = takenBack(view, undefined);
  return [...remark, ...(unrenewed ? [sentence(unrenewed)] : []), ...(taken ? [sentence(taken)] : [])];
}

/** What the binding at home complains of. */
export function bindingProblems({ home }: Facts, cluster: string): string[] {
  if (!home || !('value' in home.bindings)) return [];
  const binding = home.bindings.value.find(({ metadata }) => metadata.name === cluster);
  if (!binding) return [`The computing cluster (${home.server}) has no ClusterBinding ${cluster}.`];
  return (binding.status?.conditions ?? [])
    .filter(({ type, status }) => (type === 'DeletionGuard' ? status === 'True' : status !== 'True'))
    .map(({ type, status, message }) => `ClusterBinding ${cluster}: ${type} is ${status}: ${message ?? 'no message'}`);
}

/** Of one of its leases, where they all say the same; otherwise of the policy alone. */
function nextOf(view: PolicyView, world: World): string[] {
  const zone = zoneOf(view, world);
  const namespace = view.claim.served?.namespace;
  const texts = world.nodes.flatMap((node) => {
    const record = recordOf(world, view.cluster, node.metadata.name, namespace);
    if (!record || record.status?.phase === 'Closed') return [];
    if ((record.status?.policy ?? record.spec.policy) !== view.policy.metadata.name) return [];
    return [{ node: node.metadata.name, lines: recordNext(record, view.spec, zone, world.now) }];
  });
  const [first] = texts;
  if (!first) return view.spec ? [`The policy ${windowText(view, world)}.`] : [];
  if (texts.every(({ lines }) => lines.join() === first.lines.join())) return first.lines;
  return texts.flatMap(({ node, lines }) => lines.map((line) => `${node}: ${line}`));
}

/** The binding of a name, if it could be read. */
export function bindingNamed({ home }: Facts, name: string) {
  return valueOr(home?.bindings, []).find(({ metadata }) => metadata.name === name);
}
