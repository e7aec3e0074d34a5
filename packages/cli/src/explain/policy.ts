/** `explain policy`: what a policy lends, node by node, and why not more. Pure. */
import { BadWhenTrue, firstFew } from '@kubeocean/shared/api';
import type { WorkerNode } from '@kubeocean/shared/lease';
import { deletionText } from '../deletion.ts';
import type { Explanation, Facts, WorkerFacts } from './facts.ts';
import { unknowns, valueOr } from './facts.ts';
import { type NodeVerdict, recordNext, verdictOn, windowText } from './lease-words.ts';
import { reclaimRemark, sentence } from './sentences.ts';
import {
  agentSilence,
  claimSilence,
  isGoing,
  type PolicyView,
  recordOf,
  type World,
  worldOf,
  zoneOf,
} from './world.ts';

/** Undefined when there is no such policy. */
export function explainPolicy(name: string, facts: Facts & { worker: WorkerFacts }): Explanation | undefined {
  const { worker, home } = facts;
  const world = worldOf(worker, facts.now);
  const view = world.policies.find(({ policy }) => policy.metadata.name === name);
  if (!view) return undefined;
  const { cluster, claim } = view;
  const verdicts = world.nodes.map((node) => ({ node, ...verdictOn(view, node, world) }));
  const unseen = 'unknown' in worker.nodes || 'unknown' in worker.records;
  const state = unseen ? 'what it lends cannot be seen' : countText(verdicts, cluster);
  const served = claim.served;
  const silence = served && 'value' in worker.leases ? agentSilence(world, served.namespace) : undefined;
  return {
    kind: 'policy',
    name,
    summary: `Policy ${name} ${windowText(view, world)}; ${state}.`,
    now: byText(verdicts.filter(({ lent }) => lent === 'open' || lent === 'closing')),
    why: [
      ...(isGoing(view) ? [sentence(`it ${deletionText(view.policy)}`)] : []),
      ...(view.problem === undefined || isGoing(view) ? [] : [invalidText(view)]),
      ...policyWide(view, world, worker).filter((line) => !verdicts.some(({ text }) => line === toldOfAll(text))),
      ...(silence ? [sentence(silence)] : []),
      ...reclaimRemark('the policy', view.policy),
      ...('unknown' in worker.records ? [] : notLentTexts(verdicts)),
      ...bindingProblems(facts, cluster),
    ],
    next: [...(silence ? [WhileSilent] : []), ...nextOf(view, world)],
    events: [],
    unknown: [
      ...unknowns(worker.nodes, worker.policies, worker.records, worker.leases, worker.tenants, worker.timeZone),
      ...(home ? unknowns(home.bindings) : [noHome(cluster)]),
    ],
  };
}

/** How much of what comes next by the clock still comes. */
export const WhileSilent = 'Nothing of the following happens while the agent is silent:';
/** So many nodes of which the same is said are named. */
const NamedNodes = 5;
/** So many lines tell of nodes that the policy does not want at all. */
const UnwantedLines = 5;

type Verdict = NodeVerdict & { node: WorkerNode };

/** How a reason that holds for the policy as a whole is said, which the nodes say as well. */
function toldOfAll(text: string): string {
  return sentence(text.replace('not lent: ', ''));
}

function countText(verdicts: readonly Verdict[], cluster: string): string {
  const [open, closing] = (['open', 'closing'] as const).map(
    (state) => verdicts.filter(({ lent }) => lent === state).length,
  ) as [number, number];
  const nodes = `${verdicts.length} node${verdicts.length === 1 ? '' : 's'}`;
  if (closing === 0) return `it lends ${open} of ${nodes} to ${cluster}`;
  if (open === 0) return `${closing} of ${nodes} closed to ${cluster}, so no new pods come`;
  return `it lends ${open} of ${nodes} to ${cluster}, and ${closing} ${closing === 1 ? 'takes' : 'take'} no new pods any more`;
}

/** What is not lent, that which the policy does not want at all last, and not endlessly. */
function notLentTexts(verdicts: readonly Verdict[]): string[] {
  const not = verdicts.filter(({ lent }) => lent === 'no');
  const unwanted = byText(not.filter(({ reason }) => reason === 'NotSelected'));
  const more = unwanted.length - UnwantedLines;
  return [
    ...byText(not.filter(({ reason }) => reason !== 'NotSelected')),
    ...unwanted.slice(0, UnwantedLines),
    ...(more > 0
      ? [`And ${more} more lines of nodes that its nodeSelector does not match: explain node NAME tells why.`]
      : []),
  ];
}

/** A line for each thing that is said, with the nodes of which it is said. */
function byText(verdicts: readonly Verdict[]): string[] {
  const nodes = new Map<string, string[]>();
  for (const { text, node } of verdicts) nodes.set(text, [...(nodes.get(text) ?? []), node.metadata.name]);
  return [...nodes].map(([text, names]) => `${firstFew(names, NamedNodes)}: ${text}`);
}

function noHome(cluster: string): string {
  return `Whether the computing cluster has a ClusterBinding ${cluster}, and what it says: give --kubeconfig.`;
}

function invalidText({ problem, spec }: PolicyView): string {
  const applies = spec
    ? 'Until it is corrected its last valid spec applies (status.lastValidSpec)'
    : 'No valid spec of it is known: what is lent stays lent, never more than is left, and nothing new is lent';
  return `The policy is not valid: ${problem}. ${applies}.`;
}

/** What holds for every node. */
function policyWide(view: PolicyView, world: World, worker: WorkerFacts): string[] {
  const { claim } = view;
  if (!('value' in worker.leases)) return [];
  const remark = claim.remark ? [sentence(claim.remark)] : [];
  const unrenewed = claim.served && claimSilence(world, claim.served);
  return [...remark, ...(unrenewed ? [sentence(unrenewed)] : [])];
}

/** What the binding at home complains of. */
export function bindingProblems({ home }: Facts, cluster: string): string[] {
  if (!home || !('value' in home.bindings)) return [];
  const binding = home.bindings.value.find(({ metadata }) => metadata.name === cluster);
  if (!binding) return [`The computing cluster (${home.server}) has no ClusterBinding ${cluster}.`];
  return (binding.status?.conditions ?? [])
    .filter(({ type, status }) => BadWhenTrue.includes(type) === (status === 'True'))
    .map(({ type, status, message }) => `ClusterBinding ${cluster}: ${type} is ${status}: ${message ?? 'no message'}`);
}

/** Of its leases, once for all that say the same; without any, of the policy alone. */
function nextOf(view: PolicyView, world: World): string[] {
  const zone = zoneOf(view, world);
  const namespace = view.claim.served?.namespace;
  const alike = new Map<string, { lines: string[]; nodes: string[] }>();
  for (const { metadata } of world.nodes) {
    const record = recordOf(world, view.cluster, metadata.name, namespace);
    if (!record || record.status?.phase === 'Closed') continue;
    if ((record.status?.policy ?? record.spec.policy) !== view.policy.metadata.name) continue;
    const lines = recordNext(record, view.spec, zone, world.now);
    const known = alike.get(lines.join('\n'));
    if (known) known.nodes.push(metadata.name);
    else alike.set(lines.join('\n'), { lines, nodes: [metadata.name] });
  }
  const [first, ...others] = alike.values();
  if (!first) return view.spec && !isGoing(view) ? [`The policy ${windowText(view, world)}.`] : [];
  if (others.length === 0) return first.lines;
  return [first, ...others].flatMap(({ lines, nodes }) =>
    lines.map((line) => `${firstFew(nodes, NamedNodes)}: ${line}`),
  );
}

/** The binding of a name, if it could be read. */
export function bindingNamed({ home }: Facts, name: string) {
  return valueOr(home?.bindings, []).find(({ metadata }) => metadata.name === name);
}
